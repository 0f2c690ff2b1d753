//! Plays made-up histories through the product's own functions, and compares every answer with the
//! reference.

mod adapt;
mod cluster;
mod compare;
mod history;
mod subject;

pub use history::{Beginning, play};
