//! What a manifest says about one of its parts (the OCI image specification's descriptor).

use serde::Deserialize;

/// A descriptor, as far as it is read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
}
