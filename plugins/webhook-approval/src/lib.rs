//! Asks any system that speaks a few lines of JSON: a change board, a ticket system, a script.
//!
//! `POST path` opens a request and answers `{"id": …, "status": "pending"}`; `GET path/id` says where
//! it stands; `DELETE path/id` takes it back; a callback may bring the decision sooner. README.md has
//! the fields.
//!
//! Nobody but the other system vouches for who decided, so that a decision fills only roles that the
//! policy gives to this plugin (`via`).

mod answer;
mod settings;

use serde_json::{Value, json};
use sluice_sdk::text::is_path_id;
use sluice_sdk::{Client, Error, Remote, Request, Response, Status};

use settings::Settings as S;

pub use settings::{Settings, validate};

/// Where the agent says what an approver has to see.
const ATTRIBUTE: &str = "approval-request";
/// Name of the target in manifest and grant.
const TARGET: &str = "approvals";
const THERE: Remote = Remote {
    name: "the approval system",
    target: TARGET,
};
/// The secret that signs questions.
const KEY: &str = "approval-key";
/// The secret that is shown at the door, where there is one.
const TOKEN: &str = "approval-token";

/// Opens a request. The idempotency key goes along: whoever has seen it answers with the same id.
///
/// # Errors
/// No answer, or one that is none; a refusal; a missing key.
pub fn ask(client: &Client<'_>, settings: S) -> Result<Status, Error> {
    let release = client.release();
    let facts = client
        .attribute(ATTRIBUTE)
        .and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let key = client.idempotency_key();
    let question = json!({
        "idempotencyKey": key,
        "subject": release.subject_digest,
        "release": release.id,
        "facts": facts,
    });
    let request = Request::post(&settings.path)
        .header("idempotency-key", &key)
        .json(&question);
    answer::read(&send(client, request)?, None)
}

/// Looks where a request stands.
///
/// # Errors
/// As [`ask`].
pub fn poll(client: &Client<'_>, settings: S, ticket: &str) -> Result<Status, Error> {
    let request = Request::get(&place(&settings, ticket)?);
    answer::read(&send(client, request)?, Some(ticket))
}

/// Takes a request back. One that is not there any more needs no taking back.
///
/// # Errors
/// As [`ask`].
pub fn withdraw(client: &Client<'_>, settings: S, ticket: &str) -> Result<(), Error> {
    let response = send(client, Request::new("DELETE", &place(&settings, ticket)?))?;
    match response.status {
        200..=299 | 404 | 410 => Ok(()),
        status => Err(answer::refusal(status, &response)),
    }
}

/// Reads a decision that the host has verified.
///
/// # Errors
/// None; what does not fit is about another request.
pub fn on_callback(
    client: &Client<'_>,
    _: S,
    ticket: &str,
    _headers: &[(String, String)],
    body: &[u8],
) -> Result<Option<Status>, Error> {
    let subject = client.release().subject_digest;
    Ok(answer::callback(body, ticket, &subject).map(Status::Decided))
}

fn place(settings: &S, ticket: &str) -> Result<String, Error> {
    if is_path_id(ticket) {
        return Ok(format!("{}/{ticket}", settings.path));
    }
    Err(Error::Denied("the ticket is none of this plugin's".into()))
}

fn send(client: &Client<'_>, request: Request) -> Result<Response, Error> {
    if !client.has_secret(KEY) {
        return Err(Error::InvalidConfig(format!(
            "questions are signed, and the secret `{KEY}` is not granted or has no value: see plugins.yaml"
        )));
    }
    let mut request = request.on(TARGET).header(
        "x-sluice-signature",
        &format!("sha256=${{hmac-sha256:{KEY}}}"),
    );
    if client.has_secret(TOKEN) {
        request = request.bearer(TOKEN);
    }
    client
        .send(&request)
        .map_err(|error| THERE.unreached(&error))
}

sluice_sdk::export_approval_provider!(ask, poll, withdraw, on_callback, validate = validate);

#[cfg(test)]
mod tests;
