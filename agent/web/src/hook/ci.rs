//! Proposals of CI services: signed with a shared secret, or with a token of the service's own issuer
//! (reliability.md I5, I6). They become Requests in the caller's name, which the engine judges like a
//! person's. There is no other route for callers: none approves.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use kube::{Api, ResourceExt as _};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sluice_cluster::crd::{Request, RequestAction, RequestBody};
use sluice_core::approval::Channel;
use sluice_core::authorize::Action;
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::policy::{Caller, Identity, IdentityProvider, Policy};

use super::signature::{Timed, single};
use super::{raw, unproven};
use crate::app::App;
use crate::jwt::{TokenFault, Unverified, Wanted};
use crate::once::Use;
use crate::problem::Problem;
use crate::text;
use crate::{origin, write};

/// A token is made for one job: one that is older was kept (I5).
const TOKEN_AGE: SignedDuration = SignedDuration::from_mins(10);
/// How long a token or signature is remembered: longer than any is accepted, by all leeways.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(30);
/// Callers of one place that are tried. A policy with more should name them apart.
const TRIED: usize = 16;
/// Longest wait for the secret of a caller.
const SECRET_TIMEOUT: Duration = Duration::from_secs(2);

/// What became of a proposal, and where its rollout will be seen.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Proposed {
    /// The Request, as `requests/name`.
    object: String,
    /// The caller's name in the policy.
    by: String,
    /// Whether the same was proposed before.
    repeated: bool,
    /// Where to look.
    look: String,
}

/// A caller that proved who it is, and what makes this proof the only one of its kind.
struct Proven {
    caller: String,
    /// The signature, or issuer and id of the token.
    proof: String,
}

/// What a caller wants.
struct Wish {
    tag: Option<String>,
    digest: Option<String>,
    reason: Option<String>,
}

