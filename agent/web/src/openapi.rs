//! The OpenAPI document: made from the table of routes, so that neither knows a route that the other
//! does not. What comes back is described by the types that are sent; docs/openapi.json is a copy
//! that a test compares.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use sluice_core::authorize::Action;

use crate::act::Done;
use crate::api::{Pipelines, QuarantineList, RefusalList, Rollouts};
use crate::hook::{Proposed, Taken};
use crate::problem::Refusal;
use crate::routes::{Access, Endpoint, Route};
use crate::view::RolloutView;

/// Where the document is.
pub(crate) const PATH: &str = "/openapi.json";

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
});

/// The document, as it is sent.
pub fn text() -> &'static str {
    &TEXT
}

pub(crate) fn response() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

/// What a route takes beside its path.
enum Takes {
    Nothing,
    /// Names and meanings of what may stand in the query.
    Query(&'static [(&'static str, &'static str)]),
    Form(&'static [&'static str]),
    Json(Value),
    /// A body that others define.
    Foreign(&'static str),
}

/// What a route gives where all goes well.
enum Gives {
    /// A text or a page, by its media type.
    Text(&'static str),
    /// A way to another page.
    SeeOther,
    /// A document, by its schema.
    Document(&'static str, Value),
    /// A record of what was written: 201, or 200 where it was there.
    Done(Value),
}

struct Operation {
    summary: String,
    takes: Takes,
    gives: Gives,
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|s| s.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let refusal = schema::<Refusal>(&mut schemas);
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in crate::routes::ROUTES {
        let method = if route.changes { "post" } else { "get" };
        let operation = write(route, describe(route.endpoint, &mut schemas), &refusal);
        let place = paths.entry(route.path).or_default();
        place.insert(method.to_owned(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": "v1",
            "summary": "What is deployed, what waits and why; votes, wishes and proposals.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description":
                    "A Kubernetes token made for the agent's audience." },
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-sluice", "description":
                    "A session of the page. Changes then carry the header x-sluice-csrf." },
                "registrySignature": { "type": "apiKey", "in": "header",
                    "name": "x-hub-signature-256", "description":
                    "sha256=<hex of HMAC-SHA256 over the body>, where the sender has a secret." },
                "callerSignature": { "type": "apiKey", "in": "header",
                    "name": "x-sluice-signature", "description":
                    "t=<unix seconds>,v1=<hex of HMAC-SHA256 over \"t.body\">, at most 300 s old, \
                     each once." },
                "callerToken": { "type": "http", "scheme": "bearer", "description":
                    "A token of the caller's OpenID Connect issuer: its audience is this agent's \
                     address, its claims are those of the policy, it is at most 10 minutes old, and \
                     its jti is used once." },
            },
        },
    })
}

fn schema<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    schemas.subschema_for::<T>().to_value()
}

fn write(route: &Route, operation: Operation, refusal: &Value) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true,
                    "schema": { "type": "string" } })
        })
        .collect();
    let mut out = json!({
        "summary": operation.summary,
        "security": security(route.access),
        "responses": { "default": {
            "description": "Refused or failed: what happened, and what to do. A page where a browser asks.",
            "content": { "application/json": { "schema": refusal } },
        }},
    });
    let content = |kind: &str, schema: Value| json!({ kind: { "schema": schema } });
    match operation.takes {
        Takes::Nothing => {}
        Takes::Query(all) => parameters.extend(all.iter().map(|(name, meaning)| {
            json!({ "name": name, "in": "query", "description": meaning,
                    "schema": { "type": "string" } })
        })),
        Takes::Form(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|f| ((*f).to_owned(), json!({ "type": "string" })))
                .collect();
            let schema = json!({ "type": "object", "properties": fields });
            set(
                &mut out,
                "requestBody",
                json!({
                    "required": true,
                    "content": content("application/x-www-form-urlencoded", schema),
                }),
            );
        }
        Takes::Json(schema) => set(
            &mut out,
            "requestBody",
            json!({
                "content": content("application/json", schema),
            }),
        ),
        Takes::Foreign(what) => set(
            &mut out,
            "requestBody",
            json!({
                "required": true, "description": what, "content": content("*/*", json!(true)),
            }),
        ),
    }
    if !parameters.is_empty() {
        set(&mut out, "parameters", json!(parameters));
    }
    let mut answer = |status: &str, description: &str, content: Option<Value>| {
        if let Some(responses) = out.get_mut("responses") {
            let mut response = json!({ "description": description });
            if let Some(content) = content {
                set(&mut response, "content", content);
            }
            set(responses, status, response);
        }
    };
    match operation.gives {
        Gives::Text(kind) => {
            let schema = json!({ "type": "string" });
            answer("200", "Done.", Some(content(kind, schema)));
        }
        Gives::SeeOther => answer("303", "Go on at the address of the header Location.", None),
        Gives::Document(status, schema) => {
            answer(status, "Done.", Some(content("application/json", schema)));
        }
        Gives::Done(schema) => {
            let json = content("application/json", schema);
            answer(
                "201",
                "Recorded. The agent acts on it now.",
                Some(json.clone()),
            );
            answer("200", "The same was recorded before.", Some(json));
        }
    }
    out
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone | Access::Callback => json!([]),
        Access::Reader | Access::Person | Access::May(_) => {
            json!([{ "token": [] }, { "session": [] }])
        }
        Access::Hint => json!([{}, { "registrySignature": [] }]),
        Access::Caller => json!([{ "callerSignature": [] }, { "callerToken": [] }]),
    }
}

