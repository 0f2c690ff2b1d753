//! Scenarios that are written once and play on the simulated and on a real cluster. They speak to the
//! API server alone, each person with credentials of their own, and must end the same on both: where
//! they do not, the simulator is wrong.

mod ending;
mod ground;
mod play;
mod scenario;
mod simulated;

pub use ending::Ending;
pub use ground::{ALICE, BOB, CAROL, Ground, Release};
pub use play::Play;
pub use scenario::Scenario;
pub use simulated::on_the_simulator;
