//! An answer that differs, and to how many requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// All, in parts of a million.
const MILLION: u64 = 1_000_000;

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
    /// Only so many of a hundred requests that fit, evenly spread; the others go on to the next rule.
    pub percent: f64,
    /// Only once it was ready for so many seconds.
    pub after_seconds: f64,
    /// Status code.
    pub status: u16,
    /// Body; a string is sent as plain text, all else as JSON. `null` with a status of 200: what the
    /// path answers without rules.
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
            percent: 100.0,
            after_seconds: 0.0,
            status: 200,
            body: json!({ "status": "ok" }),
            latency_ms: 0,
        }
    }
}

impl Rule {
    /// Whether the rule applies to the request that is this one in order, from 0.
    pub(crate) fn applies_to(&self, place: u64) -> bool {
        let share = Duration::try_from_secs_f64(self.percent / 100.0).unwrap_or_default();
        let share = u64::try_from(share.as_micros()).map_or(MILLION, |parts| parts.min(MILLION));
        let before = |place: u64| u128::from(place) * u128::from(share) / u128::from(MILLION);
        before(place.saturating_add(1)) > before(place)
    }

    /// Whether it answers itself, and not only slowly.
    pub(crate) fn answers(&self) -> bool {
        self.status != 200 || !self.body.is_null()
    }
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn a_share_of_the_requests_is_exact_and_evenly_spread() {
        for (percent, of, want) in [
            (100.0, 10, 10),
            (0.0, 10, 0),
            (5.0, 1_000, 50),
            (0.1, 10_000, 10),
            (33.3, 1_000, 333),
            (250.0, 10, 10),
            (-1.0, 10, 0),
        ] {
            let rule = Rule {
                percent,
                ..Rule::default()
            };
            let hits: Vec<u64> = (0..of).filter(|place| rule.applies_to(*place)).collect();
            assert_eq!(hits.len(), want, "{percent} %: {hits:?}");
        }
        let rule = Rule {
            percent: 20.0,
            ..Rule::default()
        };
        let hits: Vec<u64> = (0..15).filter(|place| rule.applies_to(*place)).collect();
        assert_eq!(hits, [4, 9, 14]);
    }
}
