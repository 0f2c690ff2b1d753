//! The HTTPRoute router: the weights of one rule of a Gateway API HTTPRoute.
//!
//! Only `backendRefs` of that rule are written, by a patch that tests what it replaces. Other rules,
//! filters, matches and references stay byte for byte, and in the end so does this rule's list.

use serde_json::{Value, json};

use super::apart::candidate_service;
use super::patch::Patch;
use super::{ALL_TRAFFIC, Road, Router, Sight, Turned, percent};
use crate::pipeline::HttpRouteRouter;
use crate::rollout::{Effect, ObjectKind, ObjectRef, ObjectSeen, Seen};

/// Most bytes of JSON that the references of a rule may have: they are kept in the journal.
const ORIGINAL_LIMIT: usize = 4 * 1024;
/// Least weight of the live Service where a rule sends elsewhere, too: its weight is what is shared.
const LEAST_WEIGHT: u64 = 100;

/// The rule that is shared out.
struct Rule {
    index: usize,
    name: Option<String>,
    references: Vec<Value>,
}

impl HttpRouteRouter {
    fn object(&self, road: &Road<'_>) -> ObjectRef {
        ObjectRef::new(ObjectKind::HttpRoute, road.namespace, &self.name)
    }

    fn found(&self, road: &Road<'_>, seen: &Sight<'_>) -> Result<ObjectSeen, Turned> {
        let object = self.object(road);
        match seen(&object) {
            Seen::Present(found) => Ok(found),
            Seen::Absent => Err(Turned::Foreign(format!("{object} does not exist"))),
            Seen::Unknown(why) => Err(Turned::Unseen(why)),
        }
    }

    /// The named rule, or the only one that sends to either Service.
    fn rule(&self, road: &Road<'_>, body: &Value) -> Result<Rule, String> {
        let object = self.object(road);
        let candidate = candidate_of(road);
        let rules = body.pointer("/spec/rules").and_then(Value::as_array);
        let all = rules
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, r)| Rule {
                index,
                name: r.get("name").and_then(Value::as_str).map(str::to_owned),
                references: r
                    .get("backendRefs")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            });
        if let Some(wanted) = &self.rule {
            let mut named = all.filter(|r| r.name.as_ref() == Some(wanted));
            return match (named.next(), named.next()) {
                (Some(rule), None) => Ok(rule),
                (None, _) => Err(format!("{object} has no rule named `{wanted}`")),
                (Some(_), Some(_)) => Err(format!("{object} has two rules named `{wanted}`")),
            };
        }
        let mut ours = all.filter(|r| {
            r.references
                .iter()
                .any(|b| refers(b, road.service, road) || refers(b, &candidate, road))
        });
        match (ours.next(), ours.next()) {
            (Some(rule), None) => Ok(rule),
            (None, _) => Err(format!(
                "no rule of {object} sends to Service {}",
                road.service
            )),
            (Some(_), Some(_)) => Err(format!(
                "several rules of {object} send to Service {}: name one with `rule`",
                road.service
            )),
        }
    }
}

fn candidate_of(road: &Road<'_>) -> String {
    candidate_service(road.namespace, road.service, road.rollout_uid).name
}

/// Whether a reference is to the Service of this name in the target's namespace.
fn refers(reference: &Value, service: &str, road: &Road<'_>) -> bool {
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    text("name") == Some(service)
        && text("kind").is_none_or(|k| k == "Service")
        && text("group").is_none_or(str::is_empty)
        && text("namespace").is_none_or(|n| n == road.namespace)
}

fn weight(reference: &Value) -> u64 {
    // The Gateway API's default.
    reference.get("weight").and_then(Value::as_u64).unwrap_or(1)
}

/// The references that give the candidate `share_bp` of what the live Service had.
fn shared(original: &[Value], road: &Road<'_>, share_bp: u16) -> Option<Vec<Value>> {
    let at = original
        .iter()
        .position(|b| refers(b, road.service, road))?;
    if share_bp == 0 {
        return Some(original.to_vec());
    }
    let live = original.get(at)?;
    let all = u64::from(ALL_TRAFFIC);
    let whole = if original.len() == 1 {
        all
    } else {
        weight(live)
    };
    let part = (whole * u64::from(share_bp)).div_ceil(all).min(whole);
    let with = |name: &str, weight: u64| {
        let mut reference = live.clone();
        if let Some(map) = reference.as_object_mut() {
            map.insert("name".into(), json!(name));
            map.insert("weight".into(), json!(weight));
        }
        reference
    };
    let mut out = original.to_vec();
    if let Some(place) = out.get_mut(at) {
        *place = with(road.service, whole - part);
    }
    out.insert(at + 1, with(&candidate_of(road), part));
    Some(out)
}

impl Router for HttpRouteRouter {
    fn looks_at(&self, road: &Road<'_>) -> Vec<ObjectRef> {
        vec![self.object(road)]
    }

