//! The doors for machines (reliability.md H1 to H4, I5, I6). A registry gives a hint, a CI service
//! proposes, an approval provider brings what somebody decided. None of them has a session, none
//! approves, and each has a place of its own to wait in, so that a flood here holds up nobody there.

mod callback;
mod ci;
mod names;
mod raw;
mod registry;
mod signature;

pub(crate) use callback::{Unfinished, callback};
pub(crate) use ci::{Proposed, propose};
pub(crate) use registry::{Looked, Taken, hint};

use axum::http::StatusCode;

use crate::problem::Problem;

/// The one answer to whoever does not prove who they are: what is missing, and nothing of what is
/// here.
fn unproven(why: &str) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "not-proven",
        why,
        "sign the request with the sender's secret, or bring a token that the policy's callers \
         accept; see docs/policy.md",
    )
}
