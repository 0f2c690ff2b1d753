//! The handle of a simulated cluster.

mod ask;
mod harm;
mod oracle;
mod shares;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, Weak};

use jiff::Timestamp;
use rand::RngExt;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::api::resource::Resource;
use crate::api::store::{Key, Object};
use crate::api::write::{Door, Options};
use crate::client::{AgentClient, Instance};
use crate::clock::SimClock;
pub use crate::cluster::shares::Shares;
use crate::driver::Network;
use crate::driver::fast::FastNetwork;
use crate::driver::real::RealNetwork;
use crate::fault::Faults;
use crate::identity::{Denial, Token, User};
use crate::image::Images;
use crate::json;
use crate::model::{self, DEFAULT_NODES, Model};
use crate::server::Server;
use crate::timing::Timing;

/// The service account that the agent runs as, unless the builder says otherwise.
pub const AGENT: &str = "system:serviceaccount:sluice:sluice";

/// A person with all rights of RBAC: the guards of Sluice's own objects bind them like anyone else.
pub const ADMIN: &str = "system:admin";

/// Why a simulated cluster could not do what a test asked.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The simulated API server refused a manifest.
    #[error("the simulated API server refused {what}: {why}")]
    Refused {
        /// Verb and object.
        what: String,
        /// Its message.
        why: String,
    },
    /// A manifest does not say what it is.
    #[error("no resource of apiVersion {api_version:?} and kind {kind:?} is simulated")]
    Unknown {
        /// As the manifest has it.
        api_version: String,
        /// As the manifest has it.
        kind: String,
    },
    /// The machine does not let the real driver listen where it must.
    #[error("{0}")]
    Network(String),
}

/// A simulated cluster. Clones are handles of the same cluster; with the last handle its
/// controllers stop and everything that it listens on closes.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) server: Arc<Server>,
    _life: Arc<Life>,
}

/// Ends a cluster when its last handle goes, even where clients are left.
struct Life(Arc<Server>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
        self.0.lock().network.shut_down();
    }
}

/// A stored version of an object, without a copy: reads like the JSON value that it is.
#[derive(Clone, Debug)]
pub struct Stored(Arc<Object>);

impl Deref for Stored {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.0.value()
    }
}

/// JSON null: what stands where there is no object.
impl Default for Stored {
    fn default() -> Self {
        Self(Arc::new(Object::new(Value::Null)))
    }
}

/// Settings of a cluster before it starts.
#[derive(Clone, Debug)]
pub struct Builder {
    seed: u64,
    start: Option<Timestamp>,
    history: usize,
    timing: Timing,
    agent: String,
    nodes: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            seed: 0,
            start: None,
            history: 10_000,
            timing: Timing::default(),
            agent: AGENT.to_owned(),
            nodes: DEFAULT_NODES,
        }
    }
}

/// Monday, 5 January 2026, 09:00 UTC: a working morning, so that no window is closed by accident.
const MORNING: i64 = 1_767_603_600;

impl Builder {
    /// The seed of names, uids and delays.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the clock shows at the start. Without it: 2026-01-05T09:00:00Z on the fast driver, the
    /// present on the real one.
    #[must_use]
    pub fn start_time(mut self, start: Timestamp) -> Self {
        self.start = Some(start);
        self
    }

    /// How many changes watches can be resumed over; older ones answer 410.
    #[must_use]
    pub fn history(mut self, changes: usize) -> Self {
        self.history = changes;
        self
    }

    /// How long things take.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// The agent's service account.
    #[must_use]
    pub fn agent(mut self, name: &str) -> Self {
        name.clone_into(&mut self.agent);
        self
    }

    /// How many nodes DaemonSets serve; 3 unless told otherwise.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Starts a cluster whose pods live in memory. Meant for a paused tokio clock; must be called
    /// within a tokio runtime.
    pub fn fast(self) -> Cluster {
        let start = self.start.or_else(|| Timestamp::from_second(MORNING).ok());
        self.launch(start.unwrap_or_default(), Box::new(FastNetwork::default()))
    }

