//! The table of routes. The router is made from it and from nothing else, and a request reaches its
//! endpoint only through [`admit`] with the access of its row: a route without a check cannot be
//! written (reliability.md I2, attack 20).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{RequestExt, middleware};
use sluice_core::authorize::Action;

use crate::act::act;
use crate::admit::{Known, Visitor, admit};
use crate::app::App;
use crate::assets::Asset;
use crate::body::{self, Fields, Shape};
use crate::problem::Problem;
use crate::wish::{about_everything, about_pipeline};
use crate::{api, gate, hook, live, oidc, openapi, page};

/// What a request needs to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: probes, the sign-in form and what it needs to be shown.
    Anyone,
    /// Somebody who is signed in; anybody where the page is open for reading.
    Reader,
    /// Somebody who is signed in.
    Person,
    /// Somebody whom the policy and RBAC let do this.
    May(Action),
    /// A registry that gives a hint: its secret where one is set, nothing where not.
    Hint,
    /// A machine of the policy's `callers`, by signature or token.
    Caller,
    /// A sender whose callbacks the operator granted to a plugin.
    Callback,
}

impl Access {
    /// Whether no browser is meant, and so no cookie and no origin count.
    pub(crate) fn is_for_machines(self) -> bool {
        match self {
            Self::Hint | Self::Caller | Self::Callback => true,
            Self::Anyone | Self::Reader | Self::Person | Self::May(_) => false,
        }
    }
}

/// One row of the table, for tests and documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// HTTP method.
    pub method: Method,
    /// Path, with `{…}` for its parameters.
    pub path: &'static str,
    /// Needed access.
    pub access: Access,
}

pub(crate) struct Route {
    pub(crate) changes: bool,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) endpoint: Endpoint,
}

#[derive(Clone, Copy)]
pub(crate) enum Endpoint {
    Healthz,
    Readyz,
    Asset(Asset),
    SignInForm,
    SignIn,
    SignOut,
    OidcBegin,
    OidcFinish,
    OpenApi,
    RegistryHook,
    CiHook,
    Callback,
    Overview,
    OverviewFragment,
    Rollout,
    RolloutFragment,
    Events,
    Act(Action),
    ApiPipelines,
    ApiRollouts,
    ApiRollout,
    ApiAct(Action),
    ApiPipelineAct(Action),
    ApiGlobalAct(Action),
    ApiQuarantine,
    ApiRefusals,
}

const fn get(path: &'static str, access: Access, endpoint: Endpoint) -> Route {
    Route {
        changes: false,
        path,
        access,
        endpoint,
    }
}

const fn post(path: &'static str, access: Access, endpoint: Endpoint) -> Route {
    Route {
        changes: true,
        path,
        access,
        endpoint,
    }
}

/// A form of the page that does something.
const fn form(path: &'static str, action: Action) -> Route {
    post(path, Access::May(action), Endpoint::Act(action))
}

/// A call of the API that does something.
const fn verb(path: &'static str, action: Action) -> Route {
    post(path, Access::May(action), Endpoint::ApiAct(action))
}

/// A call of the API about an environment of a Pipeline.
const fn about(path: &'static str, action: Action) -> Route {
    post(path, Access::May(action), Endpoint::ApiPipelineAct(action))
}

/// A call of the API about everything.
const fn global(path: &'static str, action: Action) -> Route {
    post(path, Access::May(action), Endpoint::ApiGlobalAct(action))
}

