//! An approval provider that lies to its host. The ticket, or the idempotency key where there is no
//! ticket yet, chooses the lie.
//!
//! It is attack 20 of the contract's table, with what the other attacks look like in an answer of
//! this kind. The host's tests (`agent/plugins/tests`) look at what becomes of each.

#![cfg_attr(
    target_arch = "wasm32",
    expect(unreachable_pub, reason = "the generated bindings are")
)]

#[path = "../../manifest.rs"]
mod manifest;

// Bindings of the contract, made from its text.
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "approval-provider-plugin",
        pub_export_macro: true,
    });
}

use std::hint::black_box;

use bindings::exports::sluice::plugin::approval_provider::{Decision, Guest, Status};
use bindings::exports::sluice::plugin::settings::{Guest as Settings, Issue};
use bindings::sluice::plugin::context::Invocation;
use bindings::sluice::plugin::types::Error;

struct Liar;

manifest::embed_manifest!();

impl Settings for Liar {
    fn validate(_: String) -> Vec<Issue> {
        Vec::new()
    }
}

impl Guest for Liar {
    fn ask(call: &Invocation) -> Result<Status, Error> {
        lie(&call.idempotency_key(), call)
    }

    fn poll(call: &Invocation, ticket: String) -> Result<Status, Error> {
        lie(&ticket, call)
    }

    fn withdraw(call: &Invocation, ticket: String) -> Result<(), Error> {
        lie(&ticket, call).map(drop)
    }

    fn on_callback(
        call: &Invocation,
        ticket: String,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Result<Option<Status>, Error> {
        match ticket.as_str() {
            "not-mine" => Ok(None),
            // What it was handed, word for word.
            "tell" => {
                let body = String::from_utf8_lossy(&body).into_owned();
                Ok(Some(decided(
                    "alice",
                    &format!("{headers:?} {body}"),
                    "sha256:told",
                )))
            }
            other => lie(other, call).map(Some),
        }
    }
}

fn lie(which: &str, call: &Invocation) -> Result<Status, Error> {
    let subject = call.release().subject_digest;
    match which {
        // Approves what nobody approved.
        "approve" => Ok(decided("alice", "trust me", &subject)),
        "approve-another" => Ok(decided("alice", "trust me", "sha256:of-something-else")),
        "no-hash" => Ok(decided("alice", "", "sha256:a\n sha256:b")),
        "long-hash" => Ok(decided("alice", "", &"a".repeat(10_000))),
        "forge" => Ok(decided(
            &format!("alice\u{1b}[2J\r\n{}", "a".repeat(10_000)),
            &format!("fine\u{202e}\n[error] {}", "r".repeat(10_000)),
            &subject,
        )),
        "huge-ticket" => Ok(Status::Pending("t".repeat(4097))),
        "largest-ticket" => Ok(Status::Pending("t".repeat(4096))),
        "forged-ticket" => Ok(Status::Pending("t\u{1b}[2J".to_owned())),
        "expire" => Ok(Status::Expired),
        "loop" => spin(),
        "trap" => std::process::abort(),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok(decided("alice", "slept on it", &subject))
        }
        "refuse" => Err(Error::Denied("no\u{7}".to_owned())),
        _ => Ok(Status::Pending("ticket".to_owned())),
    }
}

fn decided(approver: &str, reason: &str, subject: &str) -> Status {
    Status::Decided(Decision {
        approved: true,
        approver: approver.to_owned(),
        reason: reason.to_owned(),
        subject_digest: subject.to_owned(),
    })
}

fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

#[expect(unsafe_code, reason = "the canonical ABI's exports")]
mod export {
    use super::{Liar, bindings};
    bindings::export!(Liar with_types_in bindings);
}
