//! What a vote is for. The product's hash must be another whenever any of this is, and the same while
//! nothing at all has changed (reliability.md A1, P8).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::meaning::{Facts, effective};

/// What was signed, as far as it may never differ under one hash; and all that there is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    must: Value,
    whole: Value,
}

/// What of the world goes into a subject beside policy and candidate.
pub(super) fn subject(policy: &Value, facts: &Facts, around: &Value) -> Subject {
    let mut here = effective(policy, &facts.environment, &facts.namespace).unwrap_or_default();
    if facts.break_glass
        && let Some(sections) = here.as_object_mut()
    {
        // What an emergency leaves out was not signed.
        for key in ["approvals", "windows", "after", "limits"] {
            sections.remove(key);
        }
        sections["images"]
            .as_object_mut()
            .unwrap()
            .remove("minimumAge");
    }
    if facts.skip_canary
        && let Some(strategy) = here.get_mut("strategy")
    {
        // Without a canary there are no shares to limit.
        strategy
            .as_object_mut()
            .unwrap()
            .retain(|key, _| key == "allow");
    }
    if here["strategy"]
        .as_object()
        .is_some_and(serde_json::Map::is_empty)
    {
        here.as_object_mut().unwrap().remove("strategy");
    }
    let mut roles = Vec::new();
    for required in here["approvals"]["require"]
        .as_array()
        .into_iter()
        .flatten()
    {
        roles.push(&required["role"]);
    }
    for list in [
        &here["skipCanary"]["allowedFor"],
        &here["permissions"]["deploy"],
    ] {
        roles.extend(list.as_array().into_iter().flatten());
    }
    roles.extend(here["breakGlass"].get("role"));
    let roles: BTreeMap<&str, &Value> = roles
        .iter()
        .map(|name| name.as_str().unwrap())
        .map(|name| (name, &policy["roles"][name]))
        .collect();
    let holds = |person: &&Value| {
        let mut lists = roles.values().filter_map(|role| role["people"].as_array());
        lists.any(|list| list.contains(&person["name"]))
    };
    let people: Vec<&Value> = policy["people"]
        .as_array()
        .unwrap()
        .iter()
        .filter(holds)
        .collect();
    let named = here["images"]["signedBy"].as_array().into_iter().flatten();
    let signers: Vec<&Value> = named
        .map(|name| &policy["signers"][name.as_str().unwrap()])
        .collect();
    Subject {
        must: json!({"here": here, "roles": roles, "people": people, "signers": signers, "around": around}),
        whole: json!({"policy": policy, "around": around}),
    }
}

/// What each hash was first seen to stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects {
    seen: Vec<(String, Subject)>,
}

impl Subjects {
    /// Notes what a hash stands for; the mistake, if there is one.
    pub(super) fn note(&mut self, hash: &str, subject: &Subject) -> Result<(), String> {
        for (known, before) in &self.seen {
            if known == hash && before.must != subject.must {
                return Err(format!(
                    "one hash for two things: {} and {}",
                    before.must, subject.must
                ));
            }
            if known != hash && before.whole == subject.whole {
                return Err(format!("two hashes for the same: {}", subject.whole));
            }
        }
        if !self
            .seen
            .iter()
            .any(|(known, before)| known == hash && before == subject)
        {
            self.seen.push((hash.to_owned(), subject.clone()));
        }
        Ok(())
    }
}
