//! The JSON API. Its documents are the values that the pages are made of.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use schemars::JsonSchema;
use serde::Serialize;
use url::form_urlencoded;

use crate::act::Done;
use crate::admit::Visitor;
use crate::app::App;
use crate::problem::Problem;
use crate::view::{self, Banner, PipelineView, QuarantineRow, RefusalRow, Scene, Summary};

/// Rollouts in one answer, unless asked for fewer or more.
const PAGE: usize = 100;
/// And at most.
const PAGE_LIMIT: usize = 500;

/// All pipelines.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Pipelines {
    /// What concerns everything.
    #[serde(flatten)]
    banner: Banner,
    pipelines: Vec<PipelineView>,
}

/// Rollouts, newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Rollouts {
    rollouts: Vec<Summary>,
}

/// Versions in quarantine.
#[derive(Serialize, JsonSchema)]
pub(crate) struct QuarantineList {
    quarantine: Vec<QuarantineRow>,
}

/// What was not let in.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RefusalList {
    refusals: Vec<RefusalRow>,
}

/// Whether every cache was filled once: before that the page would show an empty cluster.
pub(crate) fn ready(app: &App) -> Response {
    let world = &app.world;
    let filled = [
        world.pipelines.wait_until_ready().now_or_never(),
        world.rollouts.wait_until_ready().now_or_never(),
        world.approvals.wait_until_ready().now_or_never(),
        world.requests.wait_until_ready().now_or_never(),
    ];
    if filled.iter().all(|f| matches!(f, Some(Ok(())))) {
        return "ready\n".into_response();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the watches have not been answered yet\n",
    )
        .into_response()
}

pub(crate) fn pipelines(app: &App) -> Response {
    let scene = Scene::of(app);
    let pipelines = view::pipelines(&scene);
    let banner = Banner::new(&scene);
    Json(Pipelines { banner, pipelines }).into_response()
}

pub(crate) fn quarantine(app: &App) -> Response {
    let quarantine = view::quarantine(&Scene::of(app));
    Json(QuarantineList { quarantine }).into_response()
}

pub(crate) fn refusals(app: &App) -> Response {
    let refusals = view::refusals(&Scene::of(app));
    Json(RefusalList { refusals }).into_response()
}

/// `?pipeline=`, `?environment=`, `?namespace=` and `?limit=`.
pub(crate) fn rollouts(app: &App, query: &str) -> Result<Response, Problem> {
    let mut limit = PAGE;
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "limit" => {
                limit = value
                    .parse()
                    .ok()
                    .filter(|n| (1..=PAGE_LIMIT).contains(n))
                    .ok_or_else(|| {
                        bad_query(&format!("limit is a number from 1 to {PAGE_LIMIT}"))
                    })?;
            }
            "pipeline" | "environment" | "namespace" => {
                wanted.push((name.into_owned(), value.into_owned()));
            }
            _ => {
                return Err(bad_query(
                    "known are pipeline, environment, namespace and limit",
                ));
            }
        }
    }
    let scene = Scene::of(app);
    let rollouts = view::recent(&scene, limit, |r| {
        wanted.iter().all(|(name, value)| match name.as_str() {
            "pipeline" => r.spec.body.pipeline == *value,
            "environment" => r.spec.body.environment == *value,
            _ => r.metadata.namespace.as_ref() == Some(value),
        })
    });
    Ok(Json(Rollouts { rollouts }).into_response())
}

fn bad_query(advice: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-query",
        "the query is not understood",
        advice,
    )
}

pub(crate) fn rollout(
    app: &App,
    visitor: &Visitor,
    namespace: &str,
    name: &str,
) -> Result<Response, Problem> {
    let scene = Scene::of(app);
    let found = view::rollout(&scene, visitor.known().map(|k| &k.who), namespace, name)?;
    Ok(Json(found).into_response())
}

pub(crate) fn done(done: &Done) -> Response {
    let status = if done.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    (status, Json(done)).into_response()
}
