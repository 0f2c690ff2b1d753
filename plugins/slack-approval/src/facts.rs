//! What an approver has to see, as the agent says it in the attribute `approval-request`.
//!
//! Every fact may be missing or of an odd shape: then it is not shown. A request that shows little
//! is better than none.

use serde_json::Value;
use sluice_sdk::slack::escape;

/// Longest single fact, in characters.
const FACT_CHARS: usize = 300;
/// Most entries that are shown of a list within one line.
const MAX_LISTED: usize = 12;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing is ready to sign yet.
    Waiting,
    /// Votes are missing.
    Open,
    /// No vote is missing; it may still be rejected.
    Approved,
    /// It has begun.
    Begun,
    /// It is over.
    Closed,
    /// Something newer stands in its place.
    Superseded,
}

impl State {
    /// Whether a message about it may still change what it asks for.
    fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Open | Self::Approved => false,
            Self::Begun | Self::Closed | Self::Superseded => true,
        }
    }
}

/// The facts of one request.
pub(crate) struct Facts(Value);

impl Facts {
    /// Reads the attribute. Without it there is nothing to compare with, so `None`.
    pub(crate) fn read(text: Option<&str>) -> Option<Self> {
        let facts: Value = serde_json::from_str(text?).ok()?;
        facts.is_object().then_some(Self(facts))
    }

    /// No facts at all.
    pub(crate) fn none() -> Self {
        Self(Value::Null)
    }

    /// The same facts of a request that is open no more, whatever they say themselves.
    pub(crate) fn closed(self) -> Self {
        if self.state().is_over() {
            return self;
        }
        let mut facts = match self.0 {
            Value::Object(facts) => facts,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => serde_json::Map::new(),
        };
        facts.insert("state".into(), "closed".into());
        Self(Value::Object(facts))
    }

    /// Facts that do not say are open. A word that is not known yet has no buttons.
    pub(crate) fn state(&self) -> State {
        match self.raw("/state") {
            Some("waiting") => State::Waiting,
            Some("open") | None => State::Open,
            Some("approved") => State::Approved,
            Some("begun") => State::Begun,
            Some("superseded") => State::Superseded,
            Some(_) => State::Closed,
        }
    }

