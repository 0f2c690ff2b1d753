//! Plays made-up histories through the product's own functions, and compares every answer with the
//! reference.

mod adapt;
mod beginning;
mod cluster;
mod compare;
mod events;
mod history;
mod subject;
mod waits;

pub use beginning::Beginning;
pub use history::play;
pub use waits::{Walk, walk};