/// What each endpoint is for. A new one is described here, or it does not compile.
fn describe(endpoint: Endpoint, schemas: &mut SchemaGenerator) -> Operation {
    let page = || Gives::Text("text/html");
    let plain = || Gives::Text("text/plain");
    let (summary, takes, gives) = match endpoint {
        Endpoint::Healthz => ("Whether the page is served.", Takes::Nothing, plain()),
        Endpoint::Readyz => ("Whether everything was seen once.", Takes::Nothing, plain()),
        Endpoint::Asset(asset) => (
            "A file of the page.",
            Takes::Nothing,
            Gives::Text(asset.media_type()),
        ),
        Endpoint::SignInForm => ("How to sign in.", Takes::Query(NEXT), page()),
        Endpoint::SignIn => (
            "Signs in with a Kubernetes token.",
            Takes::Form(&["token", "next"]),
            Gives::SeeOther,
        ),
        Endpoint::SignOut => ("Ends the session.", Takes::Form(&["csrf"]), Gives::SeeOther),
        Endpoint::OidcBegin => (
            "Leads to the identity provider.",
            Takes::Query(NEXT),
            Gives::SeeOther,
        ),
        Endpoint::OidcFinish => (
            "Signs in whoever comes back from the identity provider.",
            Takes::Query(&[
                ("code", "What the provider gives for the token."),
                ("state", "What ties it to the browser that began."),
                ("iss", "The provider, where it says so."),
                ("error", "Why the provider did not sign in."),
            ]),
            Gives::SeeOther,
        ),
        Endpoint::OpenApi => (
            "This document.",
            Takes::Nothing,
            Gives::Document("200", json!({ "type": "object" })),
        ),
        Endpoint::RegistryHook => (
            "A hint that a repository may hold something new. Only names of repositories are taken out \
             of it; the agent looks for itself, at what its Pipelines watch. The sender is any name, \
             or one of those that the agent is set up with.",
            Takes::Foreign(
                "The event of a registry, as JSON of at most 256 KiB: CNCF distribution, Docker Hub, \
                 Harbor, Quay, GitHub Packages, or {\"repository\": \"…\"}.",
            ),
            Gives::Document("202", schema::<Taken>(schemas)),
        ),
        Endpoint::CiHook => (
            "Proposes a version, in the name of one of the policy's callers. It is judged like a \
             person's wish, and approves nothing.",
            Takes::Json(proposal()),
            Gives::Document("202", schema::<Proposed>(schemas)),
        ),
        Endpoint::Callback => (
            "What somebody decided elsewhere, signed as the operator's grant for the plugin says.",
            Takes::Foreign("The callback, byte for byte, of at most 256 KiB."),
            plain(),
        ),
        Endpoint::Overview => ("All pipelines.", Takes::Nothing, page()),
        Endpoint::OverviewFragment => ("The overview's inner part.", Takes::Nothing, page()),
        Endpoint::Rollout => (
            "One rollout.",
            Takes::Query(&[("done", "What was done just now.")]),
            page(),
        ),
        Endpoint::RolloutFragment => ("The inner part of its page.", Takes::Nothing, page()),
        Endpoint::Events => (
            "Tells that something changed, as server-sent events. They carry no content.",
            Takes::Nothing,
            Gives::Text("text/event-stream"),
        ),
        Endpoint::Act(action) => {
            return Operation {
                summary: sentence(action),
                takes: Takes::Form(&["csrf", "hash", "reason", "seen"]),
                gives: Gives::SeeOther,
            };
        }
        Endpoint::ApiPipelines => (
            "All pipelines with their environments.",
            Takes::Nothing,
            Gives::Document("200", schema::<Pipelines>(schemas)),
        ),
        Endpoint::ApiRollouts => (
            "Rollouts, newest first.",
            Takes::Query(&[
                ("pipeline", "Only of this pipeline."),
                ("environment", "Only to this environment."),
                ("namespace", "Only of this namespace."),
                ("limit", "How many, from 1 to 500. Default: 100."),
            ]),
            Gives::Document("200", schema::<Rollouts>(schemas)),
        ),
        Endpoint::ApiRollout => (
            "Everything about one rollout, and what you may do to it.",
            Takes::Nothing,
            Gives::Document("200", schema::<RolloutView>(schemas)),
        ),
        Endpoint::ApiQuarantine => (
            "Every version in quarantine, and why.",
            Takes::Nothing,
            Gives::Document("200", schema::<QuarantineList>(schemas)),
        ),
        Endpoint::ApiRefusals => (
            "Candidates and wishes that were refused, with every reason.",
            Takes::Nothing,
            Gives::Document("200", schema::<RefusalList>(schemas)),
        ),
        Endpoint::ApiAct(action)
        | Endpoint::ApiPipelineAct(action)
        | Endpoint::ApiGlobalAct(action) => {
            return Operation {
                summary: sentence(action),
                takes: Takes::Json(wish(action)),
                gives: Gives::Done(schema::<Done>(schemas)),
            };
        }
    };
    Operation {
        summary: summary.to_owned(),
        takes,
        gives,
    }
}

