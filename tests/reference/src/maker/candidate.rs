//! Candidates: mostly such as a policy lets in.

use serde_json::Value;

use super::{CALLER, Crowd, ENVIRONMENT, NAMESPACES, voter};
use crate::meaning::{Facts, Who};
use crate::rng::Rng;

/// A digest of one letter.
pub fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// Something that is proposed under this policy.
pub fn candidate(rng: &mut Rng, policy: &Value, crowd: &Crowd) -> Facts {
    let trigger = *rng.pick(&[
        "manual", "manual", "manual", "upstream", "registry", "schedule", "webhook",
    ]);
    let emergency = trigger == "manual";
    let requester = match trigger {
        "manual" => Some(loop {
            let (who, door) = voter(rng, crowd);
            if !["plugin", "webhook"].contains(&door) && !who.username.is_empty() {
                break who;
            }
        }),
        "webhook" => Some(Who {
            provider: "caller",
            username: CALLER.into(),
            groups: Vec::new(),
        }),
        _ => None,
    };
    let mut annotations = std::collections::BTreeMap::new();
    for (key, likely, good, bad) in [
        (
            "org.opencontainers.image.source",
            92,
            "https://git.example.com/shop/storefront",
            "https://git.example.com.evil.example/shop/storefront",
        ),
        ("team", 93, "shop", "shopping"),
        ("org.opencontainers.image.revision", 60, "0d1f3a", "0d1f3a"),
    ] {
        if rng.chance(likely) {
            let value = if rng.chance(95) { good } else { bad };
            annotations.insert(key.to_owned(), value.to_owned());
        }
    }
    if rng.chance(35) {
        let text = *rng.pick(&[
            "Alice A. <ALICE@git.example.com>",
            "bob@git.example.com, dave@git.example.com",
            "erin@git.example.com.evil.example;carol@git.example.com",
            "alice",
        ]);
        annotations.insert(
            "org.opencontainers.image.authors".to_owned(),
            text.to_owned(),
        );
    }
    let mut proofs = Vec::new();
    for (name, meant) in policy["signers"].as_object().into_iter().flatten() {
        if rng.chance(92) {
            proofs.push((name.clone(), meant.clone()));
        }
    }
    let repository = match rng.below(50) {
        0 => "docker.io/library/nginx",
        1 => "registry.example.com.evil.example/shop/storefront",
        2 => "eu.example.com/shop/tools/storefront",
        _ => "registry.example.com/shop/storefront",
    };
    let tag = match rng.below(40) {
        0 => None,
        1 => Some("main-12"),
        2 => Some("hotfix-3"),
        3 => Some("hotfix-33"),
        4 => Some("v1.5.0-rc1"),
        _ => Some("v1.4.0"),
    };
    let mut checks = vec![("http-smoke".to_owned(), rng.chance(4))];
    if rng.chance(40) {
        checks.push(("load".to_owned(), rng.chance(20)));
    }
    Facts {
        pipeline: "storefront".into(),
        environment: if rng.chance(98) {
            ENVIRONMENT
        } else {
            "nowhere"
        }
        .into(),
        namespace: if rng.chance(98) {
            *rng.pick(&NAMESPACES)
        } else {
            "elsewhere"
        }
        .into(),
        deployment: "storefront".into(),
        trigger,
        requester,
        reason: match rng.below(24) {
            0 => None,
            1 => Some(" ".into()),
            _ => Some("it burns".into()),
        },
        skip_canary: emergency && rng.chance(14),
        break_glass: emergency && rng.chance(25),
        strategy: "canary".into(),
        // The steps of the others are not played here: whether they are let in is.
        router: match rng.below(24) {
            0 => "service",
            1 => "httpRoute",
            2 => "ingressNginx",
            _ => "replicas",
        },
        analyses: if rng.chance(6) {
            vec!["prometheus"]
        } else {
            Vec::new()
        },
        checks,
        repository: repository.into(),
        tag: tag.map(str::to_owned),
        digest: digest('b'),
        annotations,
        proofs,
        succeeded: if rng.chance(92) {
            ["staging".to_owned()].into()
        } else {
            [].into()
        },
        quarantined: rng.chance(2),
    }
}
