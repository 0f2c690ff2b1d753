//! Hooks of registries: a hint to look, never data (reliability.md H4, attack 24). Whoever forges one
//! makes the agent look at a repository that it looks at anyway.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{fits, repositories};
use super::{raw, signature, unproven};
use crate::app::App;
use crate::problem::Problem;

/// A repository is looked at once in so long, whatever hints say.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// The same answer to every hint that could be read: what is watched is nobody's business.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Taken {
    taken: bool,
}

/// When a hint last made the agent look at a repository. As long as the list of those that Pipelines
/// watch: no other name gets in.
#[derive(Default)]
pub(crate) struct Looked(Mutex<HashMap<String, Timestamp>>);

impl Looked {
    /// Whether it may be looked at again now; counts as looked at then.
    fn may(&self, repository: &str, watched: &[String], now: Timestamp) -> bool {
        let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let just_now =
            |at: &Timestamp| (SignedDuration::ZERO..PAUSE).contains(&now.duration_since(*at));
        if looked.get(repository).is_some_and(just_now) {
            return false;
        }
        looked.retain(|known, _| watched.contains(known));
        looked.insert(repository.to_owned(), now);
        true
    }
}

/// Takes a hint.
pub(crate) async fn hint(
    app: &App,
    sender: &str,
    parts: &Parts,
    body: Body,
) -> Result<Response, Problem> {
    let secret = match (
        app.config.registry_hooks.is_empty(),
        app.config.registry_hooks.get(sender),
    ) {
        (true, _) => None,
        (false, Some(secret)) => secret.as_deref(),
        // One that is left open beside those that sign would be the one that is used.
        (false, None) => return Err(Problem::not_found("that sender")),
    };
    let bytes = raw::bytes(parts, body).await?;
    if let Some(at) = secret {
        let value = app.doors.secrets.read(at).await.map_err(|why| {
            tracing::warn!(
                sender,
                at,
                why,
                "the secret of a registry hook cannot be read"
            );
            unproven("the signature cannot be checked now")
        })?;
        if !signature::plain(&parts.headers, &bytes, &value) {
            return Err(unproven(
                "the header x-hub-signature-256 does not fit the body",
            ));
        }
    }
    let named = repositories(&raw::json(parts, &bytes)?);
    if named.is_empty() {
        return Err(raw::bad(
            "the body names no repository in a form that is known",
        ));
    }
    let pipelines = app.world.pipelines.state();
    let mut watched: Vec<String> = pipelines
        .iter()
        .map(|p| p.spec.body.image.repository.clone())
        .collect();
    watched.sort_unstable();
    watched.dedup();
    let now = app.now();
    let looks: usize = watched
        .iter()
        .filter(|repository| named.iter().any(|hint| fits(repository, hint)))
        .filter(|repository| app.looked.may(repository, &watched, now))
        .map(|repository| app.doors.hints.look(repository))
        .sum();
    tracing::debug!(sender, looks, "a hint of a registry");
    Ok((StatusCode::ACCEPTED, Json(Taken { taken: true })).into_response())
}
