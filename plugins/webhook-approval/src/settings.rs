//! Where the other system listens.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::settings::issue;

/// Longest path, in bytes.
const MAX_PATH: usize = 200;

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The path of the requests on the granted target, such as `/v1/approvals`.
    pub path: String,
}

/// What serde cannot see: that the path can be one.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let path = &settings.path;
    let letters = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    let fits = path.starts_with('/')
        && !path.ends_with('/')
        && path.len() <= MAX_PATH
        && path.bytes().all(letters)
        && !path.split('/').any(|part| part == "." || part == "..")
        && !path.contains("//");
    if fits {
        return Vec::new();
    }
    let hint = "write a path such as /v1/approvals: no query, no slash at its end";
    vec![issue("/path", "this is no path to ask at", hint)]
}
