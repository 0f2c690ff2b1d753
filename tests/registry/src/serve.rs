//! Answers requests: first the injected faults, then who may, then the protocol.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::auth;
use crate::behaviour::{Behaviour, Fault};
use crate::journal::Entry;
use crate::registry::Shared;
use crate::route::Route;

mod content;
mod referrers;
mod tags;

/// The largest body of one request: a test pushes kilobytes.
const MOST_BODY_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer).with_state(shared)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let _open = Open::count(&shared);
    let (parts, body) = request.into_parts();
    let delay = shared.behaviour.borrow().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    // An error means that the registry is gone; then the answer does not matter.
    let _gone = shared
        .behaviour
        .subscribe()
        .wait_for(|behaviour| !behaviour.hold)
        .await
        .is_err();
    let response = match to_bytes(body, MOST_BODY_BYTES).await {
        Ok(body) => decide(&shared, &parts, &body),
        Err(_) => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            "the body is too large",
        ),
    };
    shared.state().journal.record(Entry {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        credential: auth::credential(&parts.headers),
        accept: text(&parts, &header::ACCEPT).to_owned(),
        status: response.status(),
        method: parts.method,
    });
    response
}

/// Counts a request as open for as long as it lives; a client that hangs up ends it too.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        let journal = &mut shared.state().journal;
        journal.open += 1;
        journal.most_open = journal.most_open.max(journal.open);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().journal.open -= 1;
    }
}

fn decide(shared: &Shared, parts: &Parts, body: &Bytes) -> Response {
    if let Some(fault) = next_fault(shared) {
        return injected(&fault);
    }
    let behaviour = shared.behaviour.borrow().clone();
    let path = parts.uri.path();
    if let Some(base) = behaviour
        .redirect
        .as_ref()
        .filter(|_| path.starts_with("/v2/"))
    {
        let target = parts
            .uri
            .path_and_query()
            .map_or(path, |whole| whole.as_str());
        return redirect(&format!("{base}{target}"));
    }
    let Some(route) = Route::of(path) else {
        return error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such resource");
    };
    if route == Route::Token {
        return token(shared, &behaviour, parts);
    }
    if let Some(refusal) = refuse(shared, &behaviour, parts, route) {
        return refusal;
    }
    let response = protocol(shared, &behaviour, parts, route, body);
    if parts.method != Method::GET {
        return response;
    }
    if behaviour.truncate {
        return in_pieces(response, true);
    }
    if behaviour.chunked {
        in_pieces(response, false)
    } else {
        response
    }
}

