//! Asks a board of people for a decision.

use sluice_sdk::prelude::*;
use sluice_sdk::{Decision, Response, Status};

/// What a pipeline may set.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Name of the board.
    board: String,
}

/// A request, as the board writes it.
#[derive(Deserialize)]
#[serde(default)]
struct Entry {
    id: String,
    state: String,
    by: String,
    reason: String,
    subject: String,
}

impl Default for Entry {
    fn default() -> Self {
        let nothing = String::new;
        Self {
            id: nothing(),
            state: "open".into(),
            by: nothing(),
            reason: nothing(),
            subject: nothing(),
        }
    }
}

fn ask(client: &Client, on: Settings) -> Result<Status, Error> {
    let release = client.release();
    // The key is the same for every repetition: the board opens one request, not two.
    let question = Request::post("/requests")
        .on("board")
        .bearer("board-token")
        .header("idempotency-key", &client.idempotency_key())
        .json(&serde_json::json!({
            "board": on.board,
            "environment": client.attribute("environment"),
            "service": release.workload.name,
            "subject": release.subject_digest,
        }));
    let entry = entry(&client.ask(&question)?)?;
    Ok(Status::Pending(entry.id))
}

fn poll(client: &Client, _: Settings, ticket: &str) -> Result<Status, Error> {
    let question = Request::get(&format!("/requests/{ticket}"))
        .on("board")
        .bearer("board-token");
    Ok(standing(entry(&client.ask(&question)?)?, ticket))
}

fn withdraw(client: &Client, _: Settings, ticket: &str) -> Result<(), Error> {
    let request = Request::new("DELETE", &format!("/requests/{ticket}"))
        .on("board")
        .bearer("board-token");
    match client.ask(&request) {
        // Gone already is as good. (404 and 405 are the settings' fault, elsewhere.)
        Ok(_) | Err(Error::InvalidConfig(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn on_callback(
    _: &Client,
    _: Settings,
    ticket: &str,
    _: &[(String, String)],
    body: &[u8],
) -> Result<Option<Status>, Error> {
    let Ok(entry) = serde_json::from_slice::<Entry>(body) else {
        return Ok(None);
    };
    Ok((entry.id == ticket).then(|| standing(entry, ticket)))
}

fn entry(answer: &Response) -> Result<Entry, Error> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Error::Unavailable(format!("{}: {error}", answer.request)))
}

/// What the board says, in the words of the contract. The host drops a decision about another
/// subject than the open request's.
fn standing(entry: Entry, ticket: &str) -> Status {
    let decided = |approved| {
        Status::Decided(Decision {
            approved,
            approver: entry.by.clone(),
            reason: entry.reason.clone(),
            subject_digest: entry.subject.clone(),
        })
    };
    match entry.state.as_str() {
        "approved" => decided(true),
        "rejected" => decided(false),
        "expired" => Status::Expired,
        _ => Status::Pending(ticket.into()),
    }
}

sluice_sdk::export_approval_provider!(ask, poll, withdraw, on_callback);
sluice_sdk::test_cases!(approval(ask, poll, withdraw, on_callback), settings = Settings);