    fn raw(&self, place: &str) -> Option<&str> {
        let text = self.0.pointer(place)?.as_str()?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// One fact as inert mrkdwn.
    pub(crate) fn text(&self, place: &str) -> Option<String> {
        self.raw(place).map(|text| escape(text.trim(), FACT_CHARS))
    }

    /// An address as it stands. Whoever shows it checks it.
    pub(crate) fn address(&self, place: &str) -> Option<&str> {
        self.raw(place)
    }

    /// The lines of a list of texts, for a plain text object.
    pub(crate) fn lines(&self, place: &str) -> Vec<&str> {
        let list = self.0.pointer(place).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn entries(&self, place: &str) -> impl Iterator<Item = &Value> {
        let list = self.0.pointer(place).and_then(Value::as_array);
        list.into_iter().flatten().take(MAX_LISTED)
    }

    fn joined(parts: Vec<String>) -> Option<String> {
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// `storefront v1.2.0 to production`, as much of it as is known.
    pub(crate) fn what(&self) -> Option<String> {
        let service = self.text("/service").or_else(|| self.text("/pipeline"))?;
        let tag = self.text("/image/tag").map(|tag| format!(" {tag}"));
        let place = self.text("/environment").map(|name| format!(" to {name}"));
        Some(format!(
            "{service}{}{}",
            tag.unwrap_or_default(),
            place.unwrap_or_default()
        ))
    }

    /// `devops-lead by alice, tech-lead by bob`.
    pub(crate) fn given(&self) -> Option<String> {
        let text = |entry: &Value, name: &str| {
            let text = entry.get(name).and_then(Value::as_str)?;
            Some(escape(text, FACT_CHARS))
        };
        Self::joined(
            self.entries("/given")
                .filter_map(|entry| {
                    let (role, person) = (text(entry, "role"), text(entry, "person")?);
                    Some(match role {
                        Some(role) => format!("{role} by {person}"),
                        None => person,
                    })
                })
                .collect(),
        )
    }

    /// The roles that are still to decide.
    pub(crate) fn missing(&self) -> Option<String> {
        Self::joined(
            self.entries("/missing")
                .filter_map(|entry| {
                    let role = entry.as_str().or_else(|| entry.get("role")?.as_str())?;
                    let role = escape(role, FACT_CHARS);
                    Some(match entry.get("count").and_then(Value::as_u64) {
                        Some(count) if count > 1 => format!("{role} ({count})"),
                        Some(_) | None => role,
                    })
                })
                .collect(),
        )
    }

    /// Where the same image has been before: `staging at 2026-03-01T10:00:00Z`.
    pub(crate) fn earlier(&self) -> Option<String> {
        Self::joined(
            self.entries("/earlier")
                .filter_map(|entry| {
                    let name = escape(entry.get("environment")?.as_str()?, FACT_CHARS);
                    let at = entry.get("at").and_then(Value::as_str);
                    Some(match at {
                        Some(at) => format!("{name} at {}", escape(at, FACT_CHARS)),
                        None => name,
                    })
                })
                .collect(),
        )
    }

    /// `erin (tech-lead): not on a Friday`.
    pub(crate) fn rejected(&self) -> Option<String> {
        let person = self.text("/rejected/person")?;
        let role = self.text("/rejected/role").map(|role| format!(" ({role})"));
        let reason = self.text("/rejected/reason").map(|why| format!(": {why}"));
        Some(format!(
            "{person}{}{}",
            role.unwrap_or_default(),
            reason.unwrap_or_default()
        ))
    }

    /// The steps as lines: `canary: 10 %, then 5m, with checks, after the gate devops`, and what is
    /// done beside them: `takes: at least 12m`.
    pub(crate) fn plan(&self) -> Vec<String> {
        let step = |step: &Value| {
            let text = |name: &str| step.get(name).and_then(Value::as_str);
            let name = step.as_str().or_else(|| text("name"))?;
            let mut line = name.to_string();
            let mut add = |words: String| line.push_str(&words);
            text("share")
                .into_iter()
                .for_each(|share| add(format!(": {share}")));
            text("hold")
                .into_iter()
                .for_each(|hold| add(format!(", then {hold}")));
            if step.get("checked").and_then(Value::as_bool) == Some(true) {
                add(", with checks".into());
            }
            text("gate")
                .into_iter()
                .for_each(|gate| add(format!(", after the gate {gate}")));
            Some(line)
        };
        let course = |shown: &Value| {
            let text = |name: &str| shown.get(name).and_then(Value::as_str);
            Some(format!("{}: {}", text("label")?, text("text")?))
        };
        let list = |name: &str| self.0.pointer(name).and_then(Value::as_array);
        let steps = list("/plan").into_iter().flatten().filter_map(step);
        let beside = list("/course").into_iter().flatten().filter_map(course);
        steps.chain(beside).collect()
    }

    /// A list of words in one line.
    pub(crate) fn words(&self, place: &str) -> Option<String> {
        Self::joined(
            self.entries(place)
                .filter_map(|word| Some(escape(word.as_str()?, FACT_CHARS)))
                .collect(),
        )
    }

    /// What is loud about an emergency.
    pub(crate) fn emergency(&self) -> Option<String> {
        let set = |name: &str| {
            let flag = self.0.get("emergency").and_then(|flags| flags.get(name));
            flag.and_then(Value::as_bool) == Some(true)
        };
        let words = [
            ("breakGlass", "BREAKS THE GLASS"),
            ("skipCanary", "SKIPS THE CANARY"),
        ];
        Self::joined(
            words
                .iter()
                .filter(|(name, _)| set(name))
                .map(|(_, words)| (*words).to_string())
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(value: &Value) -> Facts {
        Facts::read(Some(&value.to_string())).unwrap()
    }

    #[test]
    fn lists_become_lines() {
        let facts = facts(&json!({
            "given": [{"role": "devops-lead", "person": "alice"}, {"person": "<!here>"}, 7],
            "missing": ["tech-lead", {"role": "change-board", "count": 2}, {}],
            "earlier": [{"environment": "staging", "at": "10:00"}, {"environment": "test"}, {}],
            "plan": [{"name": "a", "share": "10 %", "hold": "5m", "checked": true, "gate": "g"}, "b", 7],
            "course": [{"label": "takes", "text": "at least 5m"}, {"label": "x"}, 7],
            "rejected": {"person": "erin", "role": "tech-lead", "reason": "not <now>"},
            "emergency": {"skipCanary": true, "breakGlass": true},
        }));
        assert_eq!(
            facts.given().unwrap(),
            "devops-lead by alice, &lt;!here&gt;"
        );
        assert_eq!(facts.missing().unwrap(), "tech-lead, change-board (2)");
        assert_eq!(facts.earlier().unwrap(), "staging at 10:00, test");
        assert_eq!(
            facts.plan(),
            [
                "a: 10 %, then 5m, with checks, after the gate g",
                "b",
                "takes: at least 5m"
            ]
        );
        assert_eq!(
            facts.rejected().unwrap(),
            "erin (tech-lead): not &lt;now&gt;"
        );
        assert_eq!(
            facts.emergency().unwrap(),
            "BREAKS THE GLASS, SKIPS THE CANARY"
        );
    }

    #[test]
    fn odd_facts_are_left_out_and_the_request_stays_open() {
        let odd = facts(&json!({
            "service": 7, "image": [], "given": "alice", "missing": {}, "earlier": null,
            "emergency": 1, "state": ["closed"], "changes": {"a": 1}, "reason": "  ", "plan": "x",
            "rejected": "erin",
        }));
        assert_eq!(odd.state(), State::Open);
        assert_eq!(odd.what(), None);
        assert_eq!(odd.text("/reason"), None);
        assert!(odd.given().is_none() && odd.missing().is_none() && odd.earlier().is_none());
        assert!(odd.emergency().is_none() && odd.lines("/changes").is_empty());
        assert!(Facts::read(None).is_none() && Facts::read(Some("[1]")).is_none());
        assert_eq!(
            facts(&json!({"state": "superseded"})).state(),
            State::Superseded
        );
    }
}
