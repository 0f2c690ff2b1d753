//! Every route, by everybody (reliability.md I2, P17, attack 20).

use axum::http::{Method, StatusCode};
use serde_json::json;
use sluice_sim::Resource;
use sluice_web::Access;

use crate::ask::Ask;
use crate::sample::{self, NAMESPACE, Site};

/// The routes that anybody may reach. A new one is a decision: it is made here.
const FOR_ANYONE: [&str; 7] = [
    "GET /healthz",
    "GET /readyz",
    "GET /assets/app.css",
    "GET /assets/app.js",
    "GET /assets/icon.svg",
    "GET /sign-in",
    "POST /sign-in",
];

fn site() -> Site {
    let mut site = Site::new(sample::config());
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    site.rollout("holding", sample::spec("v1.1.0", 'b'), &sample::holding());
    site.rollout("paused", sample::spec("v1.1.0", 'b'), &sample::paused());
    site
}

fn path(listed: &sluice_web::Listed) -> String {
    // A rollout to which the action makes sense, so that only rights can be in its way.
    let name = match listed.path.rsplit('/').next() {
        Some("approve" | "reject") => "awaiting",
        Some("resume") => "paused",
        _ => "holding",
    };
    listed
        .path
        .replace("{namespace}", NAMESPACE)
        .replace("{name}", name)
}

fn ask(listed: &sluice_web::Listed) -> Ask {
    let path = path(listed);
    if listed.method == Method::GET {
        return Ask::get(&path);
    }
    if path.starts_with("/api/") {
        return Ask::json(&path, &json!({ "hash": sample::HASH, "reason": "because" }));
    }
    Ask::form(&path, &[("hash", sample::HASH), ("reason", "because")])
}

fn written(site: &Site) -> usize {
    site.cluster.objects(Resource::Approvals, NAMESPACE).len()
        + site.cluster.objects(Resource::Requests, NAMESPACE).len()
}

#[test]
fn only_these_are_for_anyone() {
    let open: Vec<String> = sluice_web::listed()
        .iter()
        .filter(|r| r.access == Access::Anyone)
        .map(|r| format!("{} {}", r.method, r.path))
        .collect();
    assert_eq!(open, FOR_ANYONE);
    for route in sluice_web::listed() {
        let acts = matches!(route.access, Access::May(_));
        assert!(
            !acts || route.method == Method::POST,
            "{} {}",
            route.method,
            route.path
        );
        assert!(route.method != Method::POST || acts || route.path.starts_with("/sign-"));
    }
}

/// The router is made from the table in one place; nothing else adds a route but the port of the
/// probes, whose whole list stands here.
#[test]
fn no_route_beside_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut makers = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            for way in [
                ".route(",
                ".nest(",
                ".merge(",
                ".route_service(",
                ".nest_service(",
            ] {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                makers.extend(text.matches(way).map(|_| format!("{name}{way}")));
            }
        }
    }
    makers.sort();
    assert_eq!(makers, ["probes.rs.route(", "routes.rs.route("]);
    assert_eq!(sluice_web::PROBES, ["/livez", "/readyz", "/metrics"]);
}

