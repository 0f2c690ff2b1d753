//! The OpenAPI document: every route and no other, the copy in docs, and real answers against it.

use std::sync::Arc;

use axum::http::StatusCode;
use boon::{Compiler, Schemas};
use serde_json::{Value, json};

use crate::ask::{Answer, Ask};
use crate::machine::{self, Behind, signature};
use crate::sample::{self, HASH, NAMESPACE, Site};

const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
const AT: &str = "https://sluice.example.com/openapi.json";

fn document() -> Value {
    serde_json::from_str(sluice_web::openapi()).unwrap()
}

#[test]
fn the_copy_in_docs_is_this_one() {
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(COPY, sluice_web::openapi()).unwrap();
    }
    let copy = std::fs::read_to_string(COPY).unwrap_or_default();
    assert!(
        copy == sluice_web::openapi(),
        "docs/openapi.json is old: UPDATE=1 cargo test -p sluice-web openapi"
    );
}

#[test]
fn every_route_is_in_it_and_nothing_else() {
    let mut written: Vec<String> = document()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |m| format!("{} {path}", m.to_uppercase()))
        })
        .collect();
    let mut listed: Vec<String> = sluice_web::listed()
        .iter()
        .map(|r| format!("{} {}", r.method, r.path))
        .collect();
    written.sort();
    listed.sort();
    assert_eq!(written, listed);
}

#[tokio::test(start_paused = true)]
async fn it_is_served_to_anybody() {
    let answer = Ask::get("/openapi.json")
        .send(&Site::new(sample::config()).web)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), document());
    assert_eq!(answer.json()["openapi"], "3.1.0");
}

/// The document, with every object closed: a field that the schema does not know is found, too.
fn strict(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(strict);
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("unevaluatedProperties".into(), json!(false));
            }
        }
        Value::Array(all) => all.iter_mut().for_each(strict),
        _ => {}
    }
}

/// Schemas of operations.
struct Judge {
    document: Value,
}

impl Judge {
    fn new() -> Self {
        let mut document = document();
        strict(&mut document);
        // What another schema takes in is closed by that one alone.
        Self { document }
    }

    fn check(&self, pointer: &str, instance: &Value) -> Result<(), String> {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(AT, self.document.clone()).unwrap();
        let index = compiler
            .compile(&format!("{AT}#{pointer}"), &mut schemas)
            .map_err(|e| format!("{pointer}: {e:#}"))?;
        schemas
            .validate(instance, index)
            .map_err(|e| format!("{e:#}"))
    }

    fn answer(&self, method: &str, path: &str, answer: &Answer) {
        let status = answer.status.as_u16();
        let key = path.replace('~', "~0").replace('/', "~1");
        let operation = format!("/paths/{key}/{method}");
        assert!(self.document.pointer(&operation).is_some(), "{operation}");
        let named = format!("{operation}/responses/{status}");
        let place = match self.document.pointer(&named) {
            Some(_) => named,
            None => format!("{operation}/responses/default"),
        };
        let schema = format!("{place}/content/application~1json/schema");
        let encoded = schema.replace('{', "%7B").replace('}', "%7D");
        if let Err(why) = self.check(&encoded, &answer.json()) {
            panic!("{method} {path} {status}: {why}\n{}", answer.text);
        }
    }

    fn body(&self, path: &str, body: &Value) -> Result<(), String> {
        let key = path.replace('/', "~1");
        let pointer = format!("/paths/{key}/post/requestBody/content/application~1json/schema");
        self.check(&pointer.replace('{', "%7B").replace('}', "%7D"), body)
    }
}

fn full() -> (Site, Arc<Behind>) {
    let behind = Arc::new(Behind {
        secrets: [("ci/jenkins".to_owned(), b"a secret of jenkins".to_vec())].into(),
        ..Behind::default()
    });
    let policy = format!(
        "{}callers:\n  jenkins: {{hmac: {{secret: ci/jenkins}}, pipelines: [storefront], \
         environments: [staging]}}\n",
        sample::POLICY
    );
    let mut site = machine::site(sample::config(), &behind, &policy);
    for (name, journal) in sample::every_state() {
        let made = site.rollout(name, sample::spec("v1.1.0", 'b'), &journal);
        if name == "awaiting" {
            site.vote("vote-1", &made, "alice@example.com", HASH);
            site.vote("vote-2", &made, "bob@example.com", HASH);
        }
    }
    (site, behind)
}

