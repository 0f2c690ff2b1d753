//! Every route, by everybody (reliability.md I2, P17, attack 20).

use std::path::PathBuf;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sluice_sim::Resource;
use sluice_web::Access;

use crate::ask::{Answer, Ask};
use crate::sample::{self, NAMESPACE, Site};

/// The routes that anybody may reach. A new one is a decision: it is made here.
const FOR_ANYONE: [&str; 10] = [
    "GET /healthz",
    "GET /readyz",
    "GET /assets/app.css",
    "GET /assets/app.js",
    "GET /assets/icon.svg",
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/oidc",
    "GET /sign-in/oidc/callback",
    "GET /openapi.json",
];

/// And those that machines reach, by a proof of their own. None of them approves; a caller has this
/// one way in, and it only proposes.
const FOR_MACHINES: [(&str, Access); 3] = [
    ("POST /v1/hooks/registry/{sender}", Access::Hint),
    (
        "POST /v1/hooks/ci/{namespace}/{pipeline}/{environment}",
        Access::Caller,
    ),
    ("POST /v1/callbacks/{plugin}", Access::Callback),
];

fn is_for_machines(access: Access) -> bool {
    matches!(access, Access::Hint | Access::Caller | Access::Callback)
}

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
        .replace(
            "{name}",
            if listed.path.contains("/pipelines/") {
                "storefront"
            } else {
                name
            },
        )
        .replace("{sender}", "registry")
        .replace("{pipeline}", "storefront")
        .replace("{environment}", "production")
        .replace("{plugin}", "slack-approval")
}

/// A body with which each call of the API makes sense.
fn body(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("approve" | "reject") => json!({ "hash": sample::HASH, "reason": "because" }),
        Some("deploy" | "retry" | "lift") => {
            json!({ "environment": "production", "tag": "v1.0.9", "reason": "because" })
        }
        _ if path.starts_with("/v1/hooks/ci/") => json!({ "tag": "v1.1.0" }),
        _ if path.starts_with("/v1/") => json!({ "repository": "shop/storefront" }),
        _ => json!({ "reason": "because" }),
    }
}

fn ask(listed: &sluice_web::Listed) -> Ask {
    let path = path(listed);
    if listed.method == Method::GET {
        return Ask::get(&path);
    }
    if path.starts_with("/api/") || path.starts_with("/v1/") {
        return Ask::json(&path, &body(&path));
    }
    Ask::form(&path, &[("hash", sample::HASH), ("reason", "because")])
}

/// What machines are told that bring what people bring, or nothing.
fn check_machine(access: Access, answer: &Answer, route: &str) {
    let (status, code) = match access {
        // A hint may come from anybody here. It is no more than that: nothing is written.
        Access::Hint => (StatusCode::ACCEPTED, ""),
        Access::Caller => (StatusCode::UNAUTHORIZED, "not-proven"),
        Access::Callback => (StatusCode::NOT_FOUND, "callback-refused"),
        Access::Anyone | Access::Reader | Access::Person | Access::May(_) => {
            panic!("{route} is for people")
        }
    };
    assert_eq!(answer.status, status, "{route}: {}", answer.text);
    assert_eq!(answer.code(), code, "{route}");
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
        let form = route.path.starts_with("/sign-");
        let machine = is_for_machines(route.access);
        assert!(route.method != Method::POST || acts || form || machine);
    }
    let machines: Vec<(String, Access)> = sluice_web::listed()
        .iter()
        .filter(|r| is_for_machines(r.access))
        .map(|r| (format!("{} {}", r.method, r.path), r.access))
        .collect();
    assert_eq!(
        machines,
        FOR_MACHINES.map(|(path, access)| (path.to_owned(), access))
    );
}

/// The router is made from the table in one place; nothing else adds a route but the port of the
/// probes, whose whole list stands here.
#[test]
fn no_route_beside_the_table() {
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut makers = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
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
        if is_for_machines(route.access) {
            check_machine(route.access, &answer, route.path);
            continue;
        }
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
            Access::Anyone
            | Access::Reader
            | Access::Person
            | Access::May(_)
            | Access::Hint
            | Access::Caller
            | Access::Callback => answer.status == StatusCode::UNAUTHORIZED,
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
            if is_for_machines(route.access) {
                check_machine(route.access, &answer, route.path);
                continue;
            }
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

/// What the policy of the sample leaves to anybody whom RBAC lets write a Request.
const ANYBODY: [&str; 4] = ["deploy", "resume", "rollback", "stop"];

#[tokio::test(start_paused = true)]
async fn a_valid_person_without_the_role_reads_and_nothing_else() {
    let site = site();
    let token = site.token("bob@example.com");
    for route in sluice_web::listed() {
        let name = format!("{} {}", route.method, route.path);
        let answer = match route.access {
            Access::Anyone | Access::Person => continue,
            Access::Reader if route.path == "/events" => continue,
            Access::Reader | Access::May(_) | Access::Hint | Access::Caller | Access::Callback => {
                ask(&route).bearer(&token).send(&site.web).await
            }
        };
        match route.access {
            Access::May(action) if ANYBODY.contains(&action.as_str()) => {
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
            // A person's token proves no machine.
            Access::Hint | Access::Caller | Access::Callback => {
                check_machine(route.access, &answer, &name);
            }
        }
    }
    let objects = site.cluster.objects(Resource::Requests, NAMESPACE);
    let mut actions: Vec<&str> = objects
        .iter()
        .map(|o| o["spec"]["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    assert_eq!(actions, ANYBODY);
    assert!(
        site.cluster
            .objects(Resource::Approvals, NAMESPACE)
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_valid_person_with_the_role_may_do_everything_of_theirs() {
    for route in sluice_web::listed() {
        let people = matches!(route.access, Access::Reader | Access::May(_));
        if !people || route.path == "/events" {
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
            Access::Anyone
            | Access::Reader
            | Access::Person
            | Access::Hint
            | Access::Caller
            | Access::Callback => {
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
        // A caller proposes, and that is all: these doors do not exist.
        "/v1/hooks/ci/delivery/storefront/production/approve",
        "/v1/hooks/approve",
        "/v1/callbacks/slack-approval/approve",
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
            Access::Hint | Access::Caller | Access::Callback => {
                check_machine(route.access, &answer, &name);
            }
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
