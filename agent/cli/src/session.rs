//! What a verb has at hand.

use std::sync::Arc;

use jiff::Timestamp;
use sluice_core::port::Clock;

use crate::access::Access;
use crate::output::Output;

/// One run of one command.
pub struct Session {
    /// The cluster, in the caller's name.
    pub access: Access,
    /// Where results go.
    pub out: Output,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Session {
    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
