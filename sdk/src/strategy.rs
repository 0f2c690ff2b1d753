//! What traffic strategies share: shares and times as people write them, and how long an unhealthy
//! step is borne with.

mod hold;
mod patience;
mod weight;

use std::fmt;

use serde::de;

pub use hold::Hold;
pub use patience::{LOOK_AGAIN_MS, MAX_UNHEALTHY_MS, impatience, opinion};
pub use weight::Weight;

use crate::Issue;
use crate::settings::issue;

/// A gate that a step names, but not by a name.
#[must_use]
pub fn nameless_gate(step: &str, gate: Option<&str>) -> Option<Issue> {
    gate.filter(|name| name.trim().is_empty()).map(|_| {
        issue(
            &format!("{step}/gate"),
            "a gate without a name",
            "name the gate, or leave `gate` out",
        )
    })
}

/// Reads text with a function, and names in a complaint about another type what was expected.
struct Text<T>(fn(&str) -> Result<T, String>, &'static str);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}
