//! Numbers from metric providers, judged: the verdict is made here, not in a plugin.
//!
//! An analysis asks a metric provider again and again, each time about a window. Two questions are
//! put to the numbers. Does the candidate hold to a bound ([`Requirement`])? And is it worse than
//! the stable version ([`Comparison`])? The second is answered by tests that may be looked at after
//! every window: however long a rollout takes, a good candidate is called bad with a probability of
//! at most `alpha`. The tests of this module measure that, and how soon a bad one is noticed:
//! `cargo test -p sluice-core analysis -- --nocapture`.
//!
//! No data, too little data and no answer are never a pass (W12): see [`Standing::Unknown`].

mod betting;
mod comparison;
mod decimal;
mod evidence;
mod requirement;
mod run;
mod sequential;
mod spec;
mod verdict;

pub use betting::SignTest;
pub use comparison::Comparison;
pub use decimal::Percent;
pub use evidence::Evidence;
pub use requirement::Requirement;
pub use run::{AnalysisRun, Look, Standing, Window};
pub use sequential::{CountTest, Counts};
pub use spec::{AnalysisSpec, Compare, Compared, Worse};
pub use verdict::Verdict;

#[cfg(test)]
mod tests;