const NEXT: &[(&str, &str)] = &[("next", "A page of ours to go to afterwards.")];

fn sentence(action: Action) -> String {
    let text = match action {
        Action::Approve => "Votes yes on what a rollout would change.",
        Action::Reject => "Votes no on what a rollout would change. It ends.",
        Action::Abort => "Stops a rollout, and puts the stable version back.",
        Action::Rollback => "Puts the version before back.",
        Action::Pause => "Starts no further step.",
        Action::Resume => "Goes on after a pause.",
        Action::Promote => "Goes on before the step's time, or opens its gate.",
        Action::Deploy => {
            "Asks for a version in an environment. An Idempotency-Key makes several tries one wish."
        }
        Action::Retry => "Lets triggers propose a version again that ended badly.",
        Action::LiftQuarantine => "Takes a version out of quarantine.",
        Action::Stop => "Holds everything but rollbacks, everywhere.",
        Action::Start => "Lifts the global stop.",
        Action::SkipCanary | Action::BreakGlass | Action::Drill => "",
    };
    text.to_owned()
}

fn text_field(meaning: &str, longest: u32) -> Value {
    json!({ "type": "string", "description": meaning, "maxLength": longest })
}

fn object(fields: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": fields, "required": required })
}

fn reason() -> Value {
    text_field("For those who read this later.", 500)
}

/// The body of an action.
fn wish(action: Action) -> Value {
    let environment = text_field("The environment's name in the Pipeline.", 63);
    let tag = text_field("The version's tag.", 128);
    let digest = text_field("Or its digest.", 71);
    let flag = |meaning: &str| json!({ "type": "boolean", "description": meaning });
    match action {
        Action::Approve | Action::Reject => {
            let hash = text_field("The approval hash that was looked at.", 64);
            let fields = json!({ "hash": hash, "reason": reason() });
            object(
                fields,
                if action == Action::Reject {
                    &["hash", "reason"]
                } else {
                    &["hash"]
                },
            )
        }
        Action::Abort | Action::Rollback | Action::Pause | Action::Resume | Action::Promote => {
            let seen = text_field("The newest wish that was seen as acted on.", 63);
            object(json!({ "reason": reason(), "seen": seen }), &[])
        }
        Action::Deploy => object(
            json!({
                "environment": environment, "tag": tag, "digest": digest, "reason": reason(),
                "skipCanary": flag("All traffic at once. Needs a reason, and whom the policy names."),
                "breakGlass": flag("No window, timer or usual approval. Needs a reason, and whom the policy names."),
                "dryRun": flag("Show what would happen, and change nothing."),
            }),
            &["environment"],
        ),
        Action::Retry => object(
            json!({ "environment": environment, "tag": tag, "digest": digest, "reason": reason() }),
            &["environment"],
        ),
        Action::LiftQuarantine => object(
            json!({ "environment": environment, "tag": tag, "digest": digest, "reason": reason() }),
            &["environment", "reason"],
        ),
        Action::Stop => {
            let until = json!({ "type": "string", "format": "date-time",
                                "description": "When it lifts by itself." });
            object(json!({ "reason": reason(), "until": until }), &["reason"])
        }
        Action::Start => object(json!({ "reason": reason() }), &["reason"]),
        Action::SkipCanary | Action::BreakGlass | Action::Drill => json!(true),
    }
}

fn proposal() -> Value {
    let mut body = object(
        json!({
            "tag": text_field("The version's tag.", 128),
            "digest": text_field("Or its digest.", 71),
            "reason": reason(),
        }),
        &[],
    );
    set(&mut body, "additionalProperties", json!(false));
    body
}
