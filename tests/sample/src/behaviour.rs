//! How a version behaves: the environment variables of its image.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Error, Result, Rule};

const VERSION: &str = "SAMPLE_VERSION";
const START_AFTER: &str = "START_AFTER";
const DRAIN_SECONDS: &str = "DRAIN_SECONDS";
const READINESS: &str = "SAMPLE_READINESS";
const RULES: &str = "SAMPLE_RULES";
const CRASH_AFTER: &str = "SAMPLE_CRASH_AFTER";
const JOB_EXIT: &str = "SAMPLE_JOB_EXIT";

/// The behaviours that have names; in seconds, of a hundred, and in milliseconds where they have a
/// number.
pub const NAMES: &str = "good, slow[=20], unhealthy, unhealthy-in-production, failing, never-ready, \
                         crash-loop, crashes[=10], errors[=5], slow-answers[=500], broken-jobs";

/// What the container does. A pod's own variables replace the image's.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// From the start to readiness: `START_AFTER`, in seconds, such as `0.5`.
    pub startup: Duration,
    /// Whether it becomes ready: `SAMPLE_READINESS`.
    pub readiness: Readiness,
    /// From SIGTERM to the end; it is not ready from SIGTERM on, and serves: `DRAIN_SECONDS`.
    pub drain: Duration,
    /// It exits when it was ready for so long: `SAMPLE_CRASH_AFTER`, in seconds.
    pub crash_after: Option<Duration>,
    /// The code with which its Jobs end: `SAMPLE_JOB_EXIT`.
    pub job_exit: u8,
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
            crash_after: None,
            job_exit: 0,
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

    /// Exits when it was ready for so long.
    pub fn crashes_after(time: Duration) -> Self {
        Self {
            crash_after: Some(time),
            ..Self::good()
        }
    }

    /// So many of a hundred requests to `/` and `/shop` fail with 500; it says that it is ready and
    /// well.
    pub fn errors(percent: f64) -> Self {
        let rule = |path: &str| Rule {
            path: Some(path.to_owned()),
            percent,
            status: 500,
            body: json!({"error": "the answer could not be computed"}),
            ..Rule::default()
        };
        Self {
            rules: vec![rule("/"), rule("/shop")],
            ..Self::good()
        }
    }

    /// Answers to `/` and `/shop` are right, and take so long.
    pub fn slow_answers(latency: Duration) -> Self {
        let rule = |path: &str| Rule {
            path: Some(path.to_owned()),
            body: Value::Null,
            latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
            ..Rule::default()
        };
        Self {
            rules: vec![rule("/"), rule("/shop")],
            ..Self::good()
        }
    }

    /// Serves well, and its Jobs fail.
    pub fn broken_jobs() -> Self {
        Self {
            job_exit: 1,
            ..Self::good()
        }
    }

    /// By the name that `sample image` takes: of those in [`NAMES`], some with another number, as in
    /// `errors=0.5`.
    pub fn named(text: &str) -> Result<Self> {
        let (name, number) = match text.split_once('=') {
            None => (text, None),
            Some((name, number)) => {
                let number = number.parse().ok().filter(|n| (0.0..=86_400.0).contains(n));
                let why = "a number up to 86400 is expected after =";
                (
                    name,
                    Some(number.ok_or_else(|| setting("behaviour", text, why))?),
                )
            }
        };
        let seconds = |default: f64| Duration::from_secs_f64(number.unwrap_or(default));
        Ok(match name {
            "slow" => Self::slow(seconds(20.0)),
            "crashes" => Self::crashes_after(seconds(10.0)),
            "errors" => Self::errors(number.unwrap_or(5.0)),
            "slow-answers" => Self::slow_answers(seconds(500.0) / 1000),
            _ if number.is_some() => {
                return Err(setting("behaviour", text, "this one has no number"));
            }
            "good" => Self::good(),
            "unhealthy" => Self::unhealthy(),
            "unhealthy-in-production" => Self::unhealthy_in_production(),
            "failing" => Self::failing(),
            "never-ready" => Self::never_ready(),
            "crash-loop" => Self::crash_loop(),
            "broken-jobs" => Self::broken_jobs(),
            _ => {
                return Err(setting(
                    "behaviour",
                    text,
                    &format!("expected is one of {NAMES}"),
                ));
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
        if let Some(time) = self.crash_after {
            all.insert(CRASH_AFTER.to_owned(), time.as_secs_f64().to_string());
        }
        if self.job_exit != 0 {
            all.insert(JOB_EXIT.to_owned(), self.job_exit.to_string());
        }
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
        if let Some(text) = get(CRASH_AFTER) {
            behaviour.crash_after = Some(seconds(CRASH_AFTER, text)?);
        }
        if let Some(text) = get(JOB_EXIT) {
            let why = "a code from 0 to 255 is expected";
            behaviour.job_exit = text.parse().map_err(|_| setting(JOB_EXIT, text, why))?;
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

    use super::{Behaviour, NAMES};

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
            Behaviour::crashes_after(Duration::from_secs(3)),
            Behaviour::errors(0.5),
            Behaviour::slow_answers(Duration::from_millis(250)),
            Behaviour::broken_jobs(),
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
            ("SAMPLE_CRASH_AFTER", "never"),
            ("SAMPLE_JOB_EXIT", "256"),
            ("SAMPLE_RULES", "[{\"pth\": \"/\"}]"),
        ] {
            let error = Behaviour::read(&[(name.to_owned(), value.to_owned())].into())
                .unwrap_err()
                .to_string();
            assert!(error.contains(name), "{error}");
        }
        for bad in ["bad", "errors=many", "errors=-1", "good=1"] {
            assert!(Behaviour::named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_name_that_is_told_is_known() {
        for told in NAMES.split(", ") {
            let name = told.split('[').next().unwrap();
            Behaviour::named(name).unwrap();
            let with_number = told.replace(['[', ']'], "");
            let same = Behaviour::named(&with_number).unwrap();
            assert_eq!(same, Behaviour::named(name).unwrap(), "{told}");
        }
        let half = Behaviour::named("errors=0.5").unwrap();
        assert_eq!(half, Behaviour::errors(0.5));
    }
}
