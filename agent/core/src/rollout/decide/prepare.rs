//! What comes before the first step.

use super::{Flow, Turn};
use crate::rollout::Preparing;

impl Turn<'_> {
    pub(super) fn preparing(&mut self, _preparing: &Preparing) -> Flow {
        if let Some(flow) = self.copies() {
            return flow;
        }
        if let Some(flow) = self.before_hooks() {
            return flow;
        }
        self.enter_step(0)
    }
}
