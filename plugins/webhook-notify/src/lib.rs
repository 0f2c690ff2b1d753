//! Posts events as JSON to any server: as they are, in the form that the settings give them, or in
//! an envelope of CloudEvents 1.0.
//!
//! The same event is always the same bytes under the same idempotency key, however often it is sent.
//! A server that answers with an id gets the rollout's later events as updates of what it made.

mod answer;
mod document;
mod settings;
mod thread;

use sluice_sdk::{Client, Error, Event, Level, Remote, Request};

use settings::Settings as S;
use thread::Thread;

pub use settings::{Format, Settings, SignSettings, ThreadSettings, UpdateSettings, validate};

/// Name of the target in manifest and grant.
const TARGET: &str = "webhook";
/// The secret that signs, where there is one.
const KEY: &str = "webhook-key";
/// The secret that is shown at the door, where there is one.
const TOKEN: &str = "webhook-token";
const THERE: Remote = Remote {
    name: "the webhook's server",
    target: TARGET,
};

/// Tells one event.
///
/// # Errors
/// The server asks for patience (`rate-limited`), cannot be reached or has a fault (`unavailable`),
/// refuses the sender (`denied`), or does not take what the settings make of the event
/// (`invalid-config`).
pub fn notify(client: &Client<'_>, settings: S, event: &Event) -> Result<Option<String>, Error> {
    let thread = event
        .thread
        .as_deref()
        .and_then(Thread::read)
        .unwrap_or_default();
    if thread.last == event.id || !settings.wants(event.severity) {
        return Ok(event.thread.clone());
    }
    let document = document::of(client, &settings, event, thread.reference.as_deref());
    if let (Some(update), Some(reference)) = (settings.update(), &thread.reference) {
        let path = update.path.replace(settings::THREAD, reference);
        let request = Request::new(&update.method, &path);
        let response = send(client, &settings, event, request, &document)?;
        if !answer::is_gone(&response) {
            answer::taken(&response)?;
            return Ok(Some(thread.after(&event.id).to_string()));
        }
        // Somebody removed it: the rollout gets a new one.
    }
    let response = send(
        client,
        &settings,
        event,
        Request::post(&settings.path),
        &document,
    )?;
    answer::taken(&response)?;
    let reference = match &settings.thread {
        Some(thread) => answer::reference(&response, &thread.pointer),
        None => None,
    };
    if settings.thread.is_some() && reference.is_none() {
        let words = "the answer has no id for the rollout's later events: letters, digits, `-`, `_`, `.` and `~`";
        client.log(Level::Warn, words, &[("request", &response.request)]);
    }
    let told = Thread {
        // A server that says nothing new still knows what it said before.
        reference: reference.or(thread.reference),
        last: event.id.clone(),
    };
    Ok(Some(told.to_string()))
}

fn send(
    client: &Client<'_>,
    settings: &S,
    event: &Event,
    request: Request,
    document: &str,
) -> Result<sluice_sdk::Response, Error> {
    let mut request = request
        .on(TARGET)
        .header("content-type", settings.format.content_type())
        .header("idempotency-key", &event.id)
        .body(document);
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    if client.has_secret(TOKEN) {
        request = request.bearer(TOKEN);
    }
    let request = sign(client, settings.sign.as_ref(), request)?;
    client
        .send(&request)
        .map_err(|error| THERE.unreached(&error))
}

/// Without settings, an event is signed where there is a key.
fn sign(
    client: &Client<'_>,
    settings: Option<&SignSettings>,
    request: Request,
) -> Result<Request, Error> {
    if !client.has_secret(KEY) {
        return match settings {
            None => Ok(request),
            Some(_) => Err(Error::InvalidConfig(format!(
                "events shall be signed, and the secret `{KEY}` is not granted or has no value: see plugins.yaml"
            ))),
        };
    }
    let usual = SignSettings::default();
    let settings = settings.unwrap_or(&usual);
    let Some(header) = &settings.timestamp_header else {
        let value = format!("sha256=${{hmac-sha256:{KEY}}}");
        return Ok(request.header(&settings.header, &value));
    };
    let seconds = (client.now_unix_ms() / 1_000).to_string();
    let value = format!("sha256=${{hmac-sha256:{KEY}:{seconds}.}}");
    Ok(request
        .header(header, &seconds)
        .header(&settings.header, &value))
}

sluice_sdk::export_notifier!(notify, validate = validate);

#[cfg(test)]
mod tests;