    fn creates(&self, _road: &Road<'_>) -> Vec<ObjectRef> {
        Vec::new()
    }

    fn problems(&self, road: &Road<'_>, seen: &Sight<'_>) -> Vec<String> {
        let found = match self.found(road, seen) {
            Ok(found) => found,
            Err(Turned::Foreign(why) | Turned::Unseen(why)) => return vec![why],
            Err(Turned::Write(_) | Turned::Reached) => return Vec::new(),
        };
        let rule = match self.rule(road, &found.body) {
            Ok(rule) => rule,
            Err(why) => return vec![why],
        };
        let object = self.object(road);
        let live = rule
            .references
            .iter()
            .find(|b| refers(b, road.service, road));
        let Some(live) = live else {
            return vec![format!(
                "the rule of {object} does not send to Service {}",
                road.service
            )];
        };
        let mut out = Vec::new();
        if rule.references.len() > 1 && weight(live) < LEAST_WEIGHT {
            out.push(format!(
                "the rule of {object} sends to other Services, too, with a weight of {} for {}: give \
                 it at least {LEAST_WEIGHT}, so that it can be shared",
                weight(live),
                road.service
            ));
        }
        let bytes = Value::from(rule.references).to_string().len();
        if bytes > ORIGINAL_LIMIT {
            out.push(format!(
                "the references of the rule of {object} have {bytes} bytes; {ORIGINAL_LIMIT} is the \
                 limit"
            ));
        }
        out
    }

    fn original(&self, road: &Road<'_>, seen: &Sight<'_>) -> Option<Value> {
        let found = self.found(road, seen).ok()?;
        let rule = self.rule(road, &found.body).ok()?;
        Some(Value::from(rule.references))
    }

    fn turn(&self, road: &Road<'_>, seen: &Sight<'_>, share_bp: u16) -> Turned {
        let found = match self.found(road, seen) {
            Ok(found) => found,
            // What is gone sends nobody anywhere.
            Err(Turned::Foreign(_)) if share_bp == 0 => return Turned::Reached,
            Err(turned) => return turned,
        };
        let object = self.object(road);
        let rule = match self.rule(road, &found.body) {
            Ok(rule) => rule,
            Err(_) if share_bp == 0 => return Turned::Reached,
            Err(why) => return Turned::Foreign(why),
        };
        let Some(original) = road.original.and_then(Value::as_array) else {
            return Turned::Reached;
        };
        let wanted = shared(original, road, share_bp);
        if wanted.as_ref() == Some(&rule.references) {
            return Turned::Reached;
        }
        let list = format!("/spec/rules/{}/backendRefs", rule.index);
        let mut patch = Patch::of(&found.body);
        if let Some(name) = &rule.name {
            patch = patch.test(&format!("/spec/rules/{}/name", rule.index), &json!(name));
        }
        patch = patch.test(&list, &Value::from(rule.references.clone()));
        let known = [0, road.reached_bp]
            .iter()
            .any(|bp| shared(original, road, *bp).as_ref() == Some(&rule.references));
        let patch =
            if let Some(wanted) = wanted.filter(|_| known || came_from_us(&rule, original, road)) {
                patch.replace(&list, &Value::from(wanted))
            } else if share_bp == 0 {
                // Somebody else's list: the candidate is taken out of it, and nothing else.
                let candidate = candidate_of(road);
                let place = rule
                    .references
                    .iter()
                    .position(|b| refers(b, &candidate, road));
                match place {
                    None => return Turned::Reached,
                    Some(_) if rule.references.len() == 1 => {
                        patch.replace(&list, &Value::from(original.clone()))
                    }
                    Some(at) => patch.remove(&format!("{list}/{at}")),
                }
            } else {
                return Turned::Foreign(format!(
                    "somebody else changed where {object} sends; Sluice does not fight over it"
                ));
            };
        Turned::Write(vec![Effect::Patch {
            object: found.guard(&object),
            patch: patch.build(),
            detail: percent(share_bp),
        }])
    }
}

/// Whether the list is one that this Rollout wrote, with whatever share: an agent may have died between a
/// write and the note of it.
fn came_from_us(rule: &Rule, original: &[Value], road: &Road<'_>) -> bool {
    let candidate = candidate_of(road);
    let part = rule
        .references
        .iter()
        .find(|b| refers(b, &candidate, road))
        .map(weight);
    let rest = rule
        .references
        .iter()
        .find(|b| refers(b, road.service, road))
        .map(weight);
    let (Some(part), Some(rest)) = (part, rest) else {
        return false;
    };
    let Some(bp) = (part * u64::from(ALL_TRAFFIC)).checked_div(part + rest) else {
        return false;
    };
    u16::try_from(bp)
        .ok()
        .and_then(|bp| shared(original, road, bp))
        .is_some_and(|list| list == rule.references)
}