fn protocol(
    shared: &Shared,
    behaviour: &Behaviour,
    parts: &Parts,
    route: Route<'_>,
    body: &Bytes,
) -> Response {
    let method = &parts.method;
    match route {
        Route::Ping | Route::Token => json(StatusCode::OK, "{}".to_owned()),
        Route::Tags { repository } if *method == Method::GET => tags::list(
            shared,
            behaviour,
            repository,
            parts.uri.query().unwrap_or_default(),
        ),
        Route::Manifest {
            repository,
            reference,
        } if *method == Method::PUT => {
            content::put_manifest(shared, repository, reference, parts, body.clone())
        }
        Route::Manifest { .. } if *method == Method::HEAD && behaviour.refuse_head => error(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "HEAD is not supported",
        ),
        Route::Manifest {
            repository,
            reference,
        } if is_read(method) => {
            content::get_manifest(shared, behaviour, repository, reference, parts)
        }
        Route::Blob { repository, digest } if is_read(method) => {
            content::get_blob(shared, behaviour, repository, digest)
        }
        Route::Referrers { repository, digest } if is_read(method) => referrers::list(
            shared,
            behaviour,
            repository,
            digest,
            parts.uri.query().unwrap_or_default(),
        ),
        Route::BeginUpload { repository } if *method == Method::POST => {
            content::begin_upload(shared, repository, parts, body)
        }
        Route::Upload { repository, upload } if *method == Method::PATCH => {
            content::append(shared, repository, upload, body)
        }
        Route::Upload { repository, upload } if *method == Method::PUT => {
            content::finish_upload(shared, repository, upload, parts, body)
        }
        Route::Tags { .. }
        | Route::Manifest { .. }
        | Route::Blob { .. }
        | Route::Referrers { .. }
        | Route::BeginUpload { .. }
        | Route::Upload { .. } => error(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "no such method here",
        ),
    }
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Takes one from the faults that the next requests are to meet.
fn next_fault(shared: &Shared) -> Option<Fault> {
    let mut taken = None;
    shared.behaviour.send_if_modified(|behaviour| {
        taken = behaviour.fail_next.take().and_then(|(left, fault)| {
            let rest = left.checked_sub(1)?;
            behaviour.fail_next = Some((rest, fault.clone()));
            Some(fault)
        });
        false
    });
    taken
}

fn refuse(
    shared: &Shared,
    behaviour: &Behaviour,
    parts: &Parts,
    route: Route<'_>,
) -> Option<Response> {
    let credential = auth::credential(&parts.headers);
    let state = shared.state();
    let repository = route.repository();
    if auth::allowed(
        &behaviour.auth,
        &state.tokens,
        &credential,
        &parts.method,
        repository,
    ) {
        return None;
    }
    drop(state);
    let own_realm = format!("http://{}/token", shared.host);
    let realm = behaviour.realm.as_deref().unwrap_or(&own_realm);
    let mut refusal = error(
        StatusCode::UNAUTHORIZED,
        "UNAUTHORIZED",
        "authentication required",
    );
    if let Some(challenge) = auth::challenge(&behaviour.auth, realm) {
        set(&mut refusal, header::WWW_AUTHENTICATE, &challenge);
    }
    Some(refusal)
}

fn token(shared: &Shared, behaviour: &Behaviour, parts: &Parts) -> Response {
    let credential = auth::credential(&parts.headers);
    let query = parts.uri.query().unwrap_or_default();
    let mut state = shared.state();
    match auth::grant(&behaviour.auth, &mut state.tokens, &credential, query) {
        Some((token, seconds)) => json(
            StatusCode::OK,
            serde_json::json!({"token": token, "expires_in": seconds}).to_string(),
        ),
        None => error(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "incorrect username or password",
        ),
    }
}

/// An answer with this status and an OCI error envelope.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let envelope = serde_json::json!({"errors": [{"code": code, "message": message}]});
    json(status, envelope.to_string())
}

pub(crate) fn injected(fault: &Fault) -> Response {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let code = if fault.status == 429 {
        "TOOMANYREQUESTS"
    } else {
        "UNAVAILABLE"
    };
    let mut response = error(status, code, &fault.message);
    if let Some(value) = &fault.retry_after {
        set(&mut response, header::RETRY_AFTER, value);
    }
    response
}

pub(crate) fn json(status: StatusCode, body: String) -> Response {
    with_body(status, "application/json", Bytes::from(body))
}

pub(crate) fn with_body(status: StatusCode, media_type: &str, body: Bytes) -> Response {
    let mut response = empty(status);
    set(&mut response, header::CONTENT_TYPE, media_type);
    *response.body_mut() = Body::from(body);
    response
}

pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(crate) fn redirect(target: &str) -> Response {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    set(&mut response, header::LOCATION, target);
    response
}

/// Sets a header; a value that no header can carry is left out.
pub(crate) fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A request header as text, empty without one.
pub(crate) fn text<'a>(parts: &'a Parts, name: &header::HeaderName) -> &'a str {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A parameter of the request's query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// The body in two pieces without an announced length; with `cut`, a broken connection in place of
/// the second.
fn in_pieces(response: Response, cut: bool) -> Response {
    let (parts, body) = response.into_parts();
    let pieces = async move {
        let whole = to_bytes(body, MOST_BODY_BYTES).await.unwrap_or_default();
        let (first, second) = (
            whole.slice(..whole.len() / 2),
            whole.slice(whole.len() / 2..),
        );
        let second = async move {
            // A pause sends what there is; else a cut would take the head along.
            tokio::task::yield_now().await;
            if cut {
                Err(std::io::Error::other("cut off"))
            } else {
                Ok(second)
            }
        };
        stream::once(async { Ok(first) }).chain(stream::once(second))
    };
    Response::from_parts(parts, Body::from_stream(stream::once(pieces).flatten()))
}
