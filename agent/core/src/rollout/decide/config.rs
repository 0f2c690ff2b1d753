//! Versions of configuration that go with the image.

use super::{Flow, Turn};

impl Turn<'_> {
    /// The copies that the candidate needs. `None`: all of them are there.
    pub(super) fn copies(&mut self) -> Option<Flow> {
        None
    }
}
