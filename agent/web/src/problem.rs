//! Every refusal and failure, as people and programs see it: what happened, and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Why a request was not done. Holds no secret and no raw error of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    /// Stable word for programs.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    pub(crate) advice: String,
}

/// What a program gets instead of an answer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Refusal {
    error: Problem,
}

/// Seconds after which a busy server may be asked again.
const RETRY_AFTER: &str = "2";

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            advice: advice.into(),
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("{what} does not exist"),
            "go back to the overview; ended rollouts are removed after a while",
        )
    }

    pub(crate) fn sign_in(audience: &str, message: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            message,
            format!(
                "use a Kubernetes token made for the audience {audience}, such as from \
                 `kubectl create token NAME --audience={audience}`"
            ),
        )
    }

    pub(crate) fn forbidden(code: &'static str, message: &str, advice: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message, advice)
    }

    pub(crate) fn busy(what: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            format!("{what} are all taken"),
            "try again in a few seconds",
        )
    }

    pub(crate) fn ours(what: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("the page could not be made: {what}"),
            "this is a bug in Sluice; the CLI (`sluice get`) shows the same things",
        )
    }

    /// For programs.
    pub(crate) fn json(&self) -> Response {
        let refusal = Refusal {
            error: self.clone(),
        };
        self.dress((self.status, Json(refusal)).into_response())
    }

    /// Adds the headers that belong to the status.
    pub(crate) fn dress(&self, mut response: Response) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"sluice\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}
