//! What oracles look at: writes, changes, and what stood behind Services and routes over time.

use std::time::Duration;

use jiff::Timestamp;

use crate::cluster::Cluster;
use crate::runs::Ran;
use crate::timeline::{Moment, Sample, Standing, Weights};
use crate::writes::WriteRecord;

impl Cluster {
    /// The write requests so far, oldest first (the last 100,000).
    pub fn writes(&self) -> Vec<WriteRecord> {
        self.writes_after(0)
    }

    /// The write requests after a sequence number.
    pub fn writes_after(&self, seq: u64) -> Vec<WriteRecord> {
        self.server.lock().writes.after(seq)
    }

    /// The sequence number of the last write request.
    pub fn last_write(&self) -> u64 {
        self.server.lock().writes.seq()
    }

    /// Looks at every change from now on. The observer runs under the cluster's lock and must not
    /// call the cluster; it must not panic either (collect, and assert later).
    pub fn on_event(&self, observer: impl Fn(&Moment<'_>) + Send + 'static) {
        self.server.lock().observers.push(Box::new(observer));
    }

    /// Ready pods behind a Service now.
    pub fn ready_behind(&self, namespace: &str, service: &str) -> usize {
        self.server.lock().ready_behind(namespace, service)
    }

    /// Ready pods behind a Service over time: each change of the number (the last 10,000).
    pub fn timeline(&self, namespace: &str, service: &str) -> Vec<Sample> {
        self.server.lock().timeline.of(namespace, service)
    }

    /// The fewest ready pods behind a Service at any time since an instant.
    pub fn fewest_ready(&self, namespace: &str, service: &str, since: Timestamp) -> usize {
        let samples = self.timeline(namespace, service);
        let at_start = samples.iter().rev().find(|sample| sample.at <= since);
        let later = samples.iter().filter(|sample| sample.at > since);
        at_start
            .into_iter()
            .chain(later)
            .map(|sample| sample.ready)
            .min()
            .unwrap_or_default()
    }

    /// What the simulator itself could not do, such as bind an address.
    pub fn problems(&self) -> Vec<String> {
        self.server.lock().problems.clone()
    }

    /// The versions (image digests) behind a Service over time, each with its ready pods: every
    /// change of either (the last 10,000). A pod's version is that of its first container.
    pub fn behind(&self, namespace: &str, service: &str) -> Vec<Standing> {
        self.server.lock().timeline.standing(namespace, service)
    }

    /// How often a Service had no ready pod since an instant; a gap that was open then counts.
    pub fn gaps(&self, namespace: &str, service: &str, since: Timestamp) -> usize {
        spans(&self.timeline(namespace, service), since)
            .filter(|(_, ready)| *ready == 0)
            .count()
    }

    /// How long a Service had no ready pod in all since an instant.
    pub fn time_without_pods(&self, namespace: &str, service: &str, since: Timestamp) -> Duration {
        let samples = self.timeline(namespace, service);
        let now = self.clock().now();
        let spans: Vec<(Timestamp, usize)> = spans(&samples, since).collect();
        let ends = spans.iter().skip(1).map(|(at, _)| *at).chain([now]);
        spans
            .iter()
            .zip(ends)
            .filter(|((_, ready), _)| *ready == 0)
            .map(|((from, _), to)| to.duration_since(*from).unsigned_abs())
            .sum()
    }

    /// The weights of an HTTPRoute's rule over time, by the name of the backend: every write that
    /// changed them (the last 10,000). `rule` is the rule's name; empty is the first rule. A rule
    /// or route that went has no weights.
    pub fn route_weights(&self, namespace: &str, route: &str, rule: &str) -> Vec<Weights> {
        let model = self.server.lock();
        model.timeline.written.route(namespace, route, rule)
    }

    /// The weights of an Ingress's Service and of its ingress-nginx canary's over time, by the name of
    /// the Service (the last 10,000).
    pub fn ingress_weights(&self, namespace: &str, ingress: &str) -> Vec<Weights> {
        let model = self.server.lock();
        model.timeline.written.ingress(namespace, ingress)
    }

    /// What ran in Jobs' pods so far, oldest first (the last 10,000).
    pub fn runs(&self) -> Vec<Ran> {
        self.server.lock().runs.all()
    }
}

/// The stretches of equal numbers since an instant, each with its beginning.
fn spans(samples: &[Sample], since: Timestamp) -> impl Iterator<Item = (Timestamp, usize)> {
    let at_start = samples.iter().rev().find(|sample| sample.at <= since);
    let later = samples.iter().filter(move |sample| sample.at > since);
    at_start
        .map(|sample| (since, sample.ready))
        .into_iter()
        .chain(later.map(|sample| (sample.at, sample.ready)))
}
