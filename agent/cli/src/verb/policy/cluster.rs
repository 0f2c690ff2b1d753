//! What a cluster knows about a release that nobody has asked for yet.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use sluice_cluster::crd::{Request, RequestState, Rollout};
use sluice_core::explain::{Question, UnderWay};
use sluice_core::policy::Policy;
use sluice_core::stop::{Stop, Wish, in_force};

use crate::access::Access;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::verb::objects;

/// The labels by which the chart's ConfigMaps are found.
const LABELS: &str = "app.kubernetes.io/part-of=sluice";
/// The key of the policy in its ConfigMap.
const KEY: &str = "policy.yaml";
/// ConfigMaps that are looked at.
const PAGE: u32 = 100;

/// The policy of the agent, and where it is from.
pub(crate) async fn policy(
    access: &Access,
    from: Option<&str>,
) -> Result<(Policy, String), Failure> {
    let found = match from {
        Some(from) => named(access, from).await?,
        None => only(access).await?,
    };
    let place = format!(
        "ConfigMap {}/{}",
        found.namespace().unwrap_or_default(),
        found.name_any()
    );
    let text = found.data.as_ref().and_then(|data| data.get(KEY));
    let Some(text) = text else {
        return Err(
            Failure::new("no-policy", format!("{place} has no key {KEY}"))
                .at(access.place())
                .change("name the right one with --policy-from NAMESPACE/NAME"),
        );
    };
    Ok((super::good(text, &format!("in {place}"))?, place))
}

async fn named(access: &Access, from: &str) -> Result<ConfigMap, Failure> {
    let Some((namespace, name)) = from.split_once('/') else {
        return Err(
            Failure::new("usage", format!("--policy-from {from} names no namespace"))
                .change("write NAMESPACE/NAME")
                .exit(Exit::Usage),
        );
    };
    let api: Api<ConfigMap> = Api::namespaced(access.client.clone(), namespace);
    api.get(name)
        .await
        .map_err(|e| unreadable(access, &format!("ConfigMap {from}"), e))
}

/// The one ConfigMap of a chart that holds a policy: here, or else anywhere.
async fn only(access: &Access) -> Result<ConfigMap, Failure> {
    let params = ListParams::default().labels(LABELS).limit(PAGE);
    let here: Api<ConfigMap> = Api::namespaced(access.client.clone(), &access.namespace);
    let mut found = policies(&here, &params).await;
    if !matches!(&found, Ok(found) if !found.is_empty()) {
        let everywhere: Api<ConfigMap> = Api::all(access.client.clone());
        match policies(&everywhere, &params).await {
            Ok(more) => found = Ok(more),
            // What was seen here counts where nobody may look further.
            Err(e) if found.is_err() => {
                return Err(unreadable(access, "the agent's policy (ConfigMaps)", e));
            }
            Err(_) => {}
        }
    }
    let mut found = found.unwrap_or_default();
    let change = "give the file with --policy FILE, or the place with --policy-from NAMESPACE/NAME";
    match (found.pop(), found.as_slice()) {
        (Some(only), []) => Ok(only),
        (None, _) => Err(
            Failure::new("no-policy", "no ConfigMap with a policy was found")
                .at(access.place())
                .because(format!(
                    "none with the label {LABELS} and the key {KEY} is here, or you may not see it"
                ))
                .change(change),
        ),
        (Some(last), others) => {
            let names: Vec<String> = others
                .iter()
                .chain([&last])
                .map(|c| format!("{}/{}", c.namespace().unwrap_or_default(), c.name_any()))
                .collect();
            Err(Failure::new("no-policy", "several agents have a policy")
                .at(access.place())
                .because(names.join(", "))
                .change(change))
        }
    }
}

async fn policies(
    api: &Api<ConfigMap>,
    params: &ListParams,
) -> Result<Vec<ConfigMap>, kube::Error> {
    let has = |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data.contains_key(KEY));
    let list = api.list(params).await?;
    Ok(list.items.into_iter().filter(has).collect())
}

fn unreadable(access: &Access, what: &str, error: kube::Error) -> Failure {
    access.fault("read", what, error).change(
        "give the file with --policy FILE, or ask for the right to read the agent's ConfigMap",
    )
}

/// Adds what Rollouts and Requests show: what was read of this image before, since when it is
/// proposed, what is under way and whether everything stands still. Answers what could not be seen.
pub(super) async fn look(
    access: &Access,
    policy: &Policy,
    pipeline: &str,
    question: &mut Question,
    now: Timestamp,
) -> Vec<String> {
    let mut sources = Vec::new();
    match objects::list::<Rollout>(access, false).await {
        Ok((rollouts, false)) => of_rollouts(&rollouts, pipeline, question, &mut sources),
        Ok((_, true)) => sources.push("there are too many Rollouts to count them".to_owned()),
        Err(failure) => sources.push(format!("what is under way is not known: {}", failure.what)),
    }
    match objects::list::<Request>(access, false).await {
        Ok((requests, _)) => question.stop = stop(&requests, policy, now),
        Err(failure) => sources.push(format!(
            "whether everything is stopped is not known: {}",
            failure.what
        )),
    }
    sources
}

fn of_rollouts(
    rollouts: &[Rollout],
    pipeline: &str,
    question: &mut Question,
    sources: &mut Vec<String>,
) {
    let begun = |r: &&Rollout| r.status.as_ref().is_some_and(|j| j.state.begun());
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let here = rollouts
        .iter()
        .filter(begun)
        .filter(|r| r.spec.body.environment == question.environment);
    question.under_way = Some(UnderWay {
        here: count(here.count()),
        everywhere: count(rollouts.iter().filter(begun).count()),
    });
    let Some(digest) = question.digest.clone() else {
        return;
    };
    let mut same = rollouts.iter().filter(|r| {
        let spec = &r.spec.body;
        spec.pipeline == pipeline && spec.image.digest == digest
    });
    if question.about.is_none()
        && let Some(known) = same.clone().find(|r| !r.spec.body.image.about.is_empty())
    {
        question.about = Some(known.spec.body.image.about.clone());
        sources.push(format!(
            "annotations and signatures as Rollout {} has them",
            known.name_any()
        ));
    }
    let waiting = same.find(|r| {
        let over = r.status.as_ref().is_some_and(|j| j.state.ended());
        r.spec.body.environment == question.environment && !over
    });
    if let Some(waiting) = waiting {
        question.proposed_at = waiting.creation_timestamp().map(|at| at.0);
        sources.push(format!(
            "proposed as Rollout {}: `sluice explain {}` says where it is",
            waiting.name_any(),
            waiting.name_any()
        ));
    }
}

/// The global stop in force, by what was taken up.
pub(crate) fn stop(requests: &[Request], policy: &Policy, now: Timestamp) -> Option<Stop> {
    let accepted = requests
        .iter()
        .filter(|r| r.state() == RequestState::Accepted);
    let by = |r: &Request| policy.person(&r.spec.asker()).name;
    let wishes: Vec<Wish> = accepted.filter_map(|r| r.about_everything(by(r))).collect();
    in_force(&wishes, now)
}
