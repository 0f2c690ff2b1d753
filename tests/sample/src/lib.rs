//! The service that end-to-end tests release on a real cluster.
//!
//! One program, `sample`, and one image per version: images differ by environment variables alone,
//! so they share their layers. [`Behaviour`] is what the containers of `tests/sim` can do.
//! `sample job` is what a hook runs. `sample load` is the client that asks it all the while, one fresh connection per request.

mod behaviour;
mod error;
mod images;
mod job;
pub mod load;
mod metrics;
mod reply;
mod rule;
mod serve;
mod stop;

pub use behaviour::{Behaviour, NAMES, Readiness};
pub use error::{Error, Result};
pub use images::{pause_image, sample_image};
pub use job::{Job, work};
pub use rule::Rule;
pub use serve::{Place, Sample, serve};
pub use stop::terminated;
