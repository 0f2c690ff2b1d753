//! The images that the simulated kubelet can run, and how their containers behave.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// What a container does once it runs.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The version that the container reports, such as `v1.2.0`.
    pub version: String,
    /// From the container's start to its readiness.
    pub startup: Duration,
    /// Whether it becomes ready at all.
    pub readiness: Readiness,
    rules: Vec<Rule>,
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

/// An answer to one kind of request; the first rule that fits is used.
#[derive(Clone, Debug)]
pub struct Rule {
    path: Option<String>,
    namespace: Option<String>,
    variable: Option<(String, String)>,
    ready_for: Duration,
    answer: Answer,
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
            rules: Vec::new(),
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

impl Rule {
    /// A rule for one path, without query; it answers 200 `{"status":"ok"}` until told otherwise.
    pub fn at(path: &str) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..Self::everywhere()
        }
    }

    /// A rule for every path.
    pub fn everywhere() -> Self {
        Self {
            path: None,
            namespace: None,
            variable: None,
            ready_for: Duration::ZERO,
            answer: Answer {
                status: 200,
                body: json!({ "status": "ok" }),
                latency: Duration::ZERO,
            },
        }
    }

    /// Only for pods of this namespace: a fault that only production's data shows.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only for pods whose first container has this environment variable with this value.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variable = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// Only once the container has been ready for this long: a promoted copy that goes bad.
    #[must_use]
    pub fn after(mut self, ready_for: Duration) -> Self {
        self.ready_for = ready_for;
        self
    }

    /// Sets the answer.
    #[must_use]
    pub fn answers(mut self, status: u16, body: Value) -> Self {
        self.answer.status = status;
        self.answer.body = body;
        self
    }

    /// Sets how long the answer takes.
    #[must_use]
    pub fn slow(mut self, latency: Duration) -> Self {
        self.answer.latency = latency;
        self
    }

    fn fits(&self, path: &str, scene: &Scene) -> bool {
        self.path.as_ref().is_none_or(|wanted| wanted == path)
            && self
                .namespace
                .as_ref()
                .is_none_or(|wanted| *wanted == scene.namespace)
            && self
                .variable
                .as_ref()
                .is_none_or(|(name, value)| scene.environment.get(name) == Some(value))
            && scene.ready_for >= self.ready_for
    }
}

/// The table of images; a handle that may be cloned. An image that is not in it cannot be pulled.
#[derive(Clone, Debug, Default)]
pub struct Images {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    behaviours: BTreeMap<(String, String), Arc<Behaviour>>,
    tags: BTreeMap<(String, String), String>,
    pulled: VecDeque<String>,
}

/// How many pulls are remembered.
const PULLS: usize = 10_000;

impl Images {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces an image, for pods that already run it too. `digest` is `sha256:…`.
    pub fn set(&self, repository: &str, digest: &str, behaviour: Behaviour) {
        let key = (repository.to_owned(), digest.to_owned());
        self.lock().behaviours.insert(key, Arc::new(behaviour));
    }

    /// Points a tag at a digest.
    pub fn tag(&self, repository: &str, tag: &str, digest: &str) {
        self.lock()
            .tags
            .insert((repository.to_owned(), tag.to_owned()), digest.to_owned());
    }

    /// Takes an image away: new pods of it cannot start.
    pub fn remove(&self, repository: &str, digest: &str) {
        self.lock()
            .behaviours
            .remove(&(repository.to_owned(), digest.to_owned()));
    }

    /// The image references that kubelets pulled, oldest first.
    pub fn pulled(&self) -> Vec<String> {
        self.lock().pulled.iter().cloned().collect()
    }

