//! Jobs before and after a Rollout.

use super::{Flow, Turn};

impl Turn<'_> {
    /// The hooks before the first step. `None`: all of them are done.
    pub(super) fn before_hooks(&mut self) -> Option<Flow> {
        None
    }

    /// The hooks at the end. `None`: all of them are done.
    pub(super) fn after_hooks(&mut self) -> Option<Flow> {
        None
    }

    /// What takes back the hooks that were started. `None`: all of it is done.
    pub(super) fn undo_hooks(&mut self) -> Option<Flow> {
        None
    }
}
