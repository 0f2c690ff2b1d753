//! Which share of a route's requests each version gets over time, and which share is lost.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::cluster::Cluster;
use crate::timeline::{Standing, Weights};

/// How requests were shared out from an instant on.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// When it became so.
    pub at: Timestamp,
    /// The share of each version, by the digest of its image; with `lost` it makes 1.
    pub versions: BTreeMap<String, f64>,
    /// The share that met no ready pod.
    pub lost: f64,
}

impl Cluster {
    /// The shares of an HTTPRoute's rule over time: weights, from when the gateway has taken them,
    /// times ready pods. `rule` is its name or its index; empty is the first.
    pub fn route_shares(&self, namespace: &str, route: &str, rule: &str) -> Vec<Shares> {
        let weights = self
            .server
            .lock()
            .timeline
            .served
            .route(namespace, route, rule);
        self.shares(namespace, &weights)
    }

    /// The same of an Ingress and its ingress-nginx canary.
    pub fn ingress_shares(&self, namespace: &str, ingress: &str) -> Vec<Shares> {
        let weights = self
            .server
            .lock()
            .timeline
            .served
            .ingress(namespace, ingress);
        self.shares(namespace, &weights)
    }

    fn shares(&self, namespace: &str, weights: &[Weights]) -> Vec<Shares> {
        let services: BTreeSet<&String> =
            weights.iter().flat_map(|set| set.weights.keys()).collect();
        let standing = services
            .into_iter()
            .map(|service| (service.clone(), self.behind(namespace, service)))
            .collect();
        combine(weights, &standing)
    }
}

/// Every instant at which either side changed, with what came of both.
fn combine(weights: &[Weights], standing: &BTreeMap<String, Vec<Standing>>) -> Vec<Shares> {
    let Some(start) = weights.first().map(|first| first.at) else {
        return Vec::new();
    };
    let instants: BTreeSet<Timestamp> = weights
        .iter()
        .map(|set| set.at)
        .chain(standing.values().flatten().map(|entry| entry.at))
        .filter(|at| *at >= start)
        .collect();
    let mut all: Vec<Shares> = Vec::new();
    for at in instants {
        let set = weights.iter().rev().find(|set| set.at <= at);
        let none = BTreeMap::new();
        let set = set.map_or(&none, |set| &set.weights);
        let versions_of = |service: &String| {
            let entries = standing.get(service)?.iter().rev();
            let mut entries = entries.filter(|entry| entry.at <= at);
            entries.next().map(|entry| &entry.versions)
        };
        let shares = share(at, set, versions_of);
        if all
            .last()
            .is_none_or(|last| (&last.versions, last.lost) != (&shares.versions, shares.lost))
        {
            all.push(shares);
        }
    }
    all
}

#[expect(
    clippy::cast_precision_loss,
    reason = "weights are at most 16 times a million, pods a few thousand"
)]
fn share<'a>(
    at: Timestamp,
    weights: &BTreeMap<String, i64>,
    versions_of: impl Fn(&String) -> Option<&'a BTreeMap<String, usize>>,
) -> Shares {
    let total: i64 = weights.values().sum();
    let mut versions: BTreeMap<String, f64> = BTreeMap::new();
    let mut lost = if total > 0 { 0.0 } else { 1.0 };
    for (service, weight) in weights.iter().filter(|(_, weight)| **weight > 0) {
        let part = *weight as f64 / total as f64;
        let behind = versions_of(service);
        let pods: usize = behind.into_iter().flatten().map(|(_, pods)| pods).sum();
        if pods == 0 {
            lost += part;
        }
        for (digest, of) in behind.into_iter().flatten().filter(|(_, of)| **of > 0) {
            *versions.entry(digest.clone()).or_default() += part * *of as f64 / pods as f64;
        }
    }
    Shares { at, versions, lost }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::{Shares, combine};
    use crate::timeline::{Standing, Weights};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn map<T: Copy>(pairs: &[(&str, T)]) -> BTreeMap<String, T> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect()
    }

    #[test]
    fn weights_and_pods_make_shares() {
        let weights = [
            Weights {
                at: at(10),
                weights: map(&[("web", 1)]),
            },
            Weights {
                at: at(20),
                weights: map(&[("web", 3), ("new", 1)]),
            },
            Weights {
                at: at(40),
                weights: map(&[]),
            },
        ];
        let standing = BTreeMap::from([
            (
                "web".to_owned(),
                vec![
                    Standing {
                        at: at(5),
                        versions: map(&[("a", 4)]),
                    },
                    Standing {
                        at: at(15),
                        versions: map(&[("a", 2), ("b", 2)]),
                    },
                ],
            ),
            (
                "new".to_owned(),
                vec![Standing {
                    at: at(30),
                    versions: map(&[("b", 1)]),
                }],
            ),
        ]);
        let shares = |second, versions: &[(&str, f64)], lost| Shares {
            at: at(second),
            versions: map(versions),
            lost,
        };
        assert_eq!(
            combine(&weights, &standing),
            [
                shares(10, &[("a", 1.0)], 0.0),
                shares(15, &[("a", 0.5), ("b", 0.5)], 0.0),
                shares(20, &[("a", 0.375), ("b", 0.375)], 0.25),
                shares(30, &[("a", 0.375), ("b", 0.625)], 0.0),
                shares(40, &[], 1.0),
            ]
        );
    }
}
