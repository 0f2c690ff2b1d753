//! The reference: slow, obvious, and without a line of the product.

mod conditions;
mod effective;
mod facts;
mod gate;
mod globs;
mod loads;
mod people;
mod refusal;
mod spans;
mod votes;
mod windows;

pub use effective::effective;
pub use facts::Facts;
pub use gate::{Answer, Around, Request, before, calendar, during, held_by};
pub use loads::fits_together;
pub use people::{Who, holds, human};
pub use refusal::{Rule, refused, steps_fit};
pub use votes::Ballot;
pub use windows::Calendar;
