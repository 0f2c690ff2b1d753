//! Whole policies, and what somebody changes in them.

use serde_json::{Map, Value, json};

use super::people::people;
use super::sections::{SECTIONS, images, role, section, special};
use super::{CALLER, ENVIRONMENT, NAMESPACES, ROLES};
use crate::meaning::fits_together;
use crate::rng::Rng;

/// Two keys of one name: another one voids what the first has signed.
const KEYS: [&str; 2] = [
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiG2yj0dJDvKopqLcXnIS37d5Z3hr\n\
     6m7iFEfDWXUhiVZH3+d66uUn8tRuOjVc1GGooZKzoNR71kbblMRT3DurEA==\n-----END PUBLIC KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEk7kaGf8dZJetbWRDrRjyoujCTy5\n\
     pWwzUAeoy+MgvGaCHudtjdumaGc16hI8xln43PVKXtskbhKvdja/jVJ/YQ==\n-----END PUBLIC KEY-----\n",
];

fn signers(rng: &mut Rng) -> Value {
    let workflow =
        "https://git.example.com/shop/storefront/.github/workflows/release.yaml@refs/heads";
    let branch = if rng.chance(80) { "main" } else { "next" };
    json!({
        "release-key": {"publicKey": KEYS[usize::from(rng.chance(20))]},
        "release-ci": {"keyless": {
            "issuer": "https://token.actions.example.com",
            "identity": format!("{workflow}/{branch}"),
        }},
    })
}

/// A policy that fits together. `start` is when the history begins.
pub fn policy(rng: &mut Rng, start: i64) -> Value {
    loop {
        let policy = any_policy(rng, start);
        if fits_together(&policy) {
            return policy;
        }
    }
}

fn any_policy(rng: &mut Rng, start: i64) -> Value {
    let by_group = rng.chance(70);
    let people = people(rng, by_group);
    let mut production = json!({
        "targets": {"namespaces": NAMESPACES},
        "triggers": ["manual", "upstream", "registry", "schedule", "webhook"],
        "images": images(rng),
    });
    if rng.chance(25) {
        production["after"] = json!(["staging"]);
    }
    let mut policy = json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "Policy",
        "people": people,
        "signers": signers(rng),
        "callers": {CALLER: {
            "hmac": {"secret": "ci/jenkins"}, "pipelines": ["storefront"], "environments": if rng.chance(92) { vec![ENVIRONMENT, "staging"] } else { vec!["staging"] },
        }},
        "environments": {
            "production": {},
            "staging": {
                "targets": {"namespaces": ["staging"]},
                "triggers": ["registry", "manual"],
                "images": {"repositories": ["**"]},
            },
        },
    });
    let names = names(&policy);
    policy["roles"] = Value::Object(
        ROLES
            .iter()
            .map(|name| ((*name).to_owned(), role(name, rng, &names, by_group)))
            .collect(),
    );
    for (key, own, shared, one) in likely() {
        if rng.chance(own) {
            production[key] = section(key, rng, start);
        }
        if rng.chance(shared) {
            policy["defaults"][key] = section(key, rng, start);
        }
        if rng.chance(one) {
            let namespace = special(rng);
            production["namespaces"][namespace][key] = section(key, rng, start);
        }
    }
    if rng.chance(15) {
        policy["limits"] = json!({"concurrentRollouts": 2 + rng.below(3)});
    }
    policy["environments"][ENVIRONMENT] = production;
    policy
}

/// How likely a section stands in the environment, in `defaults`, under a namespace.
fn likely() -> [(&'static str, usize, usize, usize); 12] {
    let often = |key| match key {
        "approvals" => (70, 25, 20),
        "windows" => (30, 15, 10),
        "breakGlass" => (55, 10, 5),
        "skipCanary" => (45, 10, 5),
        "rules" | "permissions" => (20, 8, 4),
        "strategy" | "checks" | "limits" => (35, 15, 6),
        _ => (8, 6, 3),
    };
    SECTIONS.map(|key| {
        let (own, shared, one) = often(key);
        (key, own, shared, one)
    })
}

fn names(policy: &Value) -> Vec<String> {
    let people = policy["people"].as_array().unwrap().iter();
    people
        .map(|p| p["name"].as_str().unwrap().to_owned())
        .collect()
}

fn by_group(policy: &Value) -> bool {
    let roles = policy["roles"].as_object().unwrap().values();
    roles.into_iter().any(|role| role.get("groups").is_some())
}

/// Somebody changes one thing. What comes out may not load; then the last good policy stays.
pub fn edit(policy: &Value, rng: &mut Rng, now: i64) -> Value {
    let mut policy = policy.clone();
    let names = names(&policy);
    match rng.below(20) {
        0..6 => {
            let name = *rng.pick(&ROLES[..4]);
            let by_group = by_group(&policy);
            policy["roles"][name] = role(name, rng, &names, by_group);
        }
        6 => {
            let people = policy["people"].as_array_mut().unwrap();
            let person = rng.below(people.len());
            let provider = *rng.pick(&["oidc", "slack"]);
            people[person].as_object_mut().unwrap().remove(provider);
        }
        7 => {
            let people = policy["people"].as_array_mut().unwrap();
            let person = rng.below(people.len());
            people[person]["kubernetes"] = json!(format!(
                "{}@elsewhere.example",
                people[person]["name"].as_str().unwrap()
            ));
        }
        8 => policy["signers"] = signers(rng),
        9 => policy["environments"]["staging"]["limits"] = json!({"progressDeadline": "20m"}),
        10 => drop(
            policy["environments"]
                .as_object_mut()
                .unwrap()
                .remove(ENVIRONMENT),
        ),
        11 | 12 if policy["environments"].get(ENVIRONMENT).is_none() => {}
        11 => {
            let production = &mut policy["environments"][ENVIRONMENT];
            production["targets"]["namespaces"] = json!(["payments"]);
            if let Some(namespaces) = production.get_mut("namespaces") {
                namespaces.as_object_mut().unwrap().remove("shop");
            }
        }
        12 => policy["environments"][ENVIRONMENT]["windows"] = section("windows", rng, now),
        _ => {
            let key = *rng.pick(&SECTIONS);
            let place = match rng.below(4) {
                0 => "/defaults".to_owned(),
                1 => format!("/environments/{ENVIRONMENT}/namespaces/{}", special(rng)),
                _ => format!("/environments/{ENVIRONMENT}"),
            };
            let needed = ["triggers", "images"].contains(&key);
            let whole = section(key, rng, now);
            if let Some(sections) = policy.pointer_mut(&place).and_then(Value::as_object_mut) {
                change(sections, key, whole, needed || rng.chance(60));
            }
        }
    }
    policy
}

fn change(sections: &mut Map<String, Value>, key: &str, section: Value, keep: bool) {
    if keep {
        sections.insert(key.to_owned(), section);
    } else {
        sections.remove(key);
    }
}
