//! What the doors for machines need of the rest of the agent. Web knows neither the registry client
//! nor the plugin host; the wiring puts them behind these.

use std::sync::Arc;

use jiff::Timestamp;
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginFault};
use sluice_core::policy::Identity;
use sluice_core::port::BoxFuture;

/// Takes hints that a repository may hold something new.
pub trait Hints: Send + Sync {
    /// Looks at this repository soon, spelled as the Pipelines that watch it spell it. Answers how
    /// many environments will look. Never waits.
    fn look(&self, repository: &str) -> usize;
}

/// A callback that the plugin host found to be what the operator granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The plugin that it is for.
    pub plugin: String,
    /// Who sent it, as the verified sender names them; never what a plugin says.
    pub person: Identity,
    /// The approval hash that it is about, if it is about any.
    pub subject: Option<String>,
    /// The headers that a plugin may see.
    pub headers: Vec<(String, String)>,
    /// The document, as the host read it.
    pub body: Vec<u8>,
}

/// Why a callback goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackRefused {
    /// HTTP status: 400, 401, 403, 404, 413, or 503 where the fault is the agent's.
    pub status: u16,
    /// One sentence without secrets and without anything out of the callback.
    pub sentence: String,
}

/// Verifies callbacks of approval providers, and lets their plugins read them.
pub trait Callbacks: Send + Sync {
    /// Verifies one callback as it came over the wire. It is done before anything else.
    ///
    /// # Errors
    /// Not signed, not by whom, not now, or by somebody who may not press buttons.
    fn receive<'a>(
        &'a self,
        plugin: &'a str,
        headers: &'a [(String, String)],
        raw_body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Verified, CallbackRefused>>;

    /// Asks a plugin one question. Bounded by the plugin's own deadline.
    fn ask(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer>;
}

/// Reads the secrets of senders.
pub trait Secrets: Send + Sync {
    /// The value of `NAME/KEY`, read now so that a rotated one counts at once.
    ///
    /// # Errors
    /// Why it cannot be had, without the value.
    fn read<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, String>>;
}

/// All of them. By default there is nothing behind any.
#[derive(Clone)]
pub struct Doors {
    /// For hooks of registries.
    pub hints: Arc<dyn Hints>,
    /// For callbacks of approval providers.
    pub callbacks: Arc<dyn Callbacks>,
    /// For senders that sign.
    pub secrets: Arc<dyn Secrets>,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            hints: Arc::new(Nothing),
            callbacks: Arc::new(Nothing),
            secrets: Arc::new(Nothing),
        }
    }
}

struct Nothing;

impl Hints for Nothing {
    fn look(&self, _: &str) -> usize {
        0
    }
}

impl Callbacks for Nothing {
    fn receive<'a>(
        &'a self,
        _: &'a str,
        _: &'a [(String, String)],
        _: &'a [u8],
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Verified, CallbackRefused>> {
        Box::pin(async {
            Err(CallbackRefused {
                status: 404,
                sentence: "no plugin may be called back here".to_owned(),
            })
        })
    }

    fn ask(&self, _: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        let fault = PluginFault {
            code: "plugin/missing".to_owned(),
            message: "there are no plugins here".to_owned(),
            retryable: false,
        };
        Box::pin(async { PluginAnswer::Failed(fault) })
    }
}

impl Secrets for Nothing {
    fn read<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async { Err("there is no folder of secrets".to_owned()) })
    }
}
