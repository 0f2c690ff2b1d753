//! The whole simulated cluster as one value under one lock: every request and every step of the
//! built-in controllers is a synchronous change of it, so a run is a sequence that a seed replays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::admission::Guards;
use crate::api::resource::Resource;
use crate::api::store::{Change, ChangeKind, Key, Object, Store};
use crate::clock::{SimClock, rfc3339};
use crate::driver::Network;
use crate::fault::FaultBook;
use crate::identity::Identities;
use crate::image::Images;
use crate::json;
use crate::runs::Runs;
use crate::timeline::{Moment, Observer, Timeline};
use crate::timing::Timing;
use crate::workload::front::Front;
use crate::workload::job::JobMemory;
use crate::workload::pod::PodRuntime;
use crate::workload::pod_status::NODE;
use crate::workload::queue::Queue;
use crate::writes::WriteLog;

/// State of the cluster.
pub(crate) struct Model {
    pub(crate) store: Store,
    pub(crate) clock: SimClock,
    pub(crate) random: SmallRng,
    pub(crate) timing: Timing,
    pub(crate) guards: Guards,
    pub(crate) identities: Identities,
    pub(crate) images: Images,
    pub(crate) network: Box<dyn Network>,
    pub(crate) queue: Queue,
    /// The gateways that listen.
    pub(crate) fronts: Vec<Front>,
    /// The nodes that DaemonSets serve.
    pub(crate) nodes: Vec<String>,
    pub(crate) pods: BTreeMap<Key, PodRuntime>,
    /// What the Job controller remembers, by the Job's uid.
    pub(crate) jobs: BTreeMap<String, JobMemory>,
    pub(crate) faults: FaultBook,
    pub(crate) writes: WriteLog,
    pub(crate) timeline: Timeline,
    pub(crate) runs: Runs,
    pub(crate) observers: Vec<Observer>,
    /// Namespaces that were deleted: only an explicit create brings them back.
    pub(crate) gone_namespaces: BTreeSet<String>,
    /// What the simulator could not do, such as bind an address; for the test's message.
    pub(crate) problems: Vec<String>,
    /// Client instances so far.
    pub(crate) instances: u64,
    head: watch::Sender<u64>,
    seed: u64,
    uids: u64,
}

/// Nodes of a cluster, unless the builder says otherwise.
pub(crate) const DEFAULT_NODES: usize = 3;

/// How many problems are kept: the first ones tell the story.
const PROBLEMS: usize = 100;

impl Model {
    pub(crate) fn new(
        seed: u64,
        history: usize,
        clock: SimClock,
        timing: Timing,
        agent: String,
        network: Box<dyn Network>,
    ) -> Self {
        let store = Store::new(history);
        let head = watch::Sender::new(store.version());
        let mut model = Self {
            store,
            clock,
            random: SmallRng::seed_from_u64(seed),
            timing,
            guards: Guards {
                agent,
                ..Guards::default()
            },
            identities: Identities::default(),
            images: Images::default(),
            network,
            queue: Queue::default(),
            fronts: Vec::new(),
            nodes: nodes(DEFAULT_NODES),
            pods: BTreeMap::new(),
            jobs: BTreeMap::new(),
            faults: FaultBook::default(),
            writes: WriteLog::default(),
            timeline: Timeline::default(),
            runs: Runs::default(),
            observers: Vec::new(),
            gone_namespaces: BTreeSet::new(),
            problems: Vec::new(),
            instances: 0,
            head,
            seed,
            uids: 0,
        };
        for namespace in ["default", "kube-system"] {
            model.ensure_namespace(namespace);
        }
        model
    }

    /// Wakes whoever waits for changes; the value is the newest resource version.
    pub(crate) fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Lets every watch look again although nothing changed.
    pub(crate) fn wake_watches(&self) {
        self.head.send_replace(self.store.version());
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The present second as objects hold it.
    pub(crate) fn now_text(&self) -> String {
        rfc3339(self.now())
    }

    /// A uid that the seed decides.
    pub(crate) fn next_uid(&mut self) -> String {
        self.uids += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(self.uids.to_le_bytes());
        let hex: String = hash
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!(
            "{}-{}-4{}-8{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        )
    }

    /// Random letters for a generated name.
    pub(crate) fn suffix(&mut self, length: usize) -> String {
        let bytes: Vec<u8> = (0..length).map(|_| self.random.random()).collect();
        json::safe_name(&bytes, length)
    }

    pub(crate) fn problem(&mut self, problem: String) {
        tracing::warn!(%problem, "simulated cluster");
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Namespaces come into being with their first object.
    pub(crate) fn ensure_namespace(&mut self, namespace: &str) {
        let key = Key::new(Resource::Namespaces, "", namespace);
        if namespace.is_empty() || self.store.get(&key).is_some() {
            return;
        }
        let uid = self.next_uid();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": namespace,
                "uid": uid,
                "creationTimestamp": self.now_text(),
                "labels": { "kubernetes.io/metadata.name": namespace },
            },
            "spec": { "finalizers": ["kubernetes"] },
            "status": { "phase": "Active" },
        });
        self.put(key, object);
    }

