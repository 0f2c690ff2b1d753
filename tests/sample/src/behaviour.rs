//! How a version behaves: the environment variables of its image.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Result};

const VERSION: &str = "SAMPLE_VERSION";
const START_AFTER: &str = "START_AFTER";
const DRAIN_SECONDS: &str = "DRAIN_SECONDS";
const READINESS: &str = "SAMPLE_READINESS";
const RULES: &str = "SAMPLE_RULES";

/// What the container does. A pod's own variables replace the image's.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// From the start to readiness: `START_AFTER`, in seconds, such as `0.5`.
    pub startup: Duration,
    /// Whether it becomes ready: `SAMPLE_READINESS`.
    pub readiness: Readiness,
    /// From SIGTERM to the end; it is not ready from SIGTERM on, and serves: `DRAIN_SECONDS`.
    pub drain: Duration,
    /// Answers that differ; the first that fits: `SAMPLE_RULES`, as JSON.
    pub rules: Vec<Rule>,
}

/// Whether a container becomes ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// `ready`: after its start-up time.
    Ready,
    /// `never`: it runs, but its probe never passes.
    Never,
    /// `crash-loop`: it exits after its start-up time.
    CrashLoop,
}

/// An answer to one kind of request, as in `tests/sim`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Only for this path, without query; every path where absent, `/ready` too.
    pub path: Option<String>,
    /// Only in this namespace.
    pub namespace: Option<String>,
    /// Only with this environment variable and value.
    pub variable: Option<(String, String)>,
    /// Only once it was ready for so many seconds.
    pub after_seconds: f64,
    /// Status code.
    pub status: u16,
    /// Body; a string is sent as plain text, all else as JSON.
    pub body: Value,
    /// How long the answer takes.
    pub latency_ms: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            path: None,
            namespace: None,
            variable: None,
            after_seconds: 0.0,
            status: 200,
            body: json!({ "status": "ok" }),
            latency_ms: 0,
        }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::good()
    }
}

impl Behaviour {
    /// Healthy, and ready after half a second.
    pub fn good() -> Self {
        Self {
            startup: Duration::from_millis(500),
            readiness: Readiness::Ready,
            drain: Duration::from_secs(5),
            rules: Vec::new(),
        }
    }

    /// Healthy, but ready late.
    pub fn slow(startup: Duration) -> Self {
        Self {
            startup,
            ..Self::good()
        }
    }

    /// Ready, and `/health` says `degraded` everywhere.
    pub fn unhealthy() -> Self {
        Self {
            rules: vec![degraded()],
            ..Self::good()
        }
    }

    /// `/health` says `degraded` under production's data alone: in a namespace called `production`,
    /// or where the pod has `ENVIRONMENT=production`.
    pub fn unhealthy_in_production() -> Self {
        let place = Rule {
            namespace: Some("production".to_owned()),
            ..degraded()
        };
        let variable = Rule {
            variable: Some(("ENVIRONMENT".to_owned(), "production".to_owned())),
            ..degraded()
        };
        Self {
            rules: vec![place, variable],
            ..Self::good()
        }
    }

    /// Every request fails with 500, though it says that it is ready and well.
    pub fn failing() -> Self {
        Self {
            rules: vec![Rule {
                path: Some("/".to_owned()),
                status: 500,
                body: json!({"error": "the answer could not be computed"}),
                ..Rule::default()
            }],
            ..Self::good()
        }
    }

    /// Never ready.
    pub fn never_ready() -> Self {
        Self {
            readiness: Readiness::Never,
            ..Self::good()
        }
    }

    /// Exits after its start-up time, again and again.
    pub fn crash_loop() -> Self {
        Self {
            readiness: Readiness::CrashLoop,
            ..Self::good()
        }
    }

