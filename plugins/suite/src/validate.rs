//! What serde cannot see about the settings: every complaint with its place and a way out.

use std::collections::BTreeSet;

use sluice_sdk::probe;
use sluice_sdk::settings::{Complaints, issue};
use sluice_sdk::{Issue, smoke};

use crate::order;
use crate::settings::{ServiceSettings, Settings};

/// Most services: as many as the manifest has targets, and the rollout's own.
const MAX_SERVICES: usize = 19;
/// Most lines of a report: what comes later would share one line.
const MAX_LINES: usize = smoke::MAX_CHECKS;
/// Most requests without a repetition: those of the manifest.
const MAX_REQUESTS: usize = 64;
/// Longest name in the report.
const MAX_NAME_CHARS: usize = 63;

/// All complaints about the settings.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let services = &settings.services;
    let mut issues = Vec::new();
    let mut refuse = |when: bool, message: &str, hint: &str| {
        if when {
            issues.push(issue("/services", message, hint));
        }
    };
    let hint = "add one: {name: gateway, target: candidate, readiness: {}}";
    refuse(services.is_empty(), "nothing to test", hint);
    let count = services.len();
    let hint = "use the plugin twice for more";
    refuse(
        count > MAX_SERVICES,
        &format!("{count} services, at most {MAX_SERVICES}"),
        hint,
    );
    let lines: usize = services.iter().map(lines).sum();
    refuse(
        lines > MAX_LINES,
        &format!("{lines} lines, at most {MAX_LINES}"),
        hint,
    );
    let requests: usize = services.iter().map(requests).sum();
    let message = format!("{requests} requests, at most {MAX_REQUESTS}");
    refuse(requests > MAX_REQUESTS, &message, hint);
    let circle = order::in_circles(services);
    let message = format!("these wait for each other: {}", circle.join(", "));
    refuse(!circle.is_empty(), &message, "take one out of an `after`");

    let mut names = BTreeSet::new();
    for (index, service) in services.iter().enumerate() {
        let at = format!("/services/{index}");
        let mut complaints = Complaints::at(&at, &mut issues);
        let again = !names.insert(service.name.as_str());
        complaints.refuse(again, "/name", "the name is there twice", "give it another");
        about(service, services, &mut complaints);
        for (index, request) in service.requests.iter().enumerate() {
            issues.extend(probe::issues(request, &format!("{at}/requests/{index}")));
        }
    }
    issues
}

/// Lines of the report.
fn lines(service: &ServiceSettings) -> usize {
    let readiness = service.readiness.as_ref();
    let metrics = service.metrics.as_ref();
    requests(service)
        + readiness.map_or(0, |readiness| readiness.dependencies.0.len())
        + metrics.map_or(0, |metrics| metrics.series.0.len())
}

/// Requests without any repetition. A signed webhook is sent twice.
fn requests(service: &ServiceSettings) -> usize {
    let webhooks = service
        .requests
        .iter()
        .filter(|request| request.sign.is_some());
    service.requests.len()
        + webhooks.count()
        + usize::from(service.readiness.is_some())
        + usize::from(service.metrics.is_some())
}

fn about(service: &ServiceSettings, all: &[ServiceSettings], complaints: &mut Complaints<'_>) {
    let length = service.name.chars().count();
    let fits = (1..=MAX_NAME_CHARS).contains(&length) && !service.name.contains(char::is_control);
    complaints.refuse(!fits, "/name", "no name", "such as gateway");
    let place = if service.target.is_some() {
        "/target"
    } else {
        "/name"
    };
    if fits || service.target.is_some() {
        complaints.name(place, service.target(), "target");
    }
    let empty =
        service.readiness.is_none() && service.metrics.is_none() && service.requests.is_empty();
    let hint = "add requests, readiness or metrics";
    complaints.refuse(empty, "", "nothing of it is tested", hint);
    for name in &service.after.0 {
        let unknown = !all.iter().any(|other| other.name == *name);
        let message = format!("no service is called `{name}`");
        complaints.refuse(unknown, "/after", &message, "name one of the suite");
    }
    if let Some(readiness) = &service.readiness {
        complaints.path("/readiness/path", &readiness.path);
        let (wait_ms, timeout_ms) = (readiness.retry_wait_ms, readiness.timeout_ms);
        complaints.patience("/readiness", Some(readiness.retries), wait_ms, timeout_ms);
        let never = readiness.max_ms == Some(0);
        complaints.refuse(never, "/readiness/maxMs", "nothing is that fast", "");
        let empty = readiness.dependencies.0.iter().any(String::is_empty);
        complaints.refuse(
            empty,
            "/readiness/dependencies",
            "an empty name",
            "such as database",
        );
    }
    if let Some(metrics) = &service.metrics {
        complaints.path("/metrics/path", &metrics.path);
        let (wait_ms, timeout_ms) = (metrics.retry_wait_ms, metrics.timeout_ms);
        complaints.patience("/metrics", Some(metrics.retries), wait_ms, timeout_ms);
        for series in &metrics.series.0 {
            let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
            let name = series.strip_suffix('*').unwrap_or(series);
            let fits = !name.is_empty() && name.chars().all(letters);
            let message = format!("`{series}` is no name of a series");
            let hint = "such as http_requests_total, or http_*; labels are not looked at";
            complaints.refuse(!fits, "/metrics/series", &message, hint);
        }
    }
}
