//! `notifier-plugin`: tells people what happens.

use sluice_core::plugin::{Event, Severity};
use wasmtime::Store;
use wasmtime::component::Linker;

use super::{Answer, In, bad, clean, invocation, link_basics, said};
use crate::bindings::exports::sluice::plugin::notifier as guest_types;
use crate::bindings::exports::sluice::plugin::notifier::GuestIndices;
use crate::capability::{http, wasi_http};
use crate::state::CallState;

/// Longest thread reference, in bytes: it lies in the rollout's status.
const MAX_THREAD_BYTES: usize = 1024;

/// What a notifier may call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)?;
    http::link(linker)?;
    wasi_http::link(linker)
}

/// Passes on one event; the answer is a thread reference.
pub(crate) async fn notify(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
    event: &Event,
) -> Answer<Option<String>> {
    let guest = guest.load(&mut *store, instance)?;
    let call = invocation(store)?;
    let event = guest_types::Event {
        id: event.id.clone(),
        kind: event.kind.clone(),
        severity: match event.severity {
            Severity::Info => guest_types::Severity::Info,
            Severity::Warning => guest_types::Severity::Warning,
            Severity::Critical => guest_types::Severity::Critical,
        },
        title: event.title.clone(),
        body: event.body.clone(),
        links: event.links.clone(),
        thread: event.thread.clone(),
    };
    let thread = guest
        .call_notify(&mut *store, call, &event)
        .await?
        .map_err(|error| said(store, error))?;
    match thread {
        // A reference is compared, not read: cutting it would point somewhere else.
        Some(thread) if thread.len() > MAX_THREAD_BYTES => Err(bad(format!(
            "a thread reference of {} bytes; at most {MAX_THREAD_BYTES} are kept",
            thread.len()
        ))),
        Some(thread) => Ok(Some(clean(store, &thread, MAX_THREAD_BYTES))),
        None => Ok(None),
    }
}