    /// Stores a version of an object and lets everyone see the change.
    pub(crate) fn put(&mut self, key: Key, value: Value) -> Arc<Object> {
        let change = self.store.put(key, value, Instant::now());
        let object = Arc::clone(&change.after);
        self.after(&change);
        object
    }

    /// Removes an object and lets everyone see it.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        let change = self.store.remove(key, Instant::now())?;
        let object = Arc::clone(&change.after);
        self.after(&change);
        Some(object)
    }

    /// Changes an object from within the cluster. Nothing happens when nothing differs.
    pub(crate) fn modify(&mut self, key: &Key, change: impl FnOnce(&mut Value)) -> bool {
        let Some(before) = self.object(key) else {
            return false;
        };
        let mut value = before.value().clone();
        change(&mut value);
        if value == *before.value() {
            return false;
        }
        if key.resource.info().generation && value.get("spec") != before.value().get("spec") {
            let generation = json::int(before.value(), "/metadata/generation").unwrap_or_default();
            json::set(
                &mut value,
                &["metadata", "generation"],
                json!(generation + 1),
            );
        }
        self.put(key.clone(), value);
        true
    }

    /// Creates an object from within the cluster, as a controller would.
    pub(crate) fn spawn(&mut self, key: Key, mut value: Value) -> Arc<Object> {
        let uid = self.next_uid();
        json::set(&mut value, &["metadata", "name"], json!(key.name));
        json::set(&mut value, &["metadata", "namespace"], json!(key.namespace));
        json::set(&mut value, &["metadata", "uid"], json!(uid));
        json::set(
            &mut value,
            &["metadata", "creationTimestamp"],
            json!(self.now_text()),
        );
        if key.resource.info().generation {
            json::set(&mut value, &["metadata", "generation"], json!(1));
        }
        self.put(key, value)
    }

    fn after(&mut self, change: &Change) {
        self.head.send_replace(change.version);
        self.react(change);
        self.note_traffic(change);
        if self.observers.is_empty() {
            return;
        }
        let observers = std::mem::take(&mut self.observers);
        let moment = Moment::new(self, change);
        for observer in &observers {
            observer(&moment);
        }
        self.observers = observers;
    }

    /// How many ready addresses a Service has now, as its EndpointSlices say.
    pub(crate) fn ready_behind(&self, namespace: &str, service: &str) -> usize {
        self.ready_endpoints(namespace, service).count()
    }

    /// The EndpointSlices of a Service.
    pub(crate) fn slices<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.store
            .list(Resource::EndpointSlices, Some(namespace))
            .filter(move |(_, slice)| {
                let labels = "/metadata/labels";
                json::entry(slice.value(), labels, "kubernetes.io/service-name") == Some(service)
            })
            .map(|(_, slice)| slice.value())
    }

    /// The ready endpoints of a Service.
    pub(crate) fn ready_endpoints<'a>(
        &'a self,
        namespace: &'a str,
        service: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.slices(namespace, service)
            .flat_map(|slice| json::list(slice, "/endpoints"))
            .filter(|endpoint| json::flag(endpoint, "/conditions/ready"))
    }

    /// The ready addresses of a Service.
    pub(crate) fn ready_addresses(&self, namespace: &str, service: &str) -> Vec<String> {
        self.ready_endpoints(namespace, service)
            .map(|endpoint| json::text(endpoint, "/addresses/0").to_owned())
            .collect()
    }

    /// The live version of an object, to hold while the model changes.
    pub(crate) fn object(&self, key: &Key) -> Option<Arc<Object>> {
        self.store.get(key).map(Arc::clone)
    }

    /// The live object, if it is there.
    pub(crate) fn value(&self, key: &Key) -> Option<&Value> {
        self.store.get(key).map(|object| object.value())
    }
}

/// The names of so many nodes. The first is where all other pods run.
pub(crate) fn nodes(count: usize) -> Vec<String> {
    let more = (2..=count).map(|number| format!("{NODE}-{number}"));
    (count > 0)
        .then(|| NODE.to_owned())
        .into_iter()
        .chain(more)
        .collect()
}

/// Whether a change removed the object.
pub(crate) fn is_removal(change: &Change) -> bool {
    change.kind == ChangeKind::Deleted
}
