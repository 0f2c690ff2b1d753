//! Who somebody is, and which roles they hold.

use serde_json::Value;

use super::facts::Facts;

/// An identity, as a door saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `kubernetes`, `oidc`, `slack`, `caller` or `plugin`.
    pub provider: &'static str,
    /// The name there.
    pub username: String,
    /// The groups at that moment.
    pub groups: Vec<String>,
}

impl Who {
    /// Whether this is nobody in particular.
    pub(super) fn nobody(&self) -> bool {
        let unknown = |group: &String| group == "system:unauthenticated";
        self.username.is_empty()
            || self.username == "system:anonymous"
            || self.groups.iter().any(unknown)
    }
}

/// The entry of `people` for this identity. Rights need the exact spelling; that two are one human
/// being does not.
fn entry<'p>(policy: &'p Value, who: &Who, exact: bool) -> Option<&'p Value> {
    let same = |known: &str| {
        known == who.username || (!exact && known.to_lowercase() == who.username.to_lowercase())
    };
    let people = policy["people"].as_array()?;
    people
        .iter()
        .find(|person| person[who.provider].as_str().is_some_and(same))
}

/// One text for each human being.
pub fn human(policy: &Value, who: &Who) -> String {
    match entry(policy, who, false) {
        Some(person) => person["name"].as_str().unwrap().to_owned(),
        None => format!("{}:{}", who.provider, who.username.to_lowercase()),
    }
}

fn lists(list: &Value, text: &str) -> bool {
    let list = list.as_array();
    list.is_some_and(|list| list.iter().any(|item| item == text))
}

/// Whether this identity holds a role.
pub fn holds(policy: &Value, who: &Who, role: &str) -> bool {
    let role = &policy["roles"][role];
    if who.nobody() {
        return false;
    }
    let listed = entry(policy, who, true);
    let by_name = listed.is_some_and(|p| lists(&role["people"], p["name"].as_str().unwrap()));
    let by_group = who.groups.iter().any(|group| lists(&role["groups"], group));
    match who.provider {
        "kubernetes" => by_name || by_group,
        "oidc" => by_name || (listed.is_some() && by_group),
        "slack" => by_name,
        // Decided outside: the plugin speaks for the role, and for no other.
        "plugin" => role["via"].as_str() == Some(&who.username),
        // A machine proposes and never decides.
        _ => false,
    }
}

/// Whether somebody holds one of the roles of a list.
pub(super) fn holds_one(policy: &Value, who: &Who, roles: &Value) -> bool {
    let mut names = roles.as_array().into_iter().flatten();
    names.any(|name| holds(policy, who, name.as_str().unwrap()))
}

/// How rules and messages call somebody: by the policy's name for this very spelling.
pub(super) fn spelled(policy: &Value, who: &Who) -> String {
    match entry(policy, who, true) {
        Some(person) => person["name"].as_str().unwrap().to_owned(),
        None => format!("{}:{}", who.provider, who.username),
    }
}

/// The people whom the image names as its authors.
pub(super) fn authors(policy: &Value, facts: &Facts) -> Vec<String> {
    let text = facts.annotations.get("org.opencontainers.image.authors");
    let text = text.map(|text| text.to_lowercase()).unwrap_or_default();
    let names: Vec<&str> = text.split([' ', ',', ';', '<', '>', '(', ')']).collect();
    let wrote = |person: &&Value| {
        let mut known = person["authors"].as_array().into_iter().flatten();
        known.any(|author| names.contains(&author.as_str().unwrap().to_lowercase().as_str()))
    };
    let people = policy["people"].as_array().into_iter().flatten();
    people
        .filter(wrote)
        .map(|person| person["name"].as_str().unwrap().to_owned())
        .collect()
}