    /// Pulls an image as a kubelet does: `(imageID, behaviour)`, or nothing if there is no such.
    pub(crate) fn pull(&self, reference: &str) -> Option<(String, Arc<Behaviour>)> {
        let mut table = self.lock();
        let (repository, tag, digest) = split(reference);
        let digest = match digest {
            Some(digest) => digest.to_owned(),
            None => table
                .tags
                .get(&(repository.to_owned(), tag.to_owned()))?
                .clone(),
        };
        let behaviour = table
            .behaviours
            .get(&(repository.to_owned(), digest.clone()))
            .map(Arc::clone)?;
        if table.pulled.len() == PULLS {
            table.pulled.pop_front();
        }
        table.pulled.push_back(reference.to_owned());
        Some((format!("{repository}@{digest}"), behaviour))
    }

    /// The behaviour of a running `imageID` as the table has it now.
    pub(crate) fn behaviour(&self, image_id: &str) -> Option<Arc<Behaviour>> {
        let (repository, digest) = image_id.split_once('@')?;
        self.lock()
            .behaviours
            .get(&(repository.to_owned(), digest.to_owned()))
            .map(Arc::clone)
    }
}

/// Splits a reference into repository, tag (`latest` by default) and digest.
fn split(reference: &str) -> (&str, &str, Option<&str>) {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let path_start = rest.rfind('/').map_or(0, |slash| slash + 1);
    match rest.get(path_start..).and_then(|last| last.find(':')) {
        Some(colon) => {
            let colon = path_start + colon;
            (
                rest.get(..colon).unwrap_or_default(),
                rest.get(colon + 1..).unwrap_or_default(),
                digest,
            )
        }
        None => (rest, "latest", digest),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{Behaviour, Images, Rule, Scene, split};

    #[test]
    fn references_split_at_the_right_colon() {
        let host = "127.0.0.1:5000/shop/web";
        assert_eq!(split("127.0.0.1:5000/shop/web:v1"), (host, "v1", None));
        assert_eq!(split("127.0.0.1:5000/shop/web"), (host, "latest", None));
        assert_eq!(
            split("127.0.0.1:5000/shop/web:v1@sha256:a"),
            (host, "v1", Some("sha256:a"))
        );
        assert_eq!(split("web"), ("web", "latest", None));
    }

    #[test]
    fn rules_depend_on_place_and_time() {
        let behaviour = Behaviour::serving("v2")
            .rule(
                Rule::at("/health")
                    .in_namespace("shop")
                    .answers(500, json!("broken")),
            )
            .rule(
                Rule::at("/late")
                    .after(Duration::from_secs(5))
                    .answers(503, json!("down")),
            )
            .rule(
                Rule::at("/env")
                    .with_variable("TIER", "gold")
                    .answers(418, json!("tea")),
            );
        let scene = |namespace: &str| Scene {
            namespace: namespace.to_owned(),
            ..Scene::default()
        };
        assert_eq!(behaviour.answer("/health?x=1", &scene("shop")).status, 500);
        assert_eq!(behaviour.answer("/health", &scene("staging")).status, 200);
        assert_eq!(behaviour.answer("/late", &scene("shop")).status, 404);
        let later = Scene {
            ready_for: Duration::from_secs(5),
            ..scene("shop")
        };
        assert_eq!(behaviour.answer("/late", &later).status, 503);
        let mut gold = scene("shop");
        assert_eq!(behaviour.answer("/env", &gold).status, 404);
        gold.environment
            .insert("TIER".to_owned(), "gold".to_owned());
        assert_eq!(behaviour.answer("/env", &gold).status, 418);
    }

    #[test]
    fn only_known_images_can_be_pulled() {
        let images = Images::default();
        images.set("r/web", "sha256:a", Behaviour::serving("v1"));
        images.tag("r/web", "v1", "sha256:a");
        images.tag("r/web", "v2", "sha256:b");
        assert_eq!(images.pull("r/web:v1").unwrap().0, "r/web@sha256:a");
        assert_eq!(
            images.pull("r/web:v9@sha256:a").unwrap().0,
            "r/web@sha256:a"
        );
        assert!(
            images.pull("r/web:v2").is_none(),
            "a tag whose image is missing"
        );
        assert!(images.pull("r/web:v3").is_none());
        assert_eq!(images.pulled(), ["r/web:v1", "r/web:v9@sha256:a"]);
    }
}
