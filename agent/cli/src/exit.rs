//! What the shell and CI learn from a command.

use std::process::ExitCode;

use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::State;

/// How a command ends. The numbers are a contract (`docs/cli.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; the Rollout that was waited for succeeded.
    Done,
    /// 1: it did not happen: refused, rejected, rolled back, not voted, problems found.
    NotDone,
    /// 2: the command line is not right. Nothing was tried.
    Usage,
    /// 3: `--timeout` is over; the Rollout goes on without the command.
    TimedOut,
    /// 5: nothing refuses, but people, time or facts are still missing.
    NotYet,
    /// 4: it could not be told: no cluster, no rights, an answer that cannot be read.
    CannotTell,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NotDone => 1,
            Self::Usage => 2,
            Self::TimedOut => 3,
            Self::CannotTell => 4,
            Self::NotYet => 5,
        }
    }

    /// What an ended Rollout means for whoever wished for one of `wanted`.
    pub(crate) fn of(state: &State, wanted: &[OutcomeKind]) -> Self {
        match state {
            State::Ended(end) if wanted.contains(&end.kind) => Self::Done,
            State::Ended(_)
            | State::Queued
            | State::Planning { .. }
            | State::AwaitingApproval
            | State::Preparing(_)
            | State::Progressing(_)
            | State::Promoting(_)
            | State::Watching(_)
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_) => Self::NotDone,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::rollout::End;

    use super::*;

    fn ended(kind: OutcomeKind) -> State {
        State::Ended(End {
            kind,
            message: String::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
        })
    }

    #[test]
    fn only_the_wanted_end_is_zero() {
        let all = [
            OutcomeKind::Succeeded,
            OutcomeKind::RolledBack,
            OutcomeKind::Refused,
            OutcomeKind::Rejected,
            OutcomeKind::Expired,
            OutcomeKind::Superseded,
            OutcomeKind::Cancelled,
            OutcomeKind::Failed,
        ];
        for kind in all {
            let exit = Exit::of(&ended(kind), &[OutcomeKind::Succeeded]);
            assert_eq!(exit.code() == 0, kind == OutcomeKind::Succeeded, "{kind:?}");
        }
        assert_eq!(Exit::of(&State::Queued, &all), Exit::NotDone);
    }
}