#[tokio::test(start_paused = true)]
async fn anonymous_gets_nothing_but_the_door() {
    let site = site();
    for route in sluice_web::listed() {
        if route.access == Access::Anyone {
            continue;
        }
        let answer = ask(&route).send(&site.web).await;
        let led_to_sign_in = answer.status == StatusCode::SEE_OTHER
            && answer.header("location").starts_with("/sign-in?next=");
        let refused = match route.access {
            Access::Reader if !route.path.starts_with("/api/") => {
                led_to_sign_in || answer.status == StatusCode::UNAUTHORIZED
            }
            // Without a token and without an origin: a foreign form before anything else.
            Access::May(_) if route.path.starts_with("/api/") => {
                answer.status == StatusCode::FORBIDDEN
            }
            Access::Anyone | Access::Reader | Access::Person | Access::May(_) => {
                answer.status == StatusCode::UNAUTHORIZED
            }
        };
        assert!(
            refused,
            "{} {}: {}",
            route.method, route.path, answer.status
        );
        assert!(!answer.text.contains("storefront"), "{} leaks", route.path);
    }
    assert_eq!(written(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_for_another_audience_is_no_token() {
    let site = site();
    for audiences in [
        &["https://kubernetes.default.svc"][..],
        &["other"],
        &["sluice "],
    ] {
        let token = site.cluster.mint_token("alice@example.com", audiences);
        for route in sluice_web::listed() {
            if route.access == Access::Anyone {
                continue;
            }
            let answer = ask(&route).bearer(&token).send(&site.web).await;
            let route = format!("{} {}", route.method, route.path);
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route}");
            assert_eq!(answer.code(), "not-signed-in", "{route}");
        }
        let answer = Ask::form("/sign-in", &[("token", &token)])
            .send(&site.web)
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("set-cookie"), "");
    }
    assert_eq!(written(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn a_valid_person_without_the_role_reads_and_nothing_else() {
    let site = site();
    let token = site.token("bob@example.com");
    for route in sluice_web::listed() {
        let name = format!("{} {}", route.method, route.path);
        let answer = match route.access {
            Access::Anyone | Access::Person => continue,
            Access::Reader if route.path == "/events" => continue,
            Access::Reader | Access::May(_) => ask(&route).bearer(&token).send(&site.web).await,
        };
        match route.access {
            // The policy leaves these to anybody whom RBAC lets write a Request.
            Access::May(action) if matches!(action.as_str(), "resume" | "rollback") => {
                assert!(
                    answer.status.is_success() || answer.status.is_redirection(),
                    "{name}"
                );
            }
            Access::May(_) => {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
                assert_eq!(answer.code(), "not-allowed", "{name}");
            }
            Access::Anyone | Access::Reader | Access::Person => {
                assert_eq!(answer.status, StatusCode::OK, "{name}");
            }
        }
    }
    let objects = site.cluster.objects(Resource::Requests, NAMESPACE);
    let mut actions: Vec<&str> = objects
        .iter()
        .map(|o| o["spec"]["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    assert_eq!(actions, ["resume", "rollback"]);
    assert!(
        site.cluster
            .objects(Resource::Approvals, NAMESPACE)
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_valid_person_with_the_role_may_do_everything_of_theirs() {
    for route in sluice_web::listed() {
        if matches!(route.access, Access::Anyone | Access::Person) || route.path == "/events" {
            continue;
        }
        let site = site();
        let token = site.token("alice@example.com");
        let answer = ask(&route).bearer(&token).send(&site.web).await;
        let name = format!("{} {}: {}", route.method, route.path, answer.text);
        match route.access {
            Access::May(_) if route.path.starts_with("/api/") => {
                assert_eq!(answer.status, StatusCode::CREATED, "{name}");
            }
            Access::May(_) => assert_eq!(answer.status, StatusCode::SEE_OTHER, "{name}"),
            Access::Anyone | Access::Reader | Access::Person => {
                assert_eq!(answer.status, StatusCode::OK, "{name}");
            }
        }
        let expected = usize::from(matches!(route.access, Access::May(_)));
        assert_eq!(written(&site), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_whom_rbac_does_not_let_write_may_not() {
    let site = site();
    for resource in ["approvals", "requests"] {
        site.cluster.deny(sluice_sim::Denial {
            user: "alice@example.com".into(),
            verb: "create".into(),
            resource: resource.into(),
            namespace: NAMESPACE.into(),
            ..sluice_sim::Denial::default()
        });
    }
    let token = site.token("alice@example.com");
    for route in sluice_web::listed() {
        if let Access::May(_) = route.access {
            let answer = ask(&route).bearer(&token).send(&site.web).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", route.path);
            assert_eq!(answer.code(), "not-allowed-by-rbac", "{}", route.path);
        }
    }
    assert_eq!(written(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_table_is_not_there() {
    let site = site();
    let token = site.token("alice@example.com");
    for path in [
        "/metrics",
        "/api/v1/",
        "/rollouts",
        "/assets/",
        "/assets/../src",
        "/api/v2/x",
    ] {
        let answer = Ask::get(path).bearer(&token).send(&site.web).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    for route in sluice_web::listed()
        .iter()
        .filter(|r| matches!(r.access, Access::May(_)))
    {
        for method in [
            Method::GET,
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::OPTIONS,
        ] {
            let answer = ask(route)
                .method(method.clone())
                .bearer(&token)
                .send(&site.web)
                .await;
            assert_eq!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {}",
                route.path
            );
        }
    }
    assert_eq!(written(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn open_for_reading_is_open_for_reading_only() {
    let mut config = sample::config();
    config.public_read = true;
    let mut site = Site::new(config);
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    site.rollout("holding", sample::spec("v1.1.0", 'b'), &sample::holding());
    site.rollout("paused", sample::spec("v1.1.0", 'b'), &sample::paused());
    for route in sluice_web::listed() {
        let name = format!("{} {}", route.method, route.path);
        if route.path == "/events" {
            continue;
        }
        let answer = ask(&route).send(&site.web).await;
        match route.access {
            Access::Reader => assert_eq!(answer.status, StatusCode::OK, "{name}"),
            Access::Person | Access::May(_) => assert!(answer.status.is_client_error(), "{name}"),
            Access::Anyone => {}
        }
    }
    // A wrong token is an error even there.
    let answer = Ask::get("/").bearer("nothing").send(&site.web).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(written(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn every_answer_carries_the_headers() {
    let site = site();
    let token = site.token("alice@example.com");
    let asks = [
        Ask::get("/healthz"),
        Ask::get("/nowhere"),
        Ask::get("/").bearer(&token),
        Ask::get("/").header("host", "evil.example"),
        Ask::get("/api/v1/pipelines"),
        Ask::get("/assets/app.js"),
        Ask::form("/rollouts/delivery/holding/abort", &[]),
    ];
    for ask in asks {
        let answer = ask.send(&site.web).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_ne!(answer.header("cache-control"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}