    /// Starts a cluster whose pods are HTTP servers on loopback and whose Services are proxies
    /// before them. Must be called within a tokio runtime on the wall clock.
    pub fn real(self) -> Result<Cluster, SimError> {
        let runtime = Handle::try_current()
            .map_err(|_| SimError::Network("a cluster needs a tokio runtime".to_owned()))?;
        let network = RealNetwork::open(runtime).map_err(SimError::Network)?;
        let start = self.start.unwrap_or_else(Timestamp::now);
        Ok(self.launch(start, Box::new(network)))
    }

    fn launch(self, start: Timestamp, network: Box<dyn Network>) -> Cluster {
        let clock = SimClock::starting_at(start);
        let agent = self.agent.clone();
        let mut model = Model::new(
            self.seed,
            self.history,
            clock,
            self.timing,
            self.agent,
            network,
        );
        model.nodes = model::nodes(self.nodes);
        let server = Server::new(model);
        let drive = drive(Arc::downgrade(&server), Arc::clone(&server.wake));
        server
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(drive);
        let life = Arc::new(Life(Arc::clone(&server)));
        let cluster = Cluster {
            server,
            _life: life,
        };
        cluster.user(&agent, &[]);
        cluster.user(ADMIN, &["system:masters"]);
        cluster
    }
}

/// Lets the built-in controllers work whenever something is due.
async fn drive(server: Weak<Server>, wake: Arc<Notify>) {
    loop {
        // A strong reference while waiting would be a circle: the server owns this task.
        let next = match server.upgrade() {
            Some(server) => server.lock().run_due(),
            None => return,
        };
        match next {
            Some(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = wake.notified() => {}
                }
            }
            None => wake.notified().await,
        }
    }
}

impl Cluster {
    /// A cluster with other than the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A cluster with pods in memory, for a paused tokio clock.
    pub fn fast(seed: u64) -> Self {
        Self::builder().seed(seed).fast()
    }

    /// A cluster with pods as HTTP servers on loopback, on the wall clock.
    pub fn real() -> Result<Self, SimError> {
        Self::builder().real()
    }

    /// The cluster's clock.
    pub fn clock(&self) -> SimClock {
        self.server.lock().clock
    }

    /// The table of images.
    pub fn images(&self) -> Images {
        self.server.lock().images.clone()
    }

    /// The name of the agent's service account.
    pub fn agent(&self) -> String {
        self.server.lock().guards.agent.clone()
    }

    /// Holds the agent to its own in these namespaces, as the chart does for its
    /// `targetNamespaces`: it creates what bears its Rollout's label, empty or asleep, deletes
    /// nothing else, and changes of Services and routes what it must. Without this only the epoch
    /// is guarded.
    pub fn guard_targets(&self, namespaces: &[&str]) {
        let names = namespaces.iter().map(|name| (*name).to_owned());
        self.server.lock().guards.targets.extend(names);
    }

    // ---- Identities ------------------------------------------------------------------------

    /// Adds a user with their groups (`system:authenticated` is added). A token of theirs, good
    /// for any audience, goes into the kubeconfig.
    pub fn user(&self, name: &str, groups: &[&str]) -> User {
        let user = User::new(name, groups);
        self.server.lock().identities.add(user.clone());
        if self.token(name).is_none() {
            self.mint_token(name, &[]);
        }
        user
    }

    /// Makes a bearer token of a user; without audiences it is good for any.
    pub fn mint_token(&self, user: &str, audiences: &[&str]) -> String {
        let mut model = self.server.lock();
        let bytes: [u8; 24] = model.random.random();
        let secret = format!("sim.{}", json::safe_name(&bytes, bytes.len()));
        let audiences: BTreeSet<String> = audiences.iter().map(|name| (*name).to_owned()).collect();
        let token = Token {
            user: user.to_owned(),
            audiences,
        };
        model.identities.add_token(secret.clone(), token);
        secret
    }

    /// The token of a user that is good for any audience.
    pub fn token(&self, user: &str) -> Option<String> {
        self.server
            .lock()
            .identities
            .token_of(user)
            .map(str::to_owned)
    }

    /// Makes RBAC refuse something that it allows by default.
    pub fn deny(&self, denial: Denial) {
        self.server.lock().identities.deny(denial);
    }

    /// A kube client in the name of a user.
    pub fn client(&self, user: &str) -> kube::Client {
        self.client_instance(user).client
    }

