//! What ran in Jobs' pods: how often, when and with what end. The oracle of "exactly once".

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

/// One container that a Job's pod ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the Job.
    pub job: String,
    /// Name of the pod.
    pub pod: String,
    /// `repository@sha256:…`.
    pub image_id: String,
    /// The variables of the container that have a value of their own.
    pub environment: BTreeMap<String, String>,
    /// Command and arguments of the container.
    pub arguments: Vec<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended, by itself or because its pod was deleted.
    pub ended: Option<Timestamp>,
    /// Its exit code; none while it runs and of one that was killed.
    pub exit_code: Option<i32>,
}

/// Runs that are kept.
const RUNS: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Runs {
    kept: VecDeque<Ran>,
    forgotten: u64,
}

impl Runs {
    /// Adds a run that begins; the number is for [`Runs::end`].
    pub(crate) fn begin(&mut self, run: Ran) -> u64 {
        if self.kept.len() == RUNS {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(run);
        self.forgotten + u64::try_from(self.kept.len()).unwrap_or(u64::MAX) - 1
    }

    /// Notes the end of a run.
    pub(crate) fn end(&mut self, number: u64, at: Timestamp, exit_code: Option<i32>) {
        let index = number.checked_sub(self.forgotten);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let run = index.and_then(|index| self.kept.get_mut(index));
        if let Some(run) = run.filter(|run| run.ended.is_none()) {
            run.ended = Some(at);
            run.exit_code = exit_code;
        }
    }

    pub(crate) fn all(&self) -> Vec<Ran> {
        self.kept.iter().cloned().collect()
    }
}
