//! Approval providers through the whole host: ours against servers that look closely, and one that
//! lies (attack 20 of plugins.md; attacks 7 to 9, 14 and 22 of reliability.md).

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sluice_core::plugin::{
    APPROVAL_REQUEST, ApprovalStatus, Invocation, PluginAnswer, PluginCall, PluginFault,
};
use sluice_plugins::{Host, VerifiedCallback};

use crate::support::{call, invocation};

mod liar;
mod slack;
mod webhook;

const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const NOW: i64 = 1_800_000_000;

fn subject() -> String {
    format!("sha256:{}", "3".repeat(64))
}

fn facts() -> Value {
    json!({
        "service": "storefront", "environment": "production", "state": "open",
        "image": {"tag": "v1.2.0 <!channel>", "digest": "sha256:2"},
        "requester": "carol", "link": "https://sluice.example.com/rollouts/1",
    })
}

fn about(facts: &Value) -> Invocation {
    let mut invocation = invocation(json!({}), &[]);
    invocation
        .attributes
        .push((APPROVAL_REQUEST.to_owned(), facts.to_string()));
    invocation
}

async fn ask(host: &Host, plugin: &str, invocation: Invocation) -> PluginAnswer {
    let plugin = plugin.to_owned();
    call(host, PluginCall::AskApproval { plugin, invocation }).await
}

async fn poll(host: &Host, plugin: &str, ticket: &str, facts: &Value) -> PluginAnswer {
    let question = PluginCall::PollApproval {
        plugin: plugin.to_owned(),
        invocation: about(facts),
        ticket: ticket.to_owned(),
    };
    call(host, question).await
}

async fn withdraw(host: &Host, plugin: &str, ticket: &str, facts: &Value) -> PluginAnswer {
    let question = PluginCall::WithdrawApproval {
        plugin: plugin.to_owned(),
        invocation: about(facts),
        ticket: ticket.to_owned(),
    };
    call(host, question).await
}

async fn hand_over(host: &Host, ticket: &str, callback: VerifiedCallback) -> PluginAnswer {
    let question = PluginCall::ApprovalCallback {
        plugin: callback.plugin,
        invocation: about(&facts()),
        ticket: ticket.to_owned(),
        headers: callback.headers,
        body: callback.body,
    };
    call(host, question).await
}

fn pending(answer: PluginAnswer) -> String {
    match answer {
        PluginAnswer::Approval(ApprovalStatus::Pending(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn failed(answer: PluginAnswer) -> PluginFault {
    match answer {
        PluginAnswer::Failed(fault) => fault,
        other => panic!("no fault: {other:?}"),
    }
}

fn mac(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
