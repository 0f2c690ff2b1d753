//! What the server's answer means for the event.

use sluice_sdk::text::{EXCERPT_CHARS, excerpt, is_path_id};
use sluice_sdk::{Error, Response, find_json, patience_ms};

/// Whether what was to be updated is no longer there.
pub(crate) fn is_gone(response: &Response) -> bool {
    matches!(response.status, 404 | 410)
}

/// Whether the event was taken.
///
/// # Errors
/// It was not: with a time to wait, for another try, or for a person to change something.
pub(crate) fn taken(response: &Response) -> Result<(), Error> {
    let said = excerpt(&response.text(), EXCERPT_CHARS);
    let said = match said.as_str() {
        "" => String::new(),
        text => format!(": {text}"),
    };
    let what = format!(
        "{} answered with status {}{said}",
        response.request, response.status
    );
    let asks_for_patience = response.header("retry-after").is_some();
    match response.status {
        // Under this idempotency key, it has the event already.
        200..=299 | 409 => Ok(()),
        429 => Err(Error::RateLimited(patience_ms(response))),
        503 if asks_for_patience => Err(Error::RateLimited(patience_ms(response))),
        401 | 403 | 407 => Err(Error::Denied(format!(
            "{what}; check webhook-key and webhook-token in plugins.yaml"
        ))),
        404 | 405 | 410 => Err(Error::InvalidConfig(format!("{what}; check `path`"))),
        300..=399 => Err(Error::InvalidConfig(format!(
            "{what}; redirects are not followed: grant the address where it leads"
        ))),
        408 | 425 | 500..=599 => Err(Error::Unavailable(what)),
        400..=499 => Err(Error::InvalidConfig(format!(
            "{what}; the server does not take this document: check `format` and `template`"
        ))),
        _ => Err(Error::Other(what)),
    }
}

/// The id that the server gave, if it is one.
pub(crate) fn reference(response: &Response, pointer: &str) -> Option<String> {
    let document = response.json().ok()?;
    let found = find_json(&document, pointer)?;
    let id = match found.as_str() {
        Some(text) => text.to_owned(),
        None => found.as_u64()?.to_string(),
    };
    is_path_id(&id).then_some(id)
}