/// Takes a proposal for one environment of one Pipeline.
pub(crate) async fn propose(
    app: &App,
    place: [&str; 3],
    parts: &Parts,
    body: Body,
) -> Result<Response, Problem> {
    let [namespace, pipeline, environment] = place;
    let bytes = raw::bytes(parts, body).await?;
    let policy = app.policy();
    let now = app.now();
    let callers: Vec<(&String, &Caller)> = policy
        .callers
        .iter()
        .filter(|(_, caller)| caller.may_propose(pipeline, environment))
        .take(TRIED)
        .collect();
    let signed = Timed::is_there(&parts.headers);
    let proven = match (signed, parts.headers.contains_key(header::AUTHORIZATION)) {
        (true, false) => by_signature(app, &callers, parts, &bytes, now).await?,
        (false, true) => by_token(app, &callers, parts, now).await?,
        (true, true) => return Err(unproven("a signature and a token are one too many")),
        (false, false) => return Err(unproven("the request is neither signed nor has it a token")),
    };
    let wish = wish(&raw::json(parts, &bytes)?)?;
    let found = app
        .world
        .pipeline(namespace, pipeline)
        .ok_or_else(|| Problem::not_found(&format!("the pipeline {namespace}/{pipeline}")))?;
    let spec = found
        .spec
        .body
        .environments
        .iter()
        .find(|e| e.name == environment);
    let spec = spec.ok_or_else(|| Problem::not_found(&format!("the environment {environment}")))?;
    let who = Identity::of(IdentityProvider::Caller, &proven.caller);
    allowed(&policy, &who, environment, &spec.target.namespace)?;
    // Used up only now: a proposal that could not be taken may be corrected and sent again.
    let purpose = [place.join("/").as_bytes(), b"\n", &bytes].concat();
    let until = now.saturating_add(REMEMBERED).unwrap_or(Timestamp::MAX);
    match app.used.take(&proven.proof, &purpose, until, now) {
        Use::First | Use::Repeated => {}
        Use::Misused => return Err(unproven("this signature or token was used before")),
        Use::NoPlace => return Err(Problem::busy("the places to remember proposals")),
    }
    let request = request(&found.name_any(), &who, &proven.proof, environment, wish);
    let repeated = write::create(
        app,
        &Api::<Request>::namespaced(app.client.clone(), namespace),
        "record the proposal",
        &request,
        |there| there.spec == request.spec,
    )
    .await?;
    let name = request.name_any();
    tracing::info!(
        by = proven.caller,
        namespace,
        pipeline,
        environment,
        object = name,
        repeated,
        "hook"
    );
    let answer = Proposed {
        object: format!("requests/{name}"),
        by: proven.caller,
        repeated,
        look: format!(
            "/api/v1/rollouts?namespace={namespace}&pipeline={pipeline}&environment={environment}"
        ),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn request(pipeline: &str, who: &Identity, proof: &str, environment: &str, wish: Wish) -> Request {
    let part = short_name_hash(&["hook", &who.username, proof]);
    Request::new(
        &child_name(pipeline, &part),
        RequestBody {
            pipeline: Some(pipeline.to_owned()),
            environment: Some(environment.to_owned()),
            tag: wish.tag,
            digest: wish.digest,
            reason: wish.reason,
            ..RequestBody::new(RequestAction::Deploy, who, Channel::Webhook)
        },
    )
}

fn allowed(
    policy: &Policy,
    who: &Identity,
    environment: &str,
    target: &str,
) -> Result<(), Problem> {
    let refused = |why: String| {
        let advice = "somebody who may can change the policy file";
        Problem::new(StatusCode::FORBIDDEN, "not-allowed", why, advice)
    };
    let rules = policy
        .environment(environment, target)
        .into_result()
        .map_err(|closed| refused(closed.to_string()))?;
    sluice_core::authorize::authorize(Action::Deploy, who, rules, policy)
        .map_err(|denied| refused(denied.to_string()))
}

async fn by_signature(
    app: &App,
    callers: &[(&String, &Caller)],
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<Proven, Problem> {
    let timed = Timed::of(&parts.headers)
        .ok_or_else(|| unproven("the header x-sluice-signature is not t=…,v1=…"))?;
    if !timed.is_current(now) {
        return Err(unproven(
            "the signature is too old, or the clocks differ by minutes",
        ));
    }
    for (name, caller) in callers {
        let Some(secret) = caller.hmac.as_ref().map(|h| &h.secret) else {
            continue;
        };
        let read = tokio::time::timeout(SECRET_TIMEOUT, app.doors.secrets.read(secret)).await;
        match read.unwrap_or_else(|_| Err("it took too long".to_owned())) {
            Ok(value) if timed.fits(body, &value) => {
                return Ok(Proven {
                    caller: (*name).clone(),
                    proof: timed.id(),
                });
            }
            Ok(_) => {}
            Err(why) => {
                tracing::warn!(
                    caller = name,
                    secret,
                    why,
                    "the secret of a caller cannot be read"
                );
            }
        }
    }
    Err(unproven(
        "the signature is of no caller that may propose there",
    ))
}

async fn by_token(
    app: &App,
    callers: &[(&String, &Caller)],
    parts: &Parts,
    now: Timestamp,
) -> Result<Proven, Problem> {
    let refused = |fault: TokenFault| unproven(&format!("the token is refused: {fault}"));
    let given = single(&parts.headers, "authorization").and_then(|v| v.split_once(' '));
    let token = given
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| unproven("the Authorization header is not one bearer token"))?;
    let token = Unverified::parse(token).map_err(refused)?;
    // Only issuers that the policy names for this very place are ever asked for keys.
    let issuer = token.claimed_issuer().unwrap_or_default().to_owned();
    let of_issuer = |caller: &Caller| caller.oidc.as_ref().is_some_and(|o| o.issuer == issuer);
    if !callers.iter().any(|(_, caller)| of_issuer(caller)) {
        return Err(unproven(
            "the token is of no issuer whose callers may propose there",
        ));
    }
    let audience = origin::base(&app.config, parts)
        .ok_or_else(|| Problem::ours("a request without a host"))?;
    let claims = app
        .issuers
        .verify(&issuer, token, now)
        .await
        .map_err(refused)?;
    let wanted = Wanted {
        issuer: &issuer,
        audience: &audience,
        alone: true,
        max_age: Some(TOKEN_AGE),
    };
    claims.check(&wanted, now).map_err(refused)?;
    let id = claims.text("jti").map_err(refused)?;
    let fits = |caller: &Caller| {
        let token = caller.oidc.as_ref().filter(|o| o.issuer == issuer);
        // Without any claim every job of everybody at that issuer would do.
        token.is_some_and(|o| {
            !o.claims.is_empty() && o.claims.iter().all(|(name, value)| claims.is(name, value))
        })
    };
    let caller = callers.iter().find(|(_, caller)| fits(caller));
    let (name, _) = caller.ok_or_else(|| {
        unproven("the claims of the token are those of no caller that may propose there")
    })?;
    Ok(Proven {
        caller: (*name).clone(),
        proof: format!("{issuer} {id}"),
    })
}

fn wish(document: &Value) -> Result<Wish, Problem> {
    let fields = document
        .as_object()
        .ok_or_else(|| raw::bad("the body is not a JSON object"))?;
    if let Some(unknown) = fields
        .keys()
        .find(|key| !["tag", "digest", "reason"].contains(&key.as_str()))
    {
        let unknown: String = unknown.chars().take(40).collect();
        return Err(raw::bad(&format!(
            "the field {unknown:?} is not known: tag, digest and reason are"
        )));
    }
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|t| !t.is_empty())),
        Some(_) => Err(raw::bad(&format!("{name} is not a text"))),
    };
    let (tag, digest) = text::version(text("tag")?, text("digest")?)?;
    Ok(Wish {
        tag,
        digest,
        reason: text::reason(text("reason")?)?,
    })
}
