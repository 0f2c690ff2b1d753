//! The sample service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::behaviour::{Behaviour, Readiness};
use crate::metrics::{self, Metrics};
use crate::reply::{Reply, connection, reply, text};
use crate::{Error, Result, Rule};

/// Connections at a time; the next wait in the kernel's queue.
const CONNECTIONS: usize = 1_024;
/// For open requests, once nothing new is taken.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// Pause when the kernel gives no connection (no free descriptor): it will not get better sooner.
const BREATH: Duration = Duration::from_millis(50);
/// Where Kubernetes tells a pod its namespace, if its account's token is mounted.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Where a container runs.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// `POD_NAME`, or the host name, which Kubernetes makes the same.
    pub pod: String,
    /// `POD_NAMESPACE`, or what the account's mount says.
    pub namespace: String,
    /// All variables.
    pub variables: BTreeMap<String, String>,
}

impl Place {
    /// Out of the process's variables.
    pub fn here() -> Self {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let get = |name: &str| variables.get(name).cloned();
        Self {
            pod: get("POD_NAME")
                .or_else(|| get("HOSTNAME"))
                .unwrap_or_default(),
            namespace: get("POD_NAMESPACE")
                .or_else(|| std::fs::read_to_string(NAMESPACE_FILE).ok())
                .unwrap_or_default()
                .trim()
                .to_owned(),
            variables,
        }
    }
}

/// A container of one version.
pub struct Sample {
    version: String,
    behaviour: Behaviour,
    place: Place,
    started: Instant,
    draining: AtomicBool,
    /// How many requests fitted each rule.
    fitted: Vec<AtomicU64>,
    metrics: Metrics,
}

impl Sample {
    /// Starts now.
    pub fn new(version: &str, behaviour: Behaviour, place: Place) -> Self {
        Self {
            version: version.to_owned(),
            fitted: behaviour.rules.iter().map(|_| AtomicU64::new(0)).collect(),
            metrics: Metrics::new(version),
            behaviour,
            place,
            started: Instant::now(),
            draining: AtomicBool::new(false),
        }
    }

    /// How long it has been ready; `None` before.
    fn ready_for(&self) -> Option<Duration> {
        match self.behaviour.readiness {
            Readiness::Ready => self.started.elapsed().checked_sub(self.behaviour.startup),
            Readiness::Never | Readiness::CrashLoop => None,
        }
    }

    /// When it exits by itself.
    fn crash_at(&self) -> Option<Instant> {
        let ready_at = self.started + self.behaviour.startup;
        match self.behaviour.readiness {
            Readiness::CrashLoop => Some(ready_at),
            Readiness::Ready => self.behaviour.crash_after.map(|time| ready_at + time),
            Readiness::Never => None,
        }
    }

    /// Answers, and counts it: not the questions of probes, checks and Prometheus, which are no users.
    async fn counted(&self, path: &str) -> Reply {
        let begin = Instant::now();
        let reply = self.answer(path).await;
        if !["/health", "/metrics", "/ready"].contains(&path) {
            self.metrics
                .answered(reply.status().as_u16(), begin.elapsed());
        }
        reply
    }

    async fn answer(&self, path: &str) -> Reply {
        let draining = self.draining.load(Ordering::Relaxed);
        if path == "/metrics" {
            return self.dressed(text(metrics::CONTENT_TYPE, self.metrics.text()), draining);
        }
        let Some(ready_for) = self.ready_for() else {
            return self.dressed(reply(503, &self.status("starting")), draining);
        };
        if draining && path == "/ready" {
            return self.dressed(reply(503, &self.status("draining")), draining);
        }
        let mut rules = self.behaviour.rules.iter().zip(&self.fitted);
        let applies = |(rule, fitted): &(&Rule, &AtomicU64)| {
            self.fits(rule, path, ready_for)
                && rule.applies_to(fitted.fetch_add(1, Ordering::Relaxed))
        };
        if let Some((rule, _)) = rules.find(applies) {
            sleep(Duration::from_millis(rule.latency_ms)).await;
            if rule.answers() {
                return self.dressed(reply(rule.status, &rule.body), draining);
            }
        }
        let (status, body) = match path {
            "/" | "/shop" => (
                200,
                json!({"version": self.version, "pod": self.place.pod, "namespace": self.place.namespace}),
            ),
            "/health" => (200, self.status("ok")),
            "/ready" => (200, self.status("ready")),
            _ => (404, json!({"error": "not found", "path": path})),
        };
        self.dressed(reply(status, &body), draining)
    }

    fn status(&self, status: &str) -> Value {
        json!({"status": status, "version": self.version})
    }

    fn fits(&self, rule: &Rule, path: &str, ready_for: Duration) -> bool {
        rule.path.as_ref().is_none_or(|wanted| wanted == path)
            && rule
                .namespace
                .as_ref()
                .is_none_or(|wanted| *wanted == self.place.namespace)
            && rule
                .variable
                .as_ref()
                .is_none_or(|(name, value)| self.place.variables.get(name) == Some(value))
            && ready_for.as_secs_f64() >= rule.after_seconds
    }

    /// Every answer says its version; the last ones also that no more come on this connection.
    fn dressed(&self, mut reply: Reply, draining: bool) -> Reply {
        if let Ok(version) = HeaderValue::from_str(&self.version) {
            reply
                .headers_mut()
                .insert(HeaderName::from_static("x-version"), version);
        }
        if draining {
            reply
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}

/// Serves until `stop` ends; then says on `/ready` that it is not ready, goes on serving for the time
/// of draining, finishes open requests and returns. Endpoints take a moment to leave a Service: who
/// stops at SIGTERM at once loses what is sent meanwhile.
pub async fn serve(
    listener: TcpListener,
    sample: Sample,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let sample = Arc::new(sample);
    let crash_at = sample.crash_at();
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    let mut ends_at = None;
    loop {
        tokio::select! {
            () = &mut stop, if ends_at.is_none() => {
                sample.draining.store(true, Ordering::Relaxed);
                ends_at = Some(Instant::now() + sample.behaviour.drain);
            }
            () = until(ends_at) => break,
            () = until(crash_at) => return Err(Error::Crashed),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let (sample, watcher) = (sample.clone(), graceful.watcher());
                    connections.spawn(async move {
                        let answer = |request: hyper::Request<hyper::body::Incoming>| {
                            let sample = sample.clone();
                            async move { sample.counted(request.uri().path()).await }
                        };
                        connection(stream, watcher, answer).await;
                    });
                }
                Err(_) => sleep(BREATH).await,
            },
        }
    }
    drop(listener);
    // Whoever is not done then is cut off with the process.
    let _ = timeout(LAST_ANSWERS, graceful.shutdown()).await;
    Ok(())
}

/// Never, where there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
