//! The agent: watches, one queue, a bounded number of workers.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use sluice_cluster::writer::{Fence, Writer};
use sluice_core::policy::Policy;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::context::{Context, Ports};
use crate::everything::{self, Told};
use crate::guards::Guards;
use crate::health::{Health, Looks};
use crate::hints::Hints;
use crate::leader::{self, LeaseConfig, Resignation, Tenure};
use crate::own::OwnWrites;
use crate::pace::Pace;
use crate::pipeline::Facts;
use crate::queue::{Key, Queue};
use crate::trigger::registry::Polls;
use crate::world::World;
use crate::{freshness, leftover, pipeline, rollout, watches};

/// Objects that are worked on at the same time. Work waits for the API server, not for the
/// processor; more would only fill its queue.
const WORKERS: usize = 32;

/// Where the agent looks.
#[derive(Clone, Debug, Default)]
pub struct AgentConfig {
    /// Namespace of Pipelines, Rollouts, Approvals and Requests; none: all.
    pub namespace: Option<String>,
    /// Namespaces of targets, one watch each. Empty: all, in one watch.
    pub target_namespaces: Vec<String>,
    /// The Lease that says which of several agents works. None: this is the only one.
    pub lease: Option<LeaseConfig>,
    /// Calls of the API server in a second that ordinary work may make; rollbacks are not counted.
    /// 0: no limit.
    pub calls_per_second: u32,
}

/// Why the agent stopped.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A task that must run as long as the agent does has ended.
    #[error("{0} ended; the agent stops so that it is started again")]
    TaskEnded(String),
    /// It does not lead any more.
    #[error("{0}: this agent stops, another one goes on")]
    Deposed(String),
}

/// A running agent: everything it does happens inside [`Agent::run`]; dropping that future stops it
/// at whatever instruction it is.
pub struct Agent {
    context: Arc<Context>,
    background: JoinSet<()>,
    lease: Option<LeaseConfig>,
    leads: watch::Sender<bool>,
    ready: watch::Sender<bool>,
}

impl Agent {
    /// Starts the watches. Nothing is decided before [`Agent::run`].
    pub fn new(
        client: Client,
        config: &AgentConfig,
        ports: Ports,
        policy: watch::Receiver<Arc<Policy>>,
    ) -> Self {
        let queue = Arc::new(Queue::default());
        let mut background = JoinSet::new();
        let renewal = Arc::new(Notify::new());
        let world = watches::start(
            &client,
            config.namespace.as_deref(),
            &config.target_namespaces,
            &queue,
            &renewal,
            &mut background,
        );
        let tenure = config.lease.as_ref().map(|_| Arc::new(Tenure::new()));
        let writer = match &tenure {
            Some(tenure) => {
                let fence: Arc<dyn Fence> = tenure.clone();
                Writer::fenced(client.clone(), fence)
            }
            None => Writer::unfenced(client.clone()),
        };
        let context = Arc::new(Context {
            client,
            writer,
            tenure,
            own: OwnWrites::default(),
            guards: Guards::default(),
            looks: Arc::new(Looks::default()),
            pace: Pace::new(config.calls_per_second),
            ports,
            policy,
            world,
            renewal,
            queue,
            calls: Calls::default(),
            polls: Polls::default(),
            facts: Facts::default(),
            line: Mutex::new(()),
            told: Told::default(),
            namespace: config.namespace.clone(),
        });
        Self {
            context,
            background,
            lease: config.lease.clone(),
            leads: watch::Sender::new(config.lease.is_none()),
            ready: watch::Sender::new(false),
        }
    }

    /// The agent's view of its own objects, for the web page.
    pub fn world(&self) -> World {
        self.context.world.clone()
    }

    /// For probes and metrics.
    pub fn health(&self) -> Health {
        Health {
            world: self.world(),
            looks: self.context.looks.clone(),
            leads: self.leads.subscribe(),
            ready: self.ready.subscribe(),
            policy: self.context.policy.clone(),
            clock: self.context.ports.clock.clone(),
        }
    }

    /// Takes hints that a repository may hold something new, for the web door.
    pub fn hints(&self) -> Hints {
        Hints::new(&self.context)
    }

