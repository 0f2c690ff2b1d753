//! What an answer should be.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{OneOrMany, dependencies};
use crate::settings::{Complaints, step};
use crate::{Examination, Outcome, Response};

/// What an answer should be. All of it must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expect {
    /// One status or several. Left out: 200; 202 for a signed webhook; any redirect where
    /// `redirectTo` is set.
    #[serde(default)]
    pub status: OneOrMany<u16>,
    /// Values in a JSON body, by key at the top (`status`) or JSON pointer (`/db/status`).
    #[serde(default)]
    pub json: BTreeMap<String, Value>,
    /// Texts that the body contains.
    #[serde(default)]
    pub contains: OneOrMany<String>,
    /// Texts that the body does not contain.
    #[serde(default)]
    pub not_contains: OneOrMany<String>,
    /// Response headers; a `*` at the end of a value stands for any ending.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// The whole answer takes less than this, in milliseconds.
    #[serde(default)]
    pub max_ms: Option<u32>,
    /// A redirect to this address; a `*` at the end stands for any ending.
    #[serde(default)]
    pub redirect_to: Option<String>,
}

impl Expect {
    /// Whether all of it holds, in words. `statuses` are the right ones.
    #[must_use]
    pub fn verdict(&self, statuses: &[u16], response: &Response) -> (Outcome, String) {
        let mut examination = Examination::of(response);
        examination.status_in(statuses);
        if let Some(address) = &self.redirect_to {
            examination.header("location", address);
        }
        for (place, value) in &self.json {
            examination.json(place, value.clone());
        }
        for text in &self.contains.0 {
            examination.contains(text);
        }
        for text in &self.not_contains.0 {
            examination.lacks(text);
        }
        for (name, value) in &self.header {
            examination.header(name, value);
        }
        if let Some(ms) = self.max_ms {
            examination.faster_than(ms);
        }
        let broken = examination.verdict().0 == Outcome::Fail;
        let blame = response
            .json()
            .ok()
            .filter(|_| broken)
            .and_then(|page| dependencies::not_ready(&page));
        if let Some(blame) = blame {
            examination.that(false, "", &blame);
        }
        examination.verdict()
    }

    /// All complaints about it, below `/expect`. `method` is that of the request.
    pub fn complain(&self, method: &str, complaints: &mut Complaints<'_>) {
        complaints.statuses("/expect/status", &self.status.0);
        let never = self.max_ms == Some(0);
        complaints.refuse(never, "/expect/maxMs", "nothing is that fast", "");
        for name in self.header.keys() {
            complaints.header(&format!("/expect/header/{}", step(name)), name);
        }
        for place in self.json.keys() {
            let message = "this is the whole document";
            let hint = "name a key, as in status, or a pointer /a/b";
            complaints.refuse(place.is_empty(), "/expect/json/", message, hint);
        }
        for (place, texts) in [
            ("/expect/contains", &self.contains),
            ("/expect/notContains", &self.not_contains),
        ] {
            let empty = texts.0.iter().any(String::is_empty);
            let message = "every body contains the empty text";
            complaints.refuse(empty, place, message, "write the text");
        }
        let wants_a_body = !(self.json.is_empty() && self.contains.0.is_empty());
        let unseen = method == "HEAD" && wants_a_body;
        complaints.refuse(
            unseen,
            "/expect",
            "an answer to HEAD has no body",
            "use GET",
        );
    }
}
