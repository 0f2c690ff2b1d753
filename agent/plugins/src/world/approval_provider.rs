//! `approval-provider-plugin`: asks people outside the cluster for a decision.
//!
//! Nothing here approves. A decision is data that the core compares with the open request, and who
//! decided comes from the verified callback, never from the guest.

use sluice_core::plugin::{ApprovalDecision, ApprovalStatus};
use wasmtime::Store;
use wasmtime::component::Linker;

use super::{Answer, In, bad, clean, invocation, link_basics, said};
use crate::bindings::exports::sluice::plugin::approval_provider as guest_types;
use crate::bindings::exports::sluice::plugin::approval_provider::GuestIndices;
use crate::capability::{http, wasi_http};
use crate::state::CallState;

/// Longest ticket, in bytes: it lies in the rollout's status (plugins.md section 1).
const MAX_TICKET_BYTES: usize = 4 << 10;
/// Longest name of an approver, in bytes: shown in one line beside the decision.
const MAX_APPROVER_BYTES: usize = 256;
/// Longest reference to what was approved, in bytes. A hash has 71; anything longer is none.
const MAX_SUBJECT_BYTES: usize = 128;

/// What an approval provider is asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    Ask,
    /// The ticket.
    Poll(String),
    /// The ticket.
    Withdraw(String),
    /// Ticket, headers and verified body.
    Callback(String, Vec<(String, String)>, Vec<u8>),
}

/// What it answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Status(ApprovalStatus),
    Withdrawn,
    Callback(Option<ApprovalStatus>),
}

/// What an approval provider may call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)?;
    http::link(linker)?;
    wasi_http::link(linker)
}

/// Asks one of the four questions.
pub(crate) async fn ask(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
    question: Question,
) -> Answer<Reply> {
    let guest = guest.load(&mut *store, instance)?;
    let call = invocation(store)?;
    match question {
        Question::Ask => {
            let answer = guest.call_ask(&mut *store, call).await?;
            let status = answer.map_err(|error| said(store, error))?;
            read(store, status).map(Reply::Status)
        }
        Question::Poll(ticket) => {
            let answer = guest.call_poll(&mut *store, call, &ticket).await?;
            let status = answer.map_err(|error| said(store, error))?;
            read(store, status).map(Reply::Status)
        }
        Question::Withdraw(ticket) => {
            let answer = guest.call_withdraw(&mut *store, call, &ticket).await?;
            answer.map_err(|error| said(store, error))?;
            Ok(Reply::Withdrawn)
        }
        Question::Callback(ticket, headers, body) => {
            let answer = guest
                .call_on_callback(&mut *store, call, &ticket, &headers, &body)
                .await?;
            let status = answer.map_err(|error| said(store, error))?;
            let status = status.map(|status| read(store, status)).transpose()?;
            Ok(Reply::Callback(status))
        }
    }
}

/// A status within its bounds. What is compared later is refused rather than cut: half a ticket or
/// half a hash would mean something else.
fn read(store: &Store<CallState>, status: guest_types::Status) -> Answer<ApprovalStatus> {
    match status {
        guest_types::Status::Pending(ticket) => {
            if ticket.len() > MAX_TICKET_BYTES {
                return Err(bad(format!(
                    "a ticket of {} bytes; at most {MAX_TICKET_BYTES} are kept",
                    ticket.len()
                )));
            }
            if clean(store, &ticket, MAX_TICKET_BYTES) != ticket {
                return Err(bad(
                    "a ticket with control characters, or with a secret in it",
                ));
            }
            Ok(ApprovalStatus::Pending(ticket))
        }
        guest_types::Status::Decided(decision) => {
            let subject = decision.subject_digest;
            if subject.len() > MAX_SUBJECT_BYTES || !subject.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(bad(format!(
                    "a decision about something that is no hash, of {} bytes",
                    subject.len()
                )));
            }
            Ok(ApprovalStatus::Decided(ApprovalDecision {
                approved: decision.approved,
                approver: clean(store, &decision.approver, MAX_APPROVER_BYTES),
                reason: clean(store, &decision.reason, crate::text::LINE),
                subject_digest: subject,
            }))
        }
        guest_types::Status::Expired => Ok(ApprovalStatus::Expired),
    }
}
