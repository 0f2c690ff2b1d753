//! The scheduler and the kubelet: a pod's way from pending to gone.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::store::Key;
use crate::image::{Later, Readiness, Run, Scene};
use crate::model::Model;
use crate::timing;
use crate::workload::configuration::Missing;
use crate::workload::pod_start::scene;
use crate::workload::queue::Work;

/// The longest wait of a crash loop.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Where a pod stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// Being scheduled and pulled.
    Pending,
    /// The image does not exist.
    NoImage { image: String },
    /// The container could not be set up.
    Broken { why: String },
    /// A ConfigMap or Secret is not there.
    Unconfigured { missing: Missing },
    /// The container runs and is not ready yet.
    Starting { ready_at: Instant },
    /// Ready.
    Ready { since: Instant },
    /// Runs and will never be ready.
    Unready,
    /// A Job's container: runs until its end, if it has one.
    Running { ends: Option<Instant> },
    /// A Job's container that has ended for good.
    Ended,
    /// Exited; starts again.
    BackOff { until: Instant },
    /// Deleted; answers what is still under way.
    Draining { until: Instant },
}

/// What the kubelet remembers of a pod.
#[derive(Clone, Debug)]
pub(crate) struct PodRuntime {
    pub(crate) stage: Stage,
    pub(crate) address: Option<Ipv4Addr>,
    /// `repository@sha256:…` per container, in the order of the spec.
    pub(crate) image_ids: Vec<String>,
    pub(crate) restarts: u32,
    pub(crate) started: Option<Instant>,
    /// Of the first container, as it was when it started.
    pub(crate) environment: BTreeMap<String, String>,
    /// What the first container has printed, and what it had before it was started again.
    pub(crate) log: Vec<String>,
    pub(crate) previous_log: Vec<String>,
    /// Of a Job's pod: what its container does, and its number in the book of runs.
    pub(crate) run: Option<(Run, u64)>,
    /// How the first container ended last.
    pub(crate) exit: Option<Exit>,
}

/// The end of a container.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) at: Instant,
}

impl Model {
    /// A new pod: the scheduler sees it after a while.
    pub(crate) fn admit_pod(&mut self, key: &Key) {
        let runtime = PodRuntime {
            stage: Stage::Pending,
            address: None,
            image_ids: Vec::new(),
            restarts: 0,
            started: None,
            environment: BTreeMap::new(),
            log: Vec::new(),
            previous_log: Vec::new(),
            run: None,
            exit: None,
        };
        self.pods.insert(key.clone(), runtime);
        let delay = timing::draw(&mut self.random, &self.timing.pod_start);
        self.queue_at(Work::Pod(key.clone()), Instant::now() + delay);
    }

    /// Since when a pod is ready.
    pub(crate) fn ready_since(&self, key: &Key) -> Option<Instant> {
        match self.pods.get(key)?.stage {
            Stage::Ready { since } => Some(since),
            Stage::Pending
            | Stage::NoImage { .. }
            | Stage::Broken { .. }
            | Stage::Unconfigured { .. }
            | Stage::Starting { .. }
            | Stage::Unready
            | Stage::Running { .. }
            | Stage::Ended
            | Stage::BackOff { .. }
            | Stage::Draining { .. } => None,
        }
    }

    /// Moves a pod on if its time has come.
    pub(crate) fn tick_pod(&mut self, key: &Key) {
        let Some(stage) = self.pods.get(key).map(|runtime| runtime.stage.clone()) else {
            return;
        };
        let now = Instant::now();
        match stage {
            Stage::Pending
            | Stage::NoImage { .. }
            | Stage::Broken { .. }
            | Stage::Unconfigured { .. } => self.start_pod(key),
            Stage::Starting { ready_at } if ready_at <= now => self.finish_start(key),
            Stage::BackOff { until } if until <= now => self.start_pod(key),
            Stage::Running { ends: Some(at) } if at <= now => self.end_run(key),
            Stage::Ready { since } => self.age(key, since),
            Stage::Draining { until } if until <= now => {
                self.stop_pod(key);
                self.remove(key);
            }
            Stage::Starting { ready_at: at }
            | Stage::BackOff { until: at }
            | Stage::Running { ends: Some(at) }
            | Stage::Draining { until: at } => self.queue_at(Work::Pod(key.clone()), at),
            Stage::Running { ends: None } | Stage::Ended | Stage::Unready => {}
        }
    }