pub(crate) const ROUTES: &[Route] = &[
    get("/healthz", Access::Anyone, Endpoint::Healthz),
    get("/readyz", Access::Anyone, Endpoint::Readyz),
    get(
        "/assets/app.css",
        Access::Anyone,
        Endpoint::Asset(Asset::Style),
    ),
    get(
        "/assets/app.js",
        Access::Anyone,
        Endpoint::Asset(Asset::Script),
    ),
    get(
        "/assets/icon.svg",
        Access::Anyone,
        Endpoint::Asset(Asset::Icon),
    ),
    get("/sign-in", Access::Anyone, Endpoint::SignInForm),
    post("/sign-in", Access::Anyone, Endpoint::SignIn),
    get("/sign-in/oidc", Access::Anyone, Endpoint::OidcBegin),
    get(oidc::CALLBACK, Access::Anyone, Endpoint::OidcFinish),
    post("/sign-out", Access::Person, Endpoint::SignOut),
    get(openapi::PATH, Access::Anyone, Endpoint::OpenApi),
    post(
        "/v1/hooks/registry/{sender}",
        Access::Hint,
        Endpoint::RegistryHook,
    ),
    post(
        "/v1/hooks/ci/{namespace}/{pipeline}/{environment}",
        Access::Caller,
        Endpoint::CiHook,
    ),
    post(
        "/v1/callbacks/{plugin}",
        Access::Callback,
        Endpoint::Callback,
    ),
    get("/", Access::Reader, Endpoint::Overview),
    get(
        "/fragment/overview",
        Access::Reader,
        Endpoint::OverviewFragment,
    ),
    get(
        "/rollouts/{namespace}/{name}",
        Access::Reader,
        Endpoint::Rollout,
    ),
    get(
        "/fragment/rollouts/{namespace}/{name}",
        Access::Reader,
        Endpoint::RolloutFragment,
    ),
    get("/events", Access::Reader, Endpoint::Events),
    form("/rollouts/{namespace}/{name}/approve", Action::Approve),
    form("/rollouts/{namespace}/{name}/reject", Action::Reject),
    form("/rollouts/{namespace}/{name}/abort", Action::Abort),
    form("/rollouts/{namespace}/{name}/rollback", Action::Rollback),
    form("/rollouts/{namespace}/{name}/pause", Action::Pause),
    form("/rollouts/{namespace}/{name}/resume", Action::Resume),
    form("/rollouts/{namespace}/{name}/promote", Action::Promote),
    get("/api/v1/pipelines", Access::Reader, Endpoint::ApiPipelines),
    get("/api/v1/rollouts", Access::Reader, Endpoint::ApiRollouts),
    get(
        "/api/v1/rollouts/{namespace}/{name}",
        Access::Reader,
        Endpoint::ApiRollout,
    ),
    verb(
        "/api/v1/rollouts/{namespace}/{name}/approve",
        Action::Approve,
    ),
    verb("/api/v1/rollouts/{namespace}/{name}/reject", Action::Reject),
    verb("/api/v1/rollouts/{namespace}/{name}/abort", Action::Abort),
    verb(
        "/api/v1/rollouts/{namespace}/{name}/rollback",
        Action::Rollback,
    ),
    verb("/api/v1/rollouts/{namespace}/{name}/pause", Action::Pause),
    verb("/api/v1/rollouts/{namespace}/{name}/resume", Action::Resume),
    verb(
        "/api/v1/rollouts/{namespace}/{name}/promote",
        Action::Promote,
    ),
    get(
        "/api/v1/quarantine",
        Access::Reader,
        Endpoint::ApiQuarantine,
    ),
    get("/api/v1/refusals", Access::Reader, Endpoint::ApiRefusals),
    about(
        "/api/v1/pipelines/{namespace}/{name}/deploy",
        Action::Deploy,
    ),
    about("/api/v1/pipelines/{namespace}/{name}/retry", Action::Retry),
    about(
        "/api/v1/pipelines/{namespace}/{name}/lift",
        Action::LiftQuarantine,
    ),
    global("/api/v1/namespaces/{namespace}/stop", Action::Stop),
    global("/api/v1/namespaces/{namespace}/start", Action::Start),
];

/// Every route and what it needs.
pub fn listed() -> Vec<Listed> {
    ROUTES
        .iter()
        .map(|r| Listed {
            method: if r.changes { Method::POST } else { Method::GET },
            path: r.path,
            access: r.access,
        })
        .collect()
}

/// Whether an answer under this path is for a program.
pub(crate) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
        || path == "/events"
        || path.starts_with("/fragment/")
        || path == openapi::PATH
        || is_for_machines(path)
}

/// Whether a machine is meant to call it, and nobody with a browser.
pub(crate) fn is_for_machines(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// Whether the kubelet asks.
pub(crate) fn is_probe(path: &str) -> bool {
    path == "/healthz" || path == "/readyz"
}

pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let app = Arc::clone(app);
        let filter = if route.changes {
            MethodFilter::POST
        } else {
            MethodFilter::GET
        };
        let endpoint = move |request: Request| {
            let app = Arc::clone(&app);
            async move { answer(&app, route, request).await }
        };
        router = router.route(route.path, on(filter, endpoint));
    }
    router
        .fallback(|uri: Uri| async move { refused(&uri, Problem::not_found("that address")) })
        .method_not_allowed_fallback(|uri: Uri| async move {
            let message = "that address does not take this method";
            let problem = Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong-method",
                message,
                "changes are sent by POST, everything else is read by GET",
            );
            refused(&uri, problem)
        })
        .layer(middleware::from_fn_with_state(Arc::clone(app), gate::gate))
}

fn refused(uri: &Uri, problem: Problem) -> Response {
    if is_api(uri.path()) {
        problem.json()
    } else {
        page::problem(&problem, None)
    }
}

