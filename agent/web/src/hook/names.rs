//! The repositories that an event of a registry is about. Nothing else is taken out of it: no tag, no
//! digest, no address to go to (attack 24). Known are the events of the CNCF registry (Docker
//! Distribution), Docker Hub, Harbor, Quay and GitHub Packages, and a plain `{"repository": …}`.

use std::collections::BTreeSet;

use serde_json::Value;

/// Repositories of one body at most. Registries send one to a handful.
const LIMIT: usize = 20;
/// Longest name of a repository.
const NAME_LIMIT: usize = 255;

/// Where a single event names its repository, as JSON pointers.
const PLACES: [&str; 8] = [
    // A plain body, and Quay's short form.
    "/repository",
    // Quay: with the host.
    "/docker_url",
    // Docker Hub.
    "/repository/repo_name",
    // Harbor: without the host; its resources have it.
    "/event_data/repository/repo_full_name",
    // GitHub Packages, under both of its names.
    "/registry_package/package_version/package_url",
    "/package/package_version/package_url",
    "/package/package_url",
    "/registry_package/package_url",
];

/// All repositories that the body names, without tags and digests.
pub(super) fn repositories(body: &Value) -> BTreeSet<String> {
    let text = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_str).and_then(name);
    let list = |at: &str| {
        let found = body.pointer(at).and_then(Value::as_array);
        found.into_iter().flatten().take(LIMIT)
    };
    let mut found: Vec<String> = PLACES.iter().filter_map(|at| text(body, at)).collect();
    for event in list("/events") {
        // The CNCF registry: the host that was pushed to, and the name there.
        let Some(repository) = text(event, "/target/repository") else {
            continue;
        };
        let host = event.pointer("/request/host").and_then(Value::as_str);
        found.extend(host.and_then(|host| name(&format!("{host}/{repository}"))));
        found.push(repository);
    }
    for resource in list("/event_data/resources") {
        found.extend(text(resource, "/resource_url"));
    }
    for kind in ["registry_package", "package"] {
        let part = |name: &str| {
            let at = format!("/{kind}/{name}");
            body.pointer(&at).and_then(Value::as_str).map(str::to_owned)
        };
        if let (Some(owner), Some(package)) = (part("namespace"), part("name")) {
            found.extend(name(&format!("{owner}/{package}")));
        }
    }
    found.into_iter().take(LIMIT).collect()
}

/// A name as a registry writes it, without scheme, tag and digest; nothing else passes.
fn name(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("https://").unwrap_or(&text);
    let text = text.split('@').next().unwrap_or_default();
    // A colon in the last part begins a tag; one before is the host's port.
    let text = match text.rsplit_once(':') {
        Some((before, after)) if !after.contains('/') => before,
        Some(_) | None => text,
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:".contains(&b);
    let parts_fine = text.split('/').all(|part| !part.is_empty());
    (text.len() <= NAME_LIMIT && parts_fine && text.bytes().all(plain)).then(|| text.to_owned())
}

/// Whether a hint may be about a watched repository: the same, or the same without its host.
pub(super) fn fits(watched: &str, hint: &str) -> bool {
    watched
        .strip_suffix(hint)
        .is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(body: &Value) -> Vec<String> {
        repositories(body).into_iter().collect()
    }

    #[test]
    fn the_events_of_each_registry() {
        let distribution = json!({ "events": [
            { "action": "push", "target": { "repository": "shop/storefront", "tag": "v1",
              "digest": "sha256:0", "url": "http://10.0.0.1/v2/shop/storefront/manifests/x" },
              "request": { "host": "registry.example.com:5000" } },
            { "action": "pull", "target": { "repository": "shop/cart" } },
        ]});
        assert_eq!(
            of(&distribution),
            [
                "registry.example.com:5000/shop/storefront",
                "shop/cart",
                "shop/storefront"
            ]
        );
        let hub = json!({ "push_data": { "tag": "v1" }, "callback_url": "https://evil.example/",
            "repository": { "repo_name": "shop/storefront", "name": "storefront" } });
        assert_eq!(of(&hub), ["shop/storefront"]);
        let harbor = json!({ "type": "PUSH_ARTIFACT", "event_data": {
            "resources": [{ "tag": "v1",
                "resource_url": "harbor.example.com/shop/storefront:v1" }],
            "repository": { "repo_full_name": "shop/storefront", "namespace": "shop" } } });
        assert_eq!(
            of(&harbor),
            ["harbor.example.com/shop/storefront", "shop/storefront"]
        );
        let quay = json!({ "repository": "shop/storefront", "namespace": "shop",
            "docker_url": "quay.example.com/shop/storefront", "updated_tags": ["v1"] });
        assert_eq!(
            of(&quay),
            ["quay.example.com/shop/storefront", "shop/storefront"]
        );
        let github = json!({ "action": "published", "registry_package": {
            "name": "storefront", "namespace": "shop", "package_type": "CONTAINER",
            "package_version": { "package_url": "ghcr.example.com/shop/storefront:v1" } },
            "repository": { "full_name": "shop/code" } });
        assert_eq!(
            of(&github),
            ["ghcr.example.com/shop/storefront", "shop/storefront"]
        );
        assert_eq!(
            of(&json!({ "repository": "shop/storefront", "tag": "v1" })),
            ["shop/storefront"]
        );
    }

    #[test]
    fn what_is_no_name_is_nothing() {
        for body in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "repository": 7 }),
            json!({ "repository": "" }),
            json!({ "repository": "a//b" }),
            json!({ "repository": "../../etc/passwd\n" , "events": {} }),
            json!({ "repository": "x".repeat(300) }),
            json!({ "repository": "<script>" }),
            json!({ "events": [1, "x", { "target": 1 }] }),
        ] {
            let found = of(&body);
            assert!(found.iter().all(|n| !n.contains('<')), "{body}: {found:?}");
            assert!(
                found.is_empty() || found == ["../../etc/passwd"],
                "{body}: {found:?}"
            );
        }
        let many: Vec<Value> = (0..1000)
            .map(|n| json!({ "target": { "repository": format!("r{n}") } }))
            .collect();
        assert_eq!(of(&json!({ "events": many })).len(), LIMIT);
    }

    #[test]
    fn a_hint_fits_with_or_without_the_host() {
        let watched = "registry.example.com/shop/storefront";
        assert!(fits(watched, watched));
        assert!(fits(watched, "shop/storefront"));
        assert!(fits(watched, "storefront"));
        assert!(!fits(watched, "op/storefront"));
        assert!(!fits(watched, "other.example.com/shop/storefront"));
        assert!(!fits(watched, "shop/storefront/x"));
    }
}
