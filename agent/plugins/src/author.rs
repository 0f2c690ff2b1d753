//! What the author of a plugin, and who wants to install it, asks without a host.

use crate::card::Card;
use crate::grant::permissions;
use crate::manifest::Manifest;
use crate::operator::{FILE_NAME, PluginEntry};

/// Everything that this entry does not grant of what the manifest asks for: needs first, for which it
/// would not be loaded, then limits below those that it asks for.
pub fn gaps(manifest: &Manifest, entry: &PluginEntry) -> Vec<Card> {
    let outcome = permissions(manifest, entry, FILE_NAME, false);
    outcome.missing.into_iter().chain(outcome.smaller).collect()
}
