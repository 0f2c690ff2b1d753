//! The sample service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::behaviour::{Behaviour, Readiness, Rule};
use crate::reply::{Reply, connection, reply};
use crate::{Error, Result};

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
}

impl Sample {
    /// Starts now.
    pub fn new(version: &str, behaviour: Behaviour, place: Place) -> Self {
        Self {
            version: version.to_owned(),
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

    async fn answer(&self, path: &str) -> Reply {
        let draining = self.draining.load(Ordering::Relaxed);
        let Some(ready_for) = self.ready_for() else {
            return self.dressed(reply(503, &self.status("starting")), draining);
        };
        if draining && path == "/ready" {
            return self.dressed(reply(503, &self.status("draining")), draining);
        }
        let fits = |rule: &&Rule| self.fits(rule, path, ready_for);
        if let Some(rule) = self.behaviour.rules.iter().find(fits) {
            sleep(Duration::from_millis(rule.latency_ms)).await;
            return self.dressed(reply(rule.status, &rule.body), draining);
        }
        let (status, body) = match path {
            "/" => (
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
    let crashes = sample.behaviour.readiness == Readiness::CrashLoop;
    let crash_at = sample.started + sample.behaviour.startup;
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
            () = sleep_until(ends_at.unwrap_or(crash_at)), if ends_at.is_some() => break,
            () = sleep_until(crash_at), if crashes => return Err(Error::Crashed),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let (sample, watcher) = (sample.clone(), graceful.watcher());
                    connections.spawn(async move {
                        let answer = |request: hyper::Request<hyper::body::Incoming>| {
                            let sample = sample.clone();
                            async move { sample.answer(request.uri().path()).await }
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
