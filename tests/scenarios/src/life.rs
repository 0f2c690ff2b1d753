//! The agent's life: it runs until a planned crash strikes, and then a new one starts from nothing
//! but the cluster.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_cluster::lease::LeaseName;
use sluice_controller::{Agent, AgentConfig, LeaseConfig, Ports};
use sluice_core::lease::Timing;
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use sluice_sim::{AgentClient, SimClock};
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

/// One process of the agent, from its start to whatever ends it.
pub struct Process {
    /// Its connection to the cluster, which can crash or be paused.
    pub client: AgentClient,
    /// What runs in it.
    pub agent: Agent,
}

impl Process {
    /// Starts one; with the name of a Lease's holder it leads only while it has that Lease.
    pub fn start(
        stage: &Stage,
        policy: watch::Receiver<Arc<Policy>>,
        identity: Option<&str>,
    ) -> Self {
        let client = stage.cluster.client_instance(&stage.cluster.agent());
        let ports = Ports {
            plugins: stage.plugins.clone(),
            registry: stage.registry.clone(),
            clock: Arc::new(ClusterClock(stage.cluster.clock())),
            sink: stage.sink.clone(),
        };
        let config = AgentConfig {
            namespace: Some("delivery".into()),
            lease: identity.map(|identity| LeaseConfig {
                at: LeaseName {
                    namespace: "sluice".into(),
                    name: "sluice".into(),
                },
                identity: identity.into(),
                timing: Timing::default(),
            }),
            ..AgentConfig::default()
        };
        let agent = Agent::new(client.client.clone(), &config, ports, policy);
        Self { client, agent }
    }
}

/// One agent after the other.
pub struct Life {
    policy: watch::Sender<Arc<Policy>>,
    restart: Duration,
}

impl Life {
    /// A life under the policy of the stage.
    pub fn new(stage: &Stage) -> Self {
        Self {
            policy: watch::Sender::new(stage.policy.clone()),
            restart: RESTART,
        }
    }

    /// A life in which there is nobody for so long after each death.
    #[must_use]
    pub fn resting(mut self, time: Duration) -> Self {
        self.restart = time;
        self
    }

    /// The policy, for a process that is started beside.
    pub fn policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.policy.subscribe()
    }

    /// Changes the policy under the running agent.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.send_replace(Arc::new(policy));
    }

    /// Runs agents for ever: drop it to end the story.
    pub async fn go_on(&self, stage: &Stage) {
        loop {
            let Process { client, agent } = Process::start(stage, self.policy(), None);
            tokio::select! {
                ended = agent.run() => panic!("the agent ended by itself: {ended:?}"),
                () = client.crashed() => {}
            }
            tokio::time::sleep(self.restart).await;
        }
    }
}
