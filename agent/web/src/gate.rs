//! Around every request: our host names only, a bounded number at a time, a bounded time each, and
//! the headers that keep a browser from doing anything with the page that we did not mean.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::admit;
use crate::app::App;
use crate::origin;
use crate::page;
use crate::problem::Problem;
use crate::routes;

/// A page is made from memory and a vote takes three calls of at most 5 s each.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// No inline script or style, nothing from elsewhere, no frame around us (reliability.md I4).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

pub(crate) async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let api = routes::is_api(parts.uri.path());
    let probe = routes::is_probe(parts.uri.path());
    let refused = |problem: Problem| {
        if api {
            problem.json()
        } else {
            page::problem(&problem, None)
        }
    };
    // Each kind of visitor has places of its own, so that a flood of one holds up no other. A cookie
    // of a session is looked up in memory.
    let places = if routes::is_for_machines(parts.uri.path()) {
        &app.machines
    } else if admit::has_session(&app, &parts.headers) {
        &app.requests
    } else {
        &app.strangers
    };
    // A probe of the kubelet names the pod's address, and must be answered under load.
    let place = match places.try_acquire() {
        Ok(place) => Ok(Some(place)),
        Err(_) if probe => Ok(None),
        Err(_) => Err(Problem::busy("the places for requests")),
    };
    let host = if probe {
        Ok(())
    } else {
        origin::check_host(&app.config, &parts)
    };
    let mut response = match host.and(place) {
        Err(problem) => refused(problem),
        Ok(_place) => {
            let method = parts.method.clone();
            let answer = next.run(Request::from_parts(parts, body));
            match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
                Ok(response) => response,
                Err(_) => refused(too_slow(&method)),
            }
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.config.secure_cookies {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn too_slow(method: &Method) -> Problem {
    let advice = if *method == Method::POST {
        "look whether it was done, then try again: doing it twice does no harm"
    } else {
        "try again"
    };
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too-slow",
        format!(
            "the request was not done within {} s",
            REQUEST_TIMEOUT.as_secs()
        ),
        advice,
    )
}