async fn answer(app: &Arc<App>, route: &'static Route, mut request: Request) -> Response {
    let params = request.extract_parts::<RawPathParams>().await;
    let (parts, body) = request.into_parts();
    let params: BTreeMap<String, String> = match &params {
        Ok(params) => params
            .iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect(),
        Err(_) => return refused(&parts.uri, Problem::not_found("that address")),
    };
    let visitor = match admit(app, route.access, route.changes, &parts).await {
        Ok(visitor) => visitor,
        Err(problem) if asks_to_sign_in(&problem, route, &parts) => {
            return page::to_sign_in(&parts.uri);
        }
        Err(problem) => return refused(&parts.uri, problem),
    };
    match reached(app, route, &visitor, &parts, body, &params).await {
        Ok(response) => response,
        Err(problem) if is_api(parts.uri.path()) => problem.json(),
        Err(problem) => page::problem(&problem, visitor.known()),
    }
}

/// A person before a page is led to the form; a program is told.
fn asks_to_sign_in(problem: &Problem, route: &Route, parts: &Parts) -> bool {
    problem.status == StatusCode::UNAUTHORIZED
        && !is_api(parts.uri.path())
        && !route.changes
        && !parts
            .headers
            .contains_key(axum::http::header::AUTHORIZATION)
}

async fn reached(
    app: &Arc<App>,
    route: &Route,
    visitor: &Visitor,
    parts: &Parts,
    body: Body,
    params: &BTreeMap<String, String>,
) -> Result<Response, Problem> {
    let param = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    let (namespace, name) = (param("namespace"), param("name"));
    let query = parts.uri.query().unwrap_or_default();
    match route.endpoint {
        Endpoint::Healthz => Ok("ok\n".into_response()),
        Endpoint::Readyz => Ok(api::ready(app)),
        Endpoint::Asset(asset) => Ok(asset.response()),
        Endpoint::SignInForm => page::sign_in_form(app, query),
        Endpoint::SignIn => {
            let fields = body::read(parts, body, Shape::Form).await?;
            page::sign_in(app, &fields).await
        }
        Endpoint::SignOut => {
            let fields = body::read(parts, body, Shape::Form).await?;
            changing(visitor, parts, &fields)?;
            Ok(page::sign_out(app, &parts.headers))
        }
        Endpoint::OidcBegin => oidc::begin(app, parts, query).await,
        Endpoint::OidcFinish => oidc::finish(app, parts, query).await,
        Endpoint::OpenApi => Ok(openapi::response()),
        Endpoint::RegistryHook => hook::hint(app, param("sender"), parts, body).await,
        Endpoint::CiHook => {
            let place = [namespace, param("pipeline"), param("environment")];
            hook::propose(app, place, parts, body).await
        }
        Endpoint::Callback => hook::callback(app, param("plugin"), parts, body).await,
        Endpoint::Overview => page::overview(app, visitor),
        Endpoint::OverviewFragment => page::overview_fragment(app, visitor),
        Endpoint::Rollout => page::rollout(app, visitor, namespace, name, query),
        Endpoint::RolloutFragment => page::rollout_fragment(app, visitor, namespace, name),
        Endpoint::Events => live::open(app),
        Endpoint::Act(action) => {
            let fields = body::read(parts, body, Shape::Form).await?;
            let known = changing(visitor, parts, &fields)?;
            let done = act(app, known, action, namespace, name, &fields).await?;
            Ok(page::done(namespace, name, action, &done))
        }
        Endpoint::ApiPipelines => Ok(api::pipelines(app)),
        Endpoint::ApiRollouts => api::rollouts(app, query),
        Endpoint::ApiRollout => api::rollout(app, visitor, namespace, name),
        Endpoint::ApiAct(action) => {
            let fields = body::read(parts, body, Shape::Json).await?;
            let known = changing(visitor, parts, &fields)?;
            let done = act(app, known, action, namespace, name, &fields).await?;
            Ok(api::done(&done))
        }
        Endpoint::ApiPipelineAct(action) => {
            let fields = body::read(parts, body, Shape::Json).await?;
            let known = changing(visitor, parts, &fields)?;
            let (place, headers) = ((namespace, name), &parts.headers);
            let done = about_pipeline(app, known, action, place, headers, &fields).await?;
            Ok(api::done(&done))
        }
        Endpoint::ApiGlobalAct(action) => {
            let fields = body::read(parts, body, Shape::Json).await?;
            let known = changing(visitor, parts, &fields)?;
            let headers = &parts.headers;
            let done = about_everything(app, known, action, namespace, headers, &fields).await?;
            Ok(api::done(&done))
        }
        Endpoint::ApiQuarantine => Ok(api::quarantine(app)),
        Endpoint::ApiRefusals => Ok(api::refusals(app)),
    }
}

/// The person behind a change, once it is sure that they meant it.
fn changing<'v>(
    visitor: &'v Visitor,
    parts: &Parts,
    fields: &Fields,
) -> Result<&'v Known, Problem> {
    let known = visitor
        .known()
        .ok_or_else(|| Problem::ours("a change by nobody"))?;
    let header = parts
        .headers
        .get("x-sluice-csrf")
        .and_then(|v| v.to_str().ok());
    known.check_csrf(header.or_else(|| fields.get("csrf")))?;
    Ok(known)
}
