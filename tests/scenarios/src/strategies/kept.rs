//! What must have held in the stories of the strategies, whatever happened in them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_sim::{Cluster, Resource, WriteRecord};

use super::{BACK, ROUTE, RULE, Way, ingress, route};
use crate::stage::{PRODUCTION, Stage, digest};
use crate::story::Story;

/// Pods of production, and the most that a limit of none more lets there be.
const PODS: usize = 10;
/// From the moment in which no traffic is led to pods any more until they may go.
const DRAINS: SignedDuration = SignedDuration::from_secs(5);
const CANDIDATE: &str = "storefront-candidate-";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

/// Looks at all that a story promises beside what every story does.
///
/// # Errors
/// A sentence about what did not hold.
pub fn kept(stage: &Stage, story: Story) -> Result<(), String> {
    let cluster = &stage.cluster;
    nothing_left(cluster)?;
    match story.way() {
        Way::Canary | Way::Rolling => {}
        Way::BlueGreen => blue_green(cluster, story)?,
        Way::Route => shared(cluster, story)?,
        Way::Ingress => {
            unwritten(cluster)?;
            no_more_than(&weights_of_ingress(cluster), &[0, 1000, 5000])?;
        }
        Way::NoSurge => {
            let most = stage.most_pods.load(Ordering::Relaxed);
            if most > PODS {
                return Err(format!("there were {most} pods in production"));
            }
        }
    }
    Ok(())
}

/// Nothing that was made for a candidate is there any more, and the Service is as it was (O9).
fn nothing_left(cluster: &Cluster) -> Result<(), String> {
    for resource in [
        Resource::Services,
        Resource::Ingresses,
        Resource::HttpRoutes,
        Resource::Deployments,
    ] {
        for object in cluster.objects(resource, PRODUCTION) {
            let labels = &object["metadata"]["labels"];
            if !labels["sluice.dev/role"].is_null() {
                return Err(format!(
                    "{resource:?} {} is left",
                    object["metadata"]["name"]
                ));
            }
        }
    }
    let service = cluster.object(Resource::Services, PRODUCTION, "storefront");
    let selector = service.map(|s| s["spec"]["selector"].clone());
    if selector != Some(json!({"app": "storefront"})) {
        return Err(format!("the Service selects {selector:?}"));
    }
    Ok(())
}

/// The versions that visitors met: each of them alone, one after the other.
fn blue_green(cluster: &Cluster, story: Story) -> Result<(), String> {
    for standing in cluster.behind(PRODUCTION, "storefront") {
        let versions = &standing.versions;
        let bad = versions.contains_key(&digest('c')) || versions.contains_key(&digest('d'));
        if bad {
            return Err(format!("visitors met a bad version at {}", standing.at));
        }
        if story == Story::BlueGreenBad && versions.len() > 1 {
            return Err(format!("visitors met two versions at {}", standing.at));
        }
    }
    Ok(())
}

/// The weights of the rule over time; nobody else's field was touched, and whoever is sent traffic has
/// pods.
fn shared(cluster: &Cluster, story: Story) -> Result<(), String> {
    let found = cluster
        .object(Resource::HttpRoutes, PRODUCTION, ROUTE)
        .unwrap_or_default();
    let (is, was) = (found["spec"].to_string(), route()["spec"].to_string());
    if is != was {
        return Err(format!("the HTTPRoute is {is} and was {was}"));
    }
    for w in writes_on(cluster, Resource::HttpRoutes, ROUTE) {
        for op in w.body.as_array().into_iter().flatten() {
            let path = op["path"].as_str().unwrap_or_default();
            let ours = path == "/spec/rules/1/backendRefs" || path.starts_with("/metadata/");
            if op["op"] != "test" && !ours {
                return Err(format!("the agent wrote {op} into the HTTPRoute"));
            }
        }
    }
    let timeline = cluster.route_weights(PRODUCTION, ROUTE, RULE);
    let mut shares = Vec::new();
    for (i, now) in timeline.iter().enumerate() {
        let candidate = now.weights.iter().find(|(n, _)| n.starts_with(CANDIDATE));
        let Some((name, weight)) = candidate else {
            shares.push(0);
            continue;
        };
        shares.push(*weight);
        let until = timeline.get(i + 1).map(|next| next.at + DRAINS);
        let fewest = fewest_between(cluster, name, now.at, until);
        if *weight > 0 && fewest == 0 {
            return Err(format!("{name} had no pods and a weight of {weight}"));
        }
    }
    let allowed: &[i64] = if story == Story::RouteBad {
        &[0, 1000]
    } else {
        &[0, 1000, 5000]
    };
    no_more_than(&shares, allowed)
}