    /// By the name that `sample image` takes.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "good" => Self::good(),
            "slow" => Self::slow(Duration::from_secs(20)),
            "unhealthy" => Self::unhealthy(),
            "unhealthy-in-production" => Self::unhealthy_in_production(),
            "failing" => Self::failing(),
            "never-ready" => Self::never_ready(),
            "crash-loop" => Self::crash_loop(),
            _ => {
                let why = "good, slow, unhealthy, unhealthy-in-production, failing, never-ready or \
                           crash-loop is expected";
                return Err(setting("behaviour", name, why));
            }
        })
    }

    /// The variables of the image of this version.
    pub fn variables(&self, version: &str) -> BTreeMap<String, String> {
        let readiness = match self.readiness {
            Readiness::Ready => "ready",
            Readiness::Never => "never",
            Readiness::CrashLoop => "crash-loop",
        };
        let mut all = BTreeMap::from([
            (VERSION.to_owned(), version.to_owned()),
            (
                START_AFTER.to_owned(),
                self.startup.as_secs_f64().to_string(),
            ),
            (
                DRAIN_SECONDS.to_owned(),
                self.drain.as_secs_f64().to_string(),
            ),
            (READINESS.to_owned(), readiness.to_owned()),
        ]);
        if !self.rules.is_empty() {
            all.insert(RULES.to_owned(), json!(self.rules).to_string());
        }
        all
    }

    /// Version and behaviour out of a container's variables; what is absent is healthy.
    pub fn read(variables: &BTreeMap<String, String>) -> Result<(String, Self)> {
        let mut behaviour = Self::good();
        let get = |name: &str| variables.get(name).map(String::as_str);
        if let Some(text) = get(START_AFTER) {
            behaviour.startup = seconds(START_AFTER, text)?;
        }
        if let Some(text) = get(DRAIN_SECONDS) {
            behaviour.drain = seconds(DRAIN_SECONDS, text)?;
        }
        behaviour.readiness = match get(READINESS) {
            None | Some("ready") => Readiness::Ready,
            Some("never") => Readiness::Never,
            Some("crash-loop") => Readiness::CrashLoop,
            Some(other) => {
                let why = "ready, never or crash-loop is expected";
                return Err(setting(READINESS, other, why));
            }
        };
        if let Some(text) = get(RULES) {
            behaviour.rules =
                serde_json::from_str(text).map_err(|e| setting(RULES, text, &e.to_string()))?;
        }
        let version = get(VERSION).unwrap_or("v0.0.0").to_owned();
        Ok((version, behaviour))
    }
}

fn degraded() -> Rule {
    Rule {
        path: Some("/health".to_owned()),
        body: json!({"status": "degraded", "cause": "orders table is not readable"}),
        ..Rule::default()
    }
}

/// Up to a day: a test that waits longer has a mistake in it.
fn seconds(name: &'static str, text: &str) -> Result<Duration> {
    let number = text.parse().ok().filter(|n| (0.0..=86_400.0).contains(n));
    number
        .map(Duration::from_secs_f64)
        .ok_or_else(|| setting(name, text, "seconds are expected, such as 0.5, up to 86400"))
}

fn setting(name: &'static str, value: &str, why: &str) -> Error {
    Error::Setting {
        name,
        value: value.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::Behaviour;

    #[test]
    fn what_an_image_says_is_read_back() {
        for behaviour in [
            Behaviour::good(),
            Behaviour::slow(Duration::from_millis(1_250)),
            Behaviour::unhealthy(),
            Behaviour::unhealthy_in_production(),
            Behaviour::failing(),
            Behaviour::never_ready(),
            Behaviour::crash_loop(),
        ] {
            let read = Behaviour::read(&behaviour.variables("v1.2.0")).unwrap();
            assert_eq!(read, ("v1.2.0".to_owned(), behaviour));
        }
        assert_eq!(
            Behaviour::read(&BTreeMap::new()).unwrap().1,
            Behaviour::good()
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (name, value) in [
            ("START_AFTER", "-1"),
            ("DRAIN_SECONDS", "soon"),
            ("SAMPLE_READINESS", "maybe"),
            ("SAMPLE_RULES", "[{\"pth\": \"/\"}]"),
        ] {
            let error = Behaviour::read(&[(name.to_owned(), value.to_owned())].into())
                .unwrap_err()
                .to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(Behaviour::named("bad").is_err());
    }
}
