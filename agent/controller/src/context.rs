//! What every worker has at hand.

use std::sync::Arc;

use kube::Client;
use sluice_cluster::writer::Writer;
use sluice_core::policy::Policy;
use sluice_core::port::{Clock, PluginHost, RecordSink, Registry};
use tokio::sync::{Mutex, Notify, watch};

use crate::calls::Calls;
use crate::everything::Told;
use crate::guards::Guards;
use crate::health::Looks;
use crate::leader::Tenure;
use crate::own::OwnWrites;
use crate::pace::Pace;
use crate::pipeline::Facts;
use crate::queue::Queue;
use crate::trigger::registry::Polls;
use crate::world::World;

/// The doors to the world outside the cluster.
#[derive(Clone)]
pub struct Ports {
    /// Runs plugins.
    pub plugins: Arc<dyn PluginHost>,
    /// Reads registries.
    pub registry: Arc<dyn Registry>,
    /// The only clock.
    pub clock: Arc<dyn Clock>,
    /// Takes the records of ended Rollouts.
    pub sink: Arc<dyn RecordSink>,
}

/// Shared by all workers of one agent. Holds caches and timers only.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) writer: Writer,
    pub(crate) tenure: Option<Arc<Tenure>>,
    pub(crate) own: OwnWrites,
    pub(crate) guards: Guards,
    pub(crate) looks: Arc<Looks>,
    pub(crate) pace: Pace,
    pub(crate) ports: Ports,
    pub(crate) policy: watch::Receiver<Arc<Policy>>,
    pub(crate) world: World,
    /// Told when every watch has to begin anew.
    pub(crate) renewal: Arc<Notify>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) calls: Calls,
    pub(crate) polls: Polls,
    pub(crate) facts: Facts,
    /// Held by whoever stands in line for a place while it looks, decides and writes.
    pub(crate) line: Mutex<()>,
    /// The global stop that the Rollouts know of.
    pub(crate) told: Told,
    /// Where the agent's own objects are; none: everywhere.
    pub(crate) namespace: Option<String>,
}

impl Context {
    /// The policy as it is now.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.borrow().clone()
    }

    /// Another agent leads: this one writes nothing any more, and ends.
    pub(crate) fn deposed(&self) {
        if let Some(tenure) = &self.tenure {
            tenure.end();
        }
    }

    /// The present instant.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.ports.clock.now()
    }
}
