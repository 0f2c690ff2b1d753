//! `settings.validate`: may this text be the plugin's settings? Asked without a network.

use sluice_core::plugin::SettingsIssue;
use wasmtime::Store;

use super::{Answer, In, bad, clean};
use crate::bindings::exports::sluice::plugin::settings::GuestIndices;
use crate::state::CallState;

/// Most issues that are taken over.
const MAX_ISSUES: usize = 64;

/// Asks.
pub(crate) async fn validate(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
    settings: &str,
) -> Answer<Vec<SettingsIssue>> {
    let guest = guest.load(&mut *store, instance)?;
    let issues = guest.call_validate(&mut *store, settings).await?;
    if issues.len() > MAX_ISSUES {
        return Err(bad(format!(
            "{} issues; at most {MAX_ISSUES} are read",
            issues.len()
        )));
    }
    Ok(issues
        .into_iter()
        .map(|issue| SettingsIssue {
            pointer: clean(store, &issue.pointer, 256),
            message: clean(store, &issue.message, crate::text::LINE),
            hint: issue
                .hint
                .map(|hint| clean(store, &hint, crate::text::LINE)),
        })
        .collect())
}
