//! Watching a version that serves.

use super::{Flow, Turn};
use crate::rollout::StepState;

impl Turn<'_> {
    pub(super) fn watching(&mut self, step: StepState) -> Flow {
        self.step(step)
    }
}
