//! The images that the simulated kubelet can run, and how their containers behave.

mod rule;
mod run;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

pub use crate::image::rule::Rule;
pub(crate) use crate::image::run::End;
pub use crate::image::run::Run;
pub use crate::image::table::Images;

/// What a container does once it runs.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The version that the container reports, such as `v1.2.0`.
    pub version: String,
    /// From the container's start to its readiness.
    pub startup: Duration,
    /// Whether it becomes ready at all.
    pub readiness: Readiness,
    /// What becomes of it some time after it was ready.
    pub(crate) later: Option<(Duration, Later)>,
    rules: Vec<Rule>,
    runs: Vec<Run>,
}

/// Whether a container becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// After its start-up time.
    Ready,
    /// Runs, but its probe never passes.
    Never,
    /// Exits after its start-up time, again and again.
    CrashLoop,
}

/// What becomes of a container that was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Later {
    /// It runs on and its probe fails.
    Unready,
    /// It exits; the kubelet starts it again.
    Crashes,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Body; a JSON string is sent as plain text, all else as JSON.
    pub body: Value,
    /// How long the answer takes.
    pub latency: Duration,
}

/// Where and when a request meets a container.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) environment: BTreeMap<String, String>,
    /// Command and arguments of the first container.
    pub(crate) arguments: Vec<String>,
    /// What ConfigMaps and Secrets hold that the pod has as volumes.
    pub(crate) files: BTreeMap<String, String>,
    /// Time since the container became ready.
    pub(crate) ready_for: Duration,
}

impl Behaviour {
    /// A healthy container: ready after half a second, `/` tells version and pod, `/health` and
    /// `/ready` say yes, everything else is 404.
    pub fn serving(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            startup: Duration::from_millis(500),
            readiness: Readiness::Ready,
            later: None,
            rules: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Sets the start-up time.
    #[must_use]
    pub fn startup(mut self, startup: Duration) -> Self {
        self.startup = startup;
        self
    }

    /// Sets whether it becomes ready.
    #[must_use]
    pub fn readiness(mut self, readiness: Readiness) -> Self {
        self.readiness = readiness;
        self
    }

    /// Runs on, but is not ready any more from this time after it became so: a version that passes its
    /// checks and fails under load.
    #[must_use]
    pub fn unready_after(mut self, ready_for: Duration) -> Self {
        self.later = Some((ready_for, Later::Unready));
        self
    }

    /// Exits this time after it became ready, each time that it is started.
    #[must_use]
    pub fn crashes_after(mut self, ready_for: Duration) -> Self {
        self.later = Some((ready_for, Later::Crashes));
        self
    }

    /// Adds what the image does in a Job's pod, where it ends by itself; earlier ones win. Where
    /// none fits, it succeeds after a second.
    #[must_use]
    pub fn run(mut self, run: Run) -> Self {
        self.runs.push(run);
        self
    }

    /// What the container does in a Job's pod.
    pub(crate) fn run_in(&self, scene: &Scene) -> Run {
        self.runs
            .iter()
            .find(|run| run.fits(scene))
            .cloned()
            .unwrap_or_else(Run::succeeds)
    }

    /// Adds a rule; earlier rules win.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// What the container answers.
    pub(crate) fn answer(&self, path: &str, scene: &Scene) -> Answer {
        let path = path.split('?').next().unwrap_or_default();
        if let Some(rule) = self.rules.iter().find(|rule| rule.fits(path, scene)) {
            return rule.answer.clone();
        }
        let (status, body) = match path {
            "/" => (200, json!({ "version": self.version, "pod": scene.pod })),
            "/health" => (200, json!({ "status": "ok", "version": self.version })),
            "/ready" => (
                200,
                json!({
                    "status": "ready",
                    "version": self.version,
                    "dependencies": { "database": "ok", "cache": "ok" },
                }),
            ),
            _ => (404, json!({ "error": "not found", "path": path })),
        };
        Answer {
            status,
            body,
            latency: Duration::ZERO,
        }
    }
}