/// The shares are these, in this order, and each is there once but for the one without traffic.
fn no_more_than(shares: &[i64], allowed: &[i64]) -> Result<(), String> {
    let mut grown = shares.to_vec();
    grown.dedup();
    grown.retain(|s| *s > 0);
    let wanted: Vec<i64> = allowed.iter().copied().filter(|s| *s > 0).collect();
    if !wanted.starts_with(&grown) || grown.is_empty() {
        return Err(format!("shares of {shares:?} and not of {allowed:?}"));
    }
    Ok(())
}

fn fewest_between(
    cluster: &Cluster,
    service: &str,
    from: Timestamp,
    until: Option<Timestamp>,
) -> usize {
    let samples = cluster.timeline(PRODUCTION, service);
    let at_start = samples.iter().rev().find(|s| s.at <= from);
    let later = samples
        .iter()
        .filter(|s| s.at > from && until.is_none_or(|until| s.at < until));
    at_start
        .into_iter()
        .chain(later)
        .map(|s| s.ready)
        .min()
        .unwrap_or_default()
}

/// The named Ingress was never written.
fn unwritten(cluster: &Cluster) -> Result<(), String> {
    if let Some(w) = writes_on(cluster, Resource::Ingresses, ROUTE).first() {
        return Err(format!("the agent wrote the named Ingress: {}", w.body));
    }
    let found = cluster
        .object(Resource::Ingresses, PRODUCTION, ROUTE)
        .unwrap_or_default();
    let (is, was) = (found["spec"].to_string(), ingress()["spec"].to_string());
    if is == was {
        Ok(())
    } else {
        Err(format!("the Ingress is {is} and was {was}"))
    }
}

/// The weights of the canary Ingress, as they were written.
pub(super) fn weights_of_ingress(cluster: &Cluster) -> Vec<i64> {
    let pointer = WEIGHT.replace('/', "~1");
    let agent = cluster.agent();
    let mut weights = Vec::new();
    for w in cluster.writes() {
        if w.user != agent || !w.accepted() || w.resource != Resource::Ingresses {
            continue;
        }
        let created = w.body.pointer(&format!("/metadata/annotations/{pointer}"));
        let patched = w.body.as_array().into_iter().flatten().find_map(|op| {
            let ours =
                op["op"] != "test" && op["path"] == format!("/metadata/annotations/{pointer}");
            ours.then_some(&op["value"])
        });
        let value = created.or(patched).and_then(Value::as_str);
        weights.extend(value.and_then(|v| v.parse::<i64>().ok()));
    }
    weights
}

/// Writes of the agent that were carried out on one object of production.
fn writes_on(cluster: &Cluster, resource: Resource, name: &str) -> Vec<WriteRecord> {
    let agent = cluster.agent();
    let mut writes = cluster.writes();
    writes.retain(|w| {
        w.user == agent
            && w.accepted()
            && w.resource == resource
            && w.namespace == PRODUCTION
            && w.name == name
    });
    writes
}

/// How long it took from a person's wish, or a check that failed, to the first write that leads traffic
/// back: of the Service's selector, or of the HTTPRoute's weights.
pub fn back(stage: &Stage) -> Option<Duration> {
    let cluster = &stage.cluster;
    let asked = cluster.writes().into_iter().find(|w| {
        w.resource == Resource::Requests && w.verb == "create" && w.name == BACK && w.accepted()
    });
    let failed = stage.plugins.failed_at().first().copied();
    let since = asked.map(|w| w.at).or(failed)?;
    let (resource, name) = match cluster.object(Resource::HttpRoutes, PRODUCTION, ROUTE) {
        Some(_) => (Resource::HttpRoutes, ROUTE),
        None => (Resource::Services, "storefront"),
    };
    let writes = writes_on(cluster, resource, name);
    let first = writes.iter().find(|w| w.at >= since)?;
    Some(first.at.duration_since(since).unsigned_abs())
}
