//! Answers of a container that depend on place, settings and time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::image::{Answer, Scene};

/// An answer to one kind of request; the first rule that fits is used.
#[derive(Clone, Debug)]
pub struct Rule {
    path: Option<String>,
    namespace: Option<String>,
    variable: Option<(String, String)>,
    file: Option<(String, String)>,
    ready_for: Duration,
    pub(super) answer: Answer,
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
            file: None,
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

    /// Only for pods that have a ConfigMap or Secret among their volumes with this entry: settings that
    /// a version does not bear. Files follow their object at once; on the real driver they stay as
    /// they were when the pod started.
    #[must_use]
    pub fn with_file(mut self, entry: &str, content: &str) -> Self {
        self.file = Some((entry.to_owned(), content.to_owned()));
        self
    }

    /// Only for pods whose first container was started with this environment variable at this
    /// value, be it from a ConfigMap or Secret.
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

    pub(super) fn fits(&self, path: &str, scene: &Scene) -> bool {
        self.path.as_ref().is_none_or(|wanted| wanted == path)
            && self
                .namespace
                .as_ref()
                .is_none_or(|wanted| *wanted == scene.namespace)
            && self
                .variable
                .as_ref()
                .is_none_or(|(name, value)| scene.environment.get(name) == Some(value))
            && self
                .file
                .as_ref()
                .is_none_or(|(entry, content)| scene.files.get(entry) == Some(content))
            && scene.ready_for >= self.ready_for
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use crate::image::{Behaviour, Rule, Scene};

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
}
