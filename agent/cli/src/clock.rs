//! The wall clock: the only place that asks the machine for the time.

use jiff::Timestamp;
use sluice_core::port::Clock;

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
