//! Probes and metrics, for the kubelet and for Prometheus: no names of people or versions, no way to
//! change anything, and so no sign-in. On a port of their own, which no ingress is to show.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use sluice_controller::{Checkup, Health, LOOK_LIMIT};
use tokio::net::TcpListener;

use crate::serve::accept;

/// The content type that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How plugins are, in numbers. Web does not know their host; the wiring asks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginCounts {
    /// Whether the host gives no answer: what needs a plugin waits.
    pub host_away: bool,
    /// Plugins that serve, as was seen last.
    pub serving: u64,
    /// What is wrong with plugins, grants or their file.
    pub problems: u64,
}

/// Counts now. Cheap: reads from memory.
pub type CountPlugins = Arc<dyn Fn() -> PluginCounts + Send + Sync>;

/// Serves `/livez`, `/readyz` and `/metrics` on this listener until it is dropped.
pub async fn serve_probes(listener: TcpListener, health: Health, plugins: CountPlugins) {
    accept(&listener, router(Seen { health, plugins })).await;
}

/// What the probes look at.
#[derive(Clone)]
struct Seen {
    health: Health,
    plugins: CountPlugins,
}

/// All that this port serves, to everybody, and only to be read.
pub const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

fn router(seen: Seen) -> Router {
    let handlers = [get(livez), get(readyz), get(metrics)];
    PROBES
        .into_iter()
        .zip(handlers)
        .fold(Router::new(), |router, (path, handler)| {
            router.route(path, handler)
        })
        .with_state(seen)
}

/// Fails when the agent leads and does not look at what it leads: the kubelet starts it again, and
/// the journals go on (reliability.md R6).
async fn livez(State(seen): State<Seen>) -> Response {
    let found = seen.health.checkup();
    if found.neglected.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    let text = format!(
        "not looked at for more than {} s: {}\n",
        LOOK_LIMIT.as_secs(),
        found.neglected.join(", ")
    );
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// Succeeds when everything was seen once. Who stands by is ready, too.
async fn readyz(State(seen): State<Seen>) -> Response {
    let found = seen.health.checkup();
    let role = if found.leads { "leads" } else { "stands by" };
    if found.ready {
        (StatusCode::OK, format!("ok, {role}\n")).into_response()
    } else {
        let text = "has not seen all Pipelines and Rollouts yet\n";
        (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    }
}

async fn metrics(State(seen): State<Seen>) -> Response {
    let mut text = String::new();
    match encode(
        &mut text,
        &registry(&seen.health.checkup(), (seen.plugins)()),
    ) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// One phase: a dozen values at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Phase(String);

impl EncodeLabelSet for Phase {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        [("phase", self.0.as_str())].encode(encoder)
    }
}

fn registry(found: &Checkup, plugins: PluginCounts) -> Registry {
    let mut registry = Registry::with_prefix("sluice");
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: i64| {
        let metric = Gauge::<i64>::default();
        metric.set(value);
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, metric),
            None => registry.register(name, help, metric),
        }
    };
    gauge(
        "leader",
        "Whether this agent leads",
        None,
        i64::from(found.leads),
    );
    gauge(
        "ready",
        "Whether this agent has seen everything once",
        None,
        i64::from(found.ready),
    );
    gauge(
        "oldest_look",
        "Longest time since a live Rollout was looked at",
        Some(Unit::Seconds),
        i64::try_from(found.oldest_look.as_secs()).unwrap_or(i64::MAX),
    );
    gauge(
        "neglected_rollouts",
        "Live Rollouts that were not looked at for too long",
        None,
        i64::try_from(found.neglected.len()).unwrap_or(i64::MAX),
    );
    gauge(
        "stopped",
        "Whether a person stopped everything",
        None,
        i64::from(found.stopped),
    );
    gauge(
        "policy_outdated",
        "Whether the policy file cannot be read and its last good content is in force",
        None,
        i64::from(found.policy_outdated),
    );
    gauge(
        "plugin_host_away",
        "Whether the process that runs plugins gives no answer, and what needs a plugin waits",
        None,
        i64::from(plugins.host_away),
    );
    gauge(
        "plugins_serving",
        "Plugins that serve, as was seen last",
        None,
        i64::try_from(plugins.serving).unwrap_or(i64::MAX),
    );
    gauge(
        "plugin_problems",
        "Complaints about plugins, their grants or plugins.yaml; the log has them",
        None,
        i64::try_from(plugins.problems).unwrap_or(i64::MAX),
    );
    let phases = Family::<Phase, Gauge>::default();
    for (phase, n) in &found.rollouts {
        phases
            .get_or_create(&Phase(phase.clone()))
            .set(i64::try_from(*n).unwrap_or(i64::MAX));
    }
    registry.register("rollouts", "Rollouts in the cluster, by phase", phases);
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_say_what_the_checkup_found() {
        let found = Checkup {
            ready: true,
            leads: true,
            rollouts: [("Progressing".to_owned(), 2)].into(),
            oldest_look: std::time::Duration::from_secs(7),
            neglected: vec!["x".into()],
            stopped: true,
            policy_outdated: true,
        };
        let mut text = String::new();
        let plugins = PluginCounts {
            host_away: true,
            serving: 3,
            problems: 2,
        };
        encode(&mut text, &registry(&found, plugins)).unwrap();
        for line in [
            "sluice_leader 1",
            "sluice_ready 1",
            "sluice_oldest_look_seconds 7",
            "sluice_neglected_rollouts 1",
            "sluice_stopped 1",
            "sluice_policy_outdated 1",
            "sluice_plugin_host_away 1",
            "sluice_plugins_serving 3",
            "sluice_plugin_problems 2",
            "sluice_rollouts{phase=\"Progressing\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
