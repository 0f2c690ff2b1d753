//! The agent's life: it runs until a planned crash strikes, and then a new one starts from nothing
//! but the cluster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_controller::{Agent, AgentConfig, Ports};
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use sluice_sim::SimClock;
use tokio::sync::watch;

use crate::stage::Stage;

/// How long the kubelet takes to start the agent's container again.
const RESTART: Duration = Duration::from_secs(2);

struct ClusterClock(SimClock);

impl Clock for ClusterClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// One agent after the other.
pub struct Life {
    policy: watch::Sender<Arc<Policy>>,
}

impl Life {
    /// A life under the policy of the stage.
    pub fn new(stage: &Stage) -> Self {
        Self {
            policy: watch::Sender::new(stage.policy.clone()),
        }
    }

    /// Changes the policy under the running agent.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.send_replace(Arc::new(policy));
    }

    /// Runs agents for ever: drop it to end the story.
    pub async fn go_on(&self, stage: &Stage) {
        loop {
            let process = stage.cluster.client_instance(&stage.cluster.agent());
            let ports = Ports {
                plugins: stage.plugins.clone(),
                registry: stage.registry.clone(),
                clock: Arc::new(ClusterClock(stage.cluster.clock())),
                sink: stage.sink.clone(),
            };
            let config = AgentConfig {
                namespace: Some("delivery".into()),
                ..AgentConfig::default()
            };
            let agent = Agent::new(
                process.client.clone(),
                &config,
                ports,
                self.policy.subscribe(),
            );
            tokio::select! {
                ended = agent.run() => panic!("the agent ended by itself: {ended:?}"),
                () = process.crashed() => {}
            }
            tokio::time::sleep(RESTART).await;
        }
    }
}
