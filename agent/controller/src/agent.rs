//! The agent: watches, one queue, a bounded number of workers.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use sluice_core::policy::Policy;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::context::{Context, Ports};
use crate::queue::{Key, Queue};
use crate::trigger::registry::Polls;
use crate::world::World;
use crate::{pipeline, rollout, watches};

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
}

/// Why the agent stopped.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A task that must run as long as the agent does has ended.
    #[error("{0} ended; the agent stops so that it is started again")]
    TaskEnded(String),
}

/// A running agent: everything it does happens inside [`Agent::run`]; dropping that future stops it
/// at whatever instruction it is.
pub struct Agent {
    context: Arc<Context>,
    background: JoinSet<()>,
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
        let world = watches::start(
            &client,
            config.namespace.as_deref(),
            &config.target_namespaces,
            &queue,
            &mut background,
        );
        let context = Arc::new(Context {
            client,
            ports,
            policy,
            world,
            queue,
            calls: Calls::default(),
            polls: Polls::default(),
        });
        Self {
            context,
            background,
        }
    }

    /// The agent's view of its own objects, for the web page.
    pub fn world(&self) -> World {
        self.context.world.clone()
    }

    /// Works until it is dropped.
    ///
    /// # Errors
    /// A watch has ended for good.
    pub async fn run(mut self) -> Result<(), AgentError> {
        if !watches::ready(&self.context.world).await {
            return Err(AgentError::TaskEnded("a watch".into()));
        }
        let mut policy = self.context.policy.clone();
        let mut workers: JoinSet<Key> = JoinSet::new();
        loop {
            tokio::select! {
                key = self.context.queue.next(), if workers.len() < WORKERS => {
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
                Some(ended) = self.background.join_next() => {
                    return Err(AgentError::TaskEnded(format!("a watch ({ended:?})")));
                }
            }
        }
    }

    fn look_at_everything(&self) {
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

/// Looks at one object and says when to look again.
async fn work(context: &Arc<Context>, key: &Key) {
    let wait: Option<Duration> = match key {
        Key::Pipeline { namespace, name } => pipeline::reconcile(context, namespace, name).await,
        Key::Rollout { namespace, name } => rollout::reconcile(context, namespace, name).await,
    };
    if let Some(wait) = wait {
        context.queue.after(key.clone(), wait);
    }
}
