//! What the other system says, and what it means.

use serde::Deserialize;
use serde_json::Value;
use sluice_sdk::text::{ID_BYTES, excerpt, is_path_id};
use sluice_sdk::{Decision, Error, Response, Status, patience_ms};

/// Where a request stands, as the other system says. The same document comes from `POST`, `GET`
/// and, without `status`, in a callback.
#[derive(Deserialize)]
struct Standing {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    approved: Option<bool>,
    #[serde(default)]
    approver: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    subject: Option<String>,
}

impl Standing {
    /// A decision names what it is about. Without that it is none: the plugin never fills it in.
    fn decision(self, approved: bool) -> Option<Decision> {
        Some(Decision {
            approved,
            approver: self.approver,
            reason: self.reason,
            subject_digest: self.subject?,
        })
    }
}

/// Reads the answer to a question. `known` is the ticket, if there is one already.
pub(crate) fn read(response: &Response, known: Option<&str>) -> Result<Status, Error> {
    match response.status {
        200..=299 => {}
        410 => return Ok(Status::Expired),
        status => return Err(refusal(status, response)),
    }
    let standing = standing(&response.body).ok_or_else(|| {
        Error::Unavailable("the answer is no JSON object with `id` and `status`".into())
    })?;
    let ticket = match (known, standing.id.as_deref()) {
        (Some(known), Some(id)) if known != id => {
            return Err(Error::Other("the answer is about another request".into()));
        }
        (Some(known), _) => known.to_owned(),
        (None, Some(id)) if is_path_id(id) => id.to_owned(),
        (None, _) => {
            return Err(Error::Other(format!(
                "the answer has no `id` of letters, digits, `-`, `_`, `.` and `~`, at most {ID_BYTES}"
            )));
        }
    };
    let undecided =
        "the answer decides, and has no `subject`: the approval hash that was asked about";
    let decided = |decision: Option<Decision>| {
        decision
            .map(Status::Decided)
            .ok_or_else(|| Error::Other(undecided.into()))
    };
    match standing.status.as_deref() {
        Some("pending") | None => Ok(Status::Pending(ticket)),
        Some("approved") => decided(standing.decision(true)),
        Some("rejected") => decided(standing.decision(false)),
        Some("expired") => Ok(Status::Expired),
        Some(other) => Err(Error::Other(format!(
            "the answer has status `{}`; known are pending, approved, rejected and expired",
            excerpt(other, 40)
        ))),
    }
}

/// An object: serde would also take a list, in the order of the fields.
fn standing(body: &[u8]) -> Option<Standing> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let document = document.is_object().then_some(document)?;
    serde_json::from_value(document).ok()
}

/// Reads a callback. None: it is about another request, or decides nothing.
pub(crate) fn callback(body: &[u8], ticket: &str, subject: &str) -> Option<Decision> {
    let standing = standing(body)?;
    let ours = match standing.id.as_deref() {
        Some(id) => id == ticket,
        None => standing.subject.as_deref() == Some(subject),
    };
    let approved = standing.approved.filter(|_| ours)?;
    standing.decision(approved)
}

pub(crate) fn refusal(status: u16, response: &Response) -> Error {
    let what = format!("{} answered with status {status}", response.request);
    match status {
        429 => Error::RateLimited(patience_ms(response)),
        401 | 403 => Error::Denied(format!("{what}: check approval-key and approval-token")),
        404 | 405 => Error::InvalidConfig(format!("{what}: check `path`")),
        500..=599 => Error::Unavailable(what),
        _ => Error::Other(what),
    }
}