    /// A kube client that stands for one process of this user, with its crash signal.
    pub fn client_instance(&self, user: &str) -> AgentClient {
        AgentClient::new(Arc::clone(&self.server), self.instance(user))
    }

    pub(crate) fn instance(&self, user: &str) -> Arc<Instance> {
        let mut model = self.server.lock();
        model.instances += 1;
        Instance::new(model.instances, model.identities.user(user))
    }

    /// The faults of a user.
    pub fn faults(&self, user: &str) -> Faults {
        Faults::new(Arc::clone(&self.server), user)
    }

    // ---- Objects, past every door ----------------------------------------------------------

    /// Creates or replaces an object from its manifest, its status too, in the name of the
    /// cluster's own people: no guard of Sluice's objects refuses it and the write log does not
    /// show it. Answers with the object as it is stored.
    pub fn apply(&self, manifest: Value) -> Result<Value, SimError> {
        let (api_version, kind) = (
            json::text(&manifest, "/apiVersion"),
            json::text(&manifest, "/kind"),
        );
        let Some(resource) = Resource::of_kind(api_version, kind) else {
            return Err(SimError::Unknown {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            });
        };
        let namespace = if resource.info().namespaced {
            match json::text(&manifest, "/metadata/namespace") {
                "" => "default".to_owned(),
                namespace => namespace.to_owned(),
            }
        } else {
            String::new()
        };
        let key = Key::new(
            resource,
            &namespace,
            json::text(&manifest, "/metadata/name"),
        );
        let status = manifest.get("status").cloned();
        let mut model = self.server.lock();
        let user = User::new(ADMIN, &[]);
        let options = Options {
            unguarded: true,
            ..Options::default()
        };
        let exists = model.store.get(&key).is_some();
        let written = if exists {
            let version = model
                .value(&key)
                .map(|value| json::text(value, "/metadata/resourceVersion").to_owned());
            let mut manifest = manifest;
            if let Some(version) = version {
                json::set(
                    &mut manifest,
                    &["metadata", "resourceVersion"],
                    version.into(),
                );
            }
            model.replace(&user, &key, Door::Main, manifest, &options)
        } else {
            model.create(&user, resource, &namespace, manifest, &options)
        };
        let mut stored = written.map_err(|error| SimError::Refused {
            what: format!("{} {namespace}/{}", resource.qualified(), key.name),
            why: error.message,
        })?;
        if let Some(status) = status.filter(|_| resource.info().status) {
            model.modify(&key, |value| json::set(value, &["status"], status));
            if let Some(object) = model.store.get(&key) {
                stored = Arc::clone(object);
            }
        }
        drop(model);
        self.server.wake.notify_one();
        Ok(stored.value().clone())
    }

    /// Changes an object past every guard, as an HPA, a GitOps controller or an attacker would:
    /// version and generation follow, the write log does not show it. False: nothing changed.
    pub fn modify(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> bool {
        let changed = self
            .server
            .lock()
            .modify(&Key::new(resource, namespace, name), change);
        self.server.wake.notify_one();
        changed
    }

    /// Deletes an object, a pod with its grace. False: there is none.
    pub fn delete(&self, resource: Resource, namespace: &str, name: &str) -> bool {
        let key = Key::new(resource, namespace, name);
        let deleted = self.server.lock().delete(&key, &Value::Null, false).is_ok();
        self.server.wake.notify_one();
        deleted
    }

    /// An object as it is stored.
    pub fn object(&self, resource: Resource, namespace: &str, name: &str) -> Option<Stored> {
        self.server
            .lock()
            .object(&Key::new(resource, namespace, name))
            .map(Stored)
    }

    /// All objects of a resource, of one namespace or (empty) of all.
    pub fn objects(&self, resource: Resource, namespace: &str) -> Vec<Stored> {
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        let model = self.server.lock();
        model
            .store
            .list(resource, namespace)
            .map(|(_, object)| Stored(Arc::clone(object)))
            .collect()
    }

    /// The newest resource version.
    pub fn version(&self) -> u64 {
        self.server.lock().store.version()
    }

    /// Forgets the history of changes: watches that are behind get 410.
    pub fn compact(&self) {
        self.server.lock().store.compact();
    }
}
