//! What comes when nothing goes back any more.

use super::{Flow, Turn};
use crate::rollout::Finishing;

impl Turn<'_> {
    pub(super) fn finishing(&mut self, _finishing: &Finishing) -> Flow {
        if let Some(flow) = self.after_hooks() {
            return flow;
        }
        self.succeed()
    }
}