    fn finish_start(&mut self, key: &Key) {
        let Some(runtime) = self.pods.get_mut(key) else {
            return;
        };
        let first = runtime.image_ids.first().map_or("", String::as_str);
        let readiness = self
            .images
            .behaviour(first)
            .map_or(Readiness::Never, |behaviour| behaviour.readiness);
        let now = Instant::now();
        match readiness {
            Readiness::Ready => {
                if let Some(address) = runtime.address {
                    self.network.ready(address);
                }
                self.set_stage(key, Stage::Ready { since: now });
                self.age(key, now);
            }
            Readiness::Never => self.set_stage(key, Stage::Unready),
            Readiness::CrashLoop => self.crash(key, 1, String::new()),
        }
    }

    /// What becomes of a container that is ready since then.
    fn age(&mut self, key: &Key, since: Instant) {
        let Some(runtime) = self.pods.get(key) else {
            return;
        };
        let first = runtime.image_ids.first().map_or("", String::as_str);
        let later = self
            .images
            .behaviour(first)
            .and_then(|behaviour| behaviour.later);
        match later {
            Some((after, _)) if Instant::now() < since + after => {
                self.queue_at(Work::Pod(key.clone()), since + after);
            }
            Some((_, Later::Unready)) => self.set_stage(key, Stage::Unready),
            Some((_, Later::Crashes)) => self.crash(key, 1, String::new()),
            None => {}
        }
    }

    /// The container exits, to be started again after a while.
    pub(crate) fn crash(&mut self, key: &Key, code: i32, message: String) {
        self.print(key, &format!("exits with {code}"));
        let now = Instant::now();
        let Some(runtime) = self.pods.get_mut(key) else {
            return;
        };
        let doubled = self.timing.crash_back_off * 2_u32.saturating_pow(runtime.restarts.min(16));
        let until = now + doubled.min(LONGEST_BACK_OFF);
        runtime.restarts += 1;
        if let Some(address) = runtime.address {
            self.network.crashed(address, true);
        }
        runtime.exit = Some(Exit {
            code,
            message,
            at: now,
        });
        self.set_stage(key, Stage::BackOff { until });
        self.queue_at(Work::Pod(key.clone()), until);
    }

    /// Adds a line to the log of a pod's first container.
    pub(crate) fn print(&mut self, key: &Key, line: &str) {
        if let Some(runtime) = self.pods.get_mut(key) {
            runtime.log.push(line.to_owned());
        }
    }

    /// A pod was deleted: it answers a little longer.
    pub(crate) fn drain_pod(&mut self, key: &Key, drain: Duration) {
        let until = Instant::now() + drain;
        let Some(runtime) = self.pods.get_mut(key) else {
            return;
        };
        runtime.stage = Stage::Draining { until };
        if let Some(address) = runtime.address {
            self.network.drain(address);
        }
        self.queue_at(Work::Pod(key.clone()), until);
    }

    /// The container stops now.
    pub(crate) fn stop_pod(&mut self, key: &Key) {
        if let Some(address) = self.pods.get(key).and_then(|runtime| runtime.address) {
            self.network.stop(address);
        }
        self.kill_run(key);
    }

    pub(crate) fn set_stage(&mut self, key: &Key, stage: Stage) {
        if let Some(runtime) = self.pods.get_mut(key) {
            runtime.stage = stage;
        }
        self.write_pod_status(key);
    }

    /// The pod that answers at an address, with what it needs to answer.
    pub(crate) fn pod_at(&self, address: Ipv4Addr) -> Option<(String, Scene)> {
        let (key, runtime) = self
            .pods
            .iter()
            .find(|(_, runtime)| runtime.address == Some(address))?;
        match runtime.stage {
            Stage::Starting { .. }
            | Stage::Ready { .. }
            | Stage::Unready
            | Stage::Running { .. }
            | Stage::Draining { .. } => {}
            Stage::Pending
            | Stage::NoImage { .. }
            | Stage::Broken { .. }
            | Stage::Unconfigured { .. }
            | Stage::Ended
            | Stage::BackOff { .. } => return None,
        }
        let pod = self.value(key)?;
        let mut scene = scene(key, pod, runtime.environment.clone());
        scene.files = self.files(key, pod);
        if let Stage::Ready { since } = runtime.stage {
            scene.ready_for = Instant::now().saturating_duration_since(since);
        }
        Some((runtime.image_ids.first()?.clone(), scene))
    }
}
