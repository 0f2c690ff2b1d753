//! What proposes candidates. A new trigger is one file here. Triggers propose; they never approve.

pub(crate) mod registry;
pub(crate) mod schedule;
pub(crate) mod upstream;