    /// For the end: to be handed in when [`Agent::run`] was dropped.
    pub fn resignation(&self) -> Option<Resignation> {
        Some(Resignation {
            client: self.context.client.clone(),
            config: self.lease.clone()?,
            tenure: self.context.tenure.clone()?,
            clock: self.context.ports.clock.clone(),
        })
    }

    /// Works until it is dropped.
    ///
    /// # Errors
    /// A watch has ended for good, or another agent leads.
    pub async fn run(mut self) -> Result<(), AgentError> {
        if !watches::ready(&self.context.world).await {
            return Err(AgentError::TaskEnded("a watch".into()));
        }
        self.ready.send_replace(true);
        self.background.spawn(freshness::keep(
            self.context.clone(),
            self.context.namespace.clone(),
            self.leads.subscribe(),
        ));
        let mut leads = self.leads.subscribe();
        let mut campaign = JoinSet::new();
        if let (Some(config), Some(tenure)) = (&self.lease, &self.context.tenure) {
            let world = self.context.world.clone();
            campaign.spawn(leader::campaign(
                self.context.client.clone(),
                config.clone(),
                tenure.clone(),
                self.context.ports.clock.clone(),
                move || highest_epoch(&world),
                self.leads.clone(),
            ));
        }
        let mut policy = self.context.policy.clone();
        let mut workers: JoinSet<Key> = JoinSet::new();
        loop {
            tokio::select! {
                key = self.context.queue.next(), if workers.len() < WORKERS && *leads.borrow() => {
                    let context = Arc::clone(&self.context);
                    workers.spawn(async move {
                        work(&context, &key).await;
                        key
                    });
                }
                Some(ended) = workers.join_next() => match ended {
                    Ok(key) => self.context.queue.done(&key),
                    // A panic is a bug of ours; the process restarts and the journal goes on.
                    Err(e) => return Err(AgentError::TaskEnded(format!("a worker ({e})"))),
                },
                changed = policy.changed() => match changed {
                    Ok(()) => self.look_at_everything(),
                    Err(_) => return Err(AgentError::TaskEnded("the policy's source".into())),
                },
                changed = leads.changed() => match changed {
                    // What the leader before left undone, and may still try to write.
                    Ok(()) => self.look_at_everything(),
                    Err(_) => return Err(AgentError::TaskEnded("leading".into())),
                },
                Some(ended) = campaign.join_next() => {
                    return Err(match ended {
                        Ok(why) => AgentError::Deposed(why),
                        Err(e) => AgentError::TaskEnded(format!("the keeper of the Lease ({e})")),
                    });
                }
                Some(ended) = self.background.join_next() => {
                    return Err(AgentError::TaskEnded(format!("a watch ({ended:?})")));
                }
            }
        }
    }

    fn look_at_everything(&self) {
        self.context.queue.now(Key::Everything);
        for p in self.context.world.pipelines.state() {
            self.context.queue.now(watches::pipeline_key(&p));
        }
        for r in self.context.world.rollouts.state() {
            use kube::ResourceExt;
            let namespace = r.namespace().unwrap_or_default();
            self.context.queue.now(Key::Rollout {
                namespace,
                name: r.name_any(),
            });
        }
    }
}

/// The highest epoch that any leader noted: a Lease that is made anew begins above it (F4).
fn highest_epoch(world: &World) -> u64 {
    let rollouts = world.rollouts.state();
    let pipelines = world.pipelines.state();
    let of_rollouts = rollouts
        .iter()
        .filter_map(|r| Some(r.status.as_ref()?.epoch));
    let of_pipelines = pipelines
        .iter()
        .filter_map(|p| Some(p.status.as_ref()?.epoch));
    of_rollouts.chain(of_pipelines).max().unwrap_or(0)
}

/// Looks at one object and says when to look again.
async fn work(context: &Arc<Context>, key: &Key) {
    let wait: Option<Duration> = match key {
        Key::Everything => everything::reconcile(context).await,
        Key::Pipeline { namespace, name } => pipeline::reconcile(context, namespace, name).await,
        Key::Rollout { namespace, name } => {
            let wait = rollout::reconcile(context, namespace, name).await;
            context.looks.looked(namespace, name);
            wait
        }
        Key::Canary {
            namespace,
            name,
            rollout_uid,
        } => leftover::reconcile(context, namespace, name, rollout_uid).await,
    };
    if let Some(wait) = wait {
        context.queue.after(key.clone(), wait);
    }
}
