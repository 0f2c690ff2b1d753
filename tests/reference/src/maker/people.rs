//! People, what they are called where, and how they come in.

use serde_json::{Value, json};

use super::{BOARD, CALLER};
use crate::meaning::Who;
use crate::rng::Rng;

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
pub(super) const GROUPS: [&str; 3] = ["leads", "owners", "on-call"];

/// The people of one policy, and the groups that the API server says they are in.
#[derive(Clone, Debug)]
pub struct Crowd {
    groups: Vec<(&'static str, Vec<String>)>,
}

impl Crowd {
    /// Some groups for everybody.
    pub fn new(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng| rng.some(&GROUPS.map(str::to_owned), 30);
        Self {
            groups: NAMES.map(|name| (name, some(rng))).into(),
        }
    }
}

fn username(name: &str, provider: &str) -> String {
    match provider {
        "oidc" => format!("https://id.example.com#{name}-8f2c"),
        "slack" => format!("U02{}", name.to_uppercase()),
        _ => format!("{name}@example.com"),
    }
}

/// `people`: not everybody is there, and not with everything.
pub(super) fn people(rng: &mut Rng, by_group: bool) -> Vec<Value> {
    let mut list = Vec::new();
    for name in NAMES {
        if rng.chance(8) {
            continue;
        }
        let mut person = json!({"name": name});
        let missing = !by_group && rng.chance(10);
        for (provider, likely) in [
            ("kubernetes", if missing { 0 } else { 100 }),
            ("oidc", 70),
            ("slack", 70),
        ] {
            if rng.chance(likely) {
                person[provider] = json!(username(name, provider));
            }
        }
        if rng.chance(60) {
            person["authors"] = json!([format!("{name}@git.example.com")]);
        }
        if ["kubernetes", "oidc", "slack"]
            .iter()
            .any(|way| person.get(way).is_some())
        {
            list.push(person);
        }
    }
    list
}

/// Somebody, and the door that they come by.
pub fn voter(rng: &mut Rng, crowd: &Crowd) -> (Who, &'static str) {
    let who = |provider, username: String, groups| Who {
        provider,
        username,
        groups,
    };
    let (name, groups) = rng.pick(&crowd.groups).clone();
    match rng.below(40) {
        0..18 => {
            let door = *rng.pick(&["kubernetes", "web"]);
            (
                who("kubernetes", username(name, "kubernetes"), groups),
                door,
            )
        }
        18..24 => {
            let groups = if rng.chance(60) { Vec::new() } else { groups };
            (who("oidc", username(name, "oidc"), groups), "web")
        }
        24..31 => (who("slack", username(name, "slack"), Vec::new()), "slack"),
        31..33 => (who("plugin", BOARD.into(), Vec::new()), "plugin"),
        33 => {
            // The same human being, spelled as nobody spells them.
            let provider = *rng.pick(&["kubernetes", "oidc"]);
            let odd = username(name, provider).replacen(name, &name.to_uppercase(), 1);
            (who(provider, odd, groups), "web")
        }
        34 => (
            who("kubernetes", "mallory@example.com".into(), groups),
            "kubernetes",
        ),
        35 => (
            who("oidc", "https://id.example.com#mallory".into(), groups),
            "web",
        ),
        36 => (who("slack", "U02MALLORY".into(), groups), "slack"),
        37 => (who("caller", CALLER.into(), groups), "webhook"),
        38 => (who("plugin", "another".into(), Vec::new()), "plugin"),
        _ => {
            let nobody = *rng.pick(&["system:anonymous", ""]);
            (who("kubernetes", nobody.into(), groups), "kubernetes")
        }
    }
}
