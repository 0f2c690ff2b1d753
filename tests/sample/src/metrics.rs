//! What the service says of itself to Prometheus: how many requests it answered how, and how fast.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// The content type that Prometheus asks for.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Seconds. Finer where the answers of a healthy version are.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Series that are there from the start: a count that appears with its first event has no increase.
const FROM_THE_START: [u16; 3] = [200, 500, 503];

/// The numbers of one container, by version.
pub(crate) struct Metrics {
    version: String,
    registry: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
}

/// The version, and for counts the answer's status.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels {
    version: String,
    code: Option<u16>,
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        let code = self.code.map(|code| code.to_string());
        let all = [("version", Some(&self.version)), ("code", code.as_ref())];
        let given: Vec<(&str, &str)> = all
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.as_str())))
            .collect();
        given.as_slice().encode(encoder)
    }
}

impl Metrics {
    pub(crate) fn new(version: &str) -> Self {
        let requests = Family::<Labels, Counter>::default();
        let durations =
            Family::<Labels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut registry = Registry::default();
        registry.register("http_requests", "Answered requests", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From a request to its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let metrics = Self {
            version: version.to_owned(),
            registry,
            requests,
            durations,
        };
        for code in FROM_THE_START {
            drop(metrics.requests.get_or_create(&metrics.labels(Some(code))));
        }
        drop(metrics.durations.get_or_create(&metrics.labels(None)));
        metrics
    }

    /// One more answer.
    pub(crate) fn answered(&self, code: u16, after: Duration) {
        self.requests.get_or_create(&self.labels(Some(code))).inc();
        self.durations
            .get_or_create(&self.labels(None))
            .observe(after.as_secs_f64());
    }

    /// All of it, as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // It fails where the text does, which only grows.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn labels(&self, code: Option<u16>) -> Labels {
        Labels {
            version: self.version.clone(),
            code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_code_and_begin_at_zero() {
        let metrics = Metrics::new("v1.0.0");
        let zero = "http_requests_total{version=\"v1.0.0\",code=\"500\"} 0\n";
        assert!(metrics.text().contains(zero), "{}", metrics.text());
        metrics.answered(500, Duration::from_millis(3));
        metrics.answered(200, Duration::from_millis(30));
        metrics.answered(200, Duration::from_millis(300));
        let text = metrics.text();
        for line in [
            "http_requests_total{version=\"v1.0.0\",code=\"500\"} 1\n",
            "http_requests_total{version=\"v1.0.0\",code=\"200\"} 2\n",
            "http_request_duration_seconds_bucket{le=\"0.005\",version=\"v1.0.0\"} 1\n",
            "http_request_duration_seconds_bucket{le=\"0.05\",version=\"v1.0.0\"} 2\n",
            "http_request_duration_seconds_count{version=\"v1.0.0\"} 3\n",
            "# EOF\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