#[tokio::test(start_paused = true)]
async fn real_answers_are_what_it_says() {
    let (site, _) = full();
    let judge = Judge::new();
    let token = site.token("alice@example.com");
    for (template, paths) in [
        ("/api/v1/pipelines", vec!["/api/v1/pipelines".to_owned()]),
        ("/api/v1/quarantine", vec!["/api/v1/quarantine".to_owned()]),
        ("/api/v1/refusals", vec!["/api/v1/refusals".to_owned()]),
        (
            "/api/v1/rollouts",
            vec![
                "/api/v1/rollouts".to_owned(),
                "/api/v1/rollouts?limit=x".to_owned(),
            ],
        ),
        (
            "/api/v1/rollouts/{namespace}/{name}",
            sample::every_state()
                .iter()
                .map(|(name, _)| *name)
                .chain(["nowhere"])
                .map(|name| format!("/api/v1/rollouts/{NAMESPACE}/{name}"))
                .collect(),
        ),
    ] {
        for path in paths {
            for ask in [Ask::get(&path).bearer(&token), Ask::get(&path)] {
                judge.answer("get", template, &ask.send(&site.web).await);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_that_it_allows_are_taken() {
    let judge = Judge::new();
    let version = json!({ "environment": "production", "tag": "v1.0.9", "reason": "because" });
    for (template, rollout, body) in [
        (
            "/api/v1/rollouts/{namespace}/{name}/approve",
            "awaiting",
            json!({ "hash": HASH }),
        ),
        (
            "/api/v1/rollouts/{namespace}/{name}/reject",
            "awaiting",
            json!({ "hash": HASH, "reason": "no" }),
        ),
        (
            "/api/v1/rollouts/{namespace}/{name}/abort",
            "holding",
            json!({ "reason": "no" }),
        ),
        (
            "/api/v1/rollouts/{namespace}/{name}/promote",
            "holding",
            json!({}),
        ),
        (
            "/api/v1/pipelines/{namespace}/{name}/deploy",
            "storefront",
            json!({
            "environment": "production", "tag": "v1.2.0", "reason": "x", "dryRun": true }),
        ),
        (
            "/api/v1/pipelines/{namespace}/{name}/retry",
            "storefront",
            version.clone(),
        ),
        (
            "/api/v1/pipelines/{namespace}/{name}/lift",
            "storefront",
            version,
        ),
        (
            "/api/v1/namespaces/{namespace}/stop",
            "",
            json!({
            "reason": "the database is down", "until": sample::after(600) }),
        ),
        (
            "/api/v1/namespaces/{namespace}/start",
            "",
            json!({ "reason": "it is up" }),
        ),
    ] {
        judge.body(template, &body).unwrap();
        let (site, _) = full();
        let path = template
            .replace("{namespace}", NAMESPACE)
            .replace("{name}", rollout);
        let ask = || Ask::json(&path, &body).bearer(&site.token("alice@example.com"));
        let answer = ask().send(&site.web).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{path}: {}",
            answer.text
        );
        judge.answer("post", template, &answer);
        let refused = Ask::json(&path, &body).bearer(&site.token("bob@example.com"));
        judge.answer("post", template, &refused.send(&site.web).await);
    }
    let (site, _) = full();
    let hint = "/v1/hooks/registry/{sender}";
    let answer = Ask::json("/v1/hooks/registry/x", &json!({ "repository": "a/b" }));
    judge.answer("post", hint, &answer.send(&site.web).await);
    let ci = "/v1/hooks/ci/{namespace}/{pipeline}/{environment}";
    let body = json!({ "tag": "v1.2.0" });
    judge.body(ci, &body).unwrap();
    let header = signature(b"a secret of jenkins", sample::now(), &body.to_string());
    let ask = Ask::json("/v1/hooks/ci/delivery/storefront/staging", &body);
    let answer = ask
        .header("x-sluice-signature", &header)
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    judge.answer("post", ci, &answer);
}

/// What a schema would let pass that checks nothing.
#[test]
fn the_judge_can_say_no() {
    let judge = Judge::new();
    let schema = "/components/schemas/Done";
    let good = json!({ "object": "requests/x", "by": "alice", "repeated": false });
    judge.check(schema, &good).unwrap();
    for (name, value) in [
        ("by", json!(7)),
        ("more", json!("x")),
        ("repeated", json!("no")),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(judge.check(schema, &bad).is_err(), "{bad}");
    }
    let body = json!({ "hash": 7 });
    assert!(
        judge
            .body("/api/v1/rollouts/{namespace}/{name}/approve", &body)
            .is_err()
    );
    let empty = json!({ "hash": HASH });
    assert!(
        judge
            .body("/api/v1/rollouts/{namespace}/{name}/reject", &empty)
            .is_err()
    );
}
