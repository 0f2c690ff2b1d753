//! What a call is about.

use crate::host::{self, Call};
use crate::{Level, Release};

/// The call in progress: what it is about, how long it may take, and a log.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    call: &'a Call,
}

impl<'a> Context<'a> {
    pub(crate) fn new(call: &'a Call) -> Self {
        Self { call }
    }

    pub(crate) fn call(&self) -> &'a Call {
        self.call
    }

    /// The release that the call is about.
    #[must_use]
    pub fn release(&self) -> Release {
        host::release(self.call)
    }

    /// Milliseconds until the host ends the call. Zero: finish at once.
    #[must_use]
    pub fn remaining_ms(&self) -> u32 {
        host::remaining_ms(self.call)
    }

    /// The time, in milliseconds since 1970-01-01 UTC. For a traffic strategy it stands still at the
    /// beginning of the call.
    #[must_use]
    pub fn now_unix_ms(&self) -> u64 {
        host::now_unix_ms(self.call)
    }

    /// The same for every repetition of the same call, also after a restart of the agent.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        host::idempotency_key(self.call)
    }

    /// Further facts, such as `environment`. A name may occur more than once.
    #[must_use]
    pub fn attributes(&self) -> Vec<(String, String)> {
        host::attributes(self.call)
    }

    /// The first attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes()
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Whether the secret is granted and holds a value. A host that does not tell (no attribute
    /// `secrets`) is taken to have it: the call then shows.
    #[must_use]
    pub fn has_secret(&self, name: &str) -> bool {
        self.attribute("secrets")
            .is_none_or(|names| names.split(',').any(|known| known.trim() == name))
    }

    /// Writes a line to the agent's log.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect();
        host::log(self.call, level, message, &fields);
    }
}
