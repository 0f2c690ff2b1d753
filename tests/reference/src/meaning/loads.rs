//! Which policies must not load, as far as edits of a good one lead there.

use serde_json::Value;

use super::effective::sections;

/// Whether a policy that is well written fits together: everybody comes in somehow, and where roles name
/// people only, there are enough of them for every slot.
pub fn fits_together(policy: &Value) -> bool {
    let people = policy["people"].as_array().unwrap();
    let roles = policy["roles"].as_object().unwrap();
    let by_group = roles.values().any(|role| role.get("groups").is_some());
    let known = people.iter().all(|person| {
        let comes_in = ["kubernetes", "oidc", "slack"]
            .iter()
            .any(|way| person.get(way).is_some());
        comes_in && (!by_group || person.get("kubernetes").is_some())
    });
    let mut places = Vec::new();
    for (name, environment) in policy["environments"].as_object().unwrap() {
        places.push(sections(policy, name, None));
        for namespace in environment["namespaces"].as_object().into_iter().flatten() {
            places.push(sections(policy, name, Some(namespace.0)));
        }
    }
    let mut callers = policy["callers"].as_object().into_iter().flatten();
    let exist = callers.all(|(_, caller)| {
        let named = caller["environments"].as_array().unwrap();
        named
            .iter()
            .all(|name| policy["environments"].get(name.as_str().unwrap()).is_some())
    });
    known && exist && places.iter().flatten().all(|here| enough(policy, here))
}

fn enough(policy: &Value, here: &Value) -> bool {
    let named = |role: &Value| {
        let role = &policy["roles"][role.as_str().unwrap()];
        let only = role.get("groups").is_none() && role.get("via").is_none();
        only.then(|| role["people"].as_array().cloned().unwrap_or_default())
    };
    let glass = &here["breakGlass"];
    let wanted = glass["people"].as_u64().unwrap_or(2) as usize;
    let glass_fits =
        glass.is_null() || named(&glass["role"]).is_none_or(|people| people.len() >= wanted);
    let mut slots = Vec::new();
    for required in here["approvals"]["require"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if let Some(people) = named(&required["role"]) {
            slots.extend(vec![
                people;
                required["count"].as_u64().unwrap_or(1) as usize
            ]);
        }
    }
    glass_fits && seats(&slots, &[])
}

/// Whether distinct people of these lists fill all slots.
fn seats(slots: &[Vec<Value>], taken: &[Value]) -> bool {
    let Some((people, rest)) = slots.split_first() else {
        return true;
    };
    let free = people.iter().filter(|person| !taken.contains(person));
    let with = |person: &Value| taken.iter().chain([person]).cloned().collect::<Vec<_>>();
    free.into_iter().any(|person| seats(rest, &with(person)))
}
