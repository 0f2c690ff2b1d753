//! What the agent's own account is held to in the namespaces of its targets, as the chart's `guards/`
//! state it for `targetNamespaces`. RBAC cannot say "only its own" or "only the selector".

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::resource::Resource;
use crate::json;

/// The label with the uid of the Rollout that made an object.
const OWNED: &str = "sluice.dev/rollout-uid";

/// A refusal: the policy and its words.
pub(crate) type Refusal = (&'static str, String);

/// What is asked of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed<'a> {
    Create(&'a Value),
    /// Before and after.
    Update(&'a Value, &'a Value),
    Delete(&'a Value),
}

/// Refuses what the policies refuse the agent.
pub(crate) fn check(resource: Resource, deed: Deed<'_>) -> Result<(), Refusal> {
    match resource {
        Resource::Deployments => workload(deed),
        Resource::Pods => pod(deed),
        Resource::Services => service(deed).and_then(|()| object(resource, deed)),
        Resource::Jobs => job(deed).and_then(|()| object(resource, deed)),
        Resource::HttpRoutes => route(deed).and_then(|()| object(resource, deed)),
        Resource::StatefulSets
        | Resource::DaemonSets
        | Resource::ConfigMaps
        | Resource::Secrets
        | Resource::Ingresses => object(resource, deed),
        _ => Ok(()),
    }
}

fn refuse(policy: &'static str, why: impl Into<String>) -> Result<(), Refusal> {
    Err((policy, why.into()))
}

fn owned(object: &Value) -> &str {
    json::entry(object, "/metadata/labels", OWNED).unwrap_or_default()
}

fn name(object: &Value) -> &str {
    json::text(object, "/metadata/name")
}

/// `guards/workloads.yaml`.
fn workload(deed: Deed<'_>) -> Result<(), Refusal> {
    let policy = "sluice-workloads";
    match deed {
        Deed::Delete(before) if owned(before).is_empty() => refuse(
            policy,
            format!(
                "the agent deletes only Deployments that it created: {} has no label {OWNED}",
                name(before)
            ),
        ),
        Deed::Create(after)
            if owned(after).is_empty() || json::int(after, "/spec/replicas") != Some(0) =>
        {
            refuse(
                policy,
                "the agent creates only Deployments without pods that bear the label \
                 sluice.dev/rollout-uid",
            )
        }
        Deed::Update(before, after) if owned(before) != owned(after) => refuse(
            policy,
            "the agent neither takes a Deployment for its own nor gives one away (label \
             sluice.dev/rollout-uid)",
        ),
        Deed::Create(_) | Deed::Update(..) | Deed::Delete(_) => Ok(()),
    }
}

/// `guards/objects.yaml`.
fn object(resource: Resource, deed: Deed<'_>) -> Result<(), Refusal> {
    let policy = "sluice-objects";
    let kind = resource.info().kind;
    match deed {
        Deed::Delete(before) if owned(before).is_empty() => refuse(
            policy,
            format!(
                "the agent deletes only what it created: {kind} {} has no label {OWNED}",
                name(before)
            ),
        ),
        Deed::Create(after) if owned(after).is_empty() => refuse(
            policy,
            format!(
                "the agent creates only what bears the label {OWNED}, not {kind} {}",
                name(after)
            ),
        ),
        Deed::Update(before, after) if owned(before) != owned(after) => refuse(
            policy,
            format!(
                "the agent neither takes a {kind} for its own nor gives one away (label {OWNED})"
            ),
        ),
        Deed::Create(_) | Deed::Update(..) | Deed::Delete(_) => Ok(()),
    }
}

/// `guards/jobs.yaml`.
fn job(deed: Deed<'_>) -> Result<(), Refusal> {
    match deed {
        Deed::Create(after) if !json::flag(after, "/spec/suspend") => refuse(
            "sluice-jobs",
            "the agent creates only Jobs that are suspended",
        ),
        Deed::Create(_) | Deed::Update(..) | Deed::Delete(_) => Ok(()),
    }
}

/// `guards/pods.yaml`.
fn pod(deed: Deed<'_>) -> Result<(), Refusal> {
    let Deed::Delete(before) = deed else {
        return Ok(());
    };
    let remade = json::list(before, "/metadata/ownerReferences")
        .iter()
        .any(|owner| {
            json::text(owner, "/kind") == "StatefulSet" && json::flag(owner, "/controller")
        });
    if remade {
        return Ok(());
    }
    refuse(
        "sluice-pods",
        format!(
            "the agent deletes only pods of StatefulSets, not {}",
            name(before)
        ),
    )
}

/// `guards/services.yaml`.
fn service(deed: Deed<'_>) -> Result<(), Refusal> {
    let policy = "sluice-services";
    match deed {
        Deed::Create(after) => {
            let plain = json::text(after, "/spec/type") == "ClusterIP"
                && json::at(after, "/spec/externalIPs").is_none()
                && json::entries(after, "/spec/selector").next().is_some();
            if plain {
                return Ok(());
            }
            refuse(
                policy,
                "the agent creates only Services of type ClusterIP, with a selector and no \
                 external addresses",
            )
        }
        Deed::Update(before, after) => {
            let fixed = [
                "type",
                "ports",
                "externalIPs",
                "externalName",
                "loadBalancerSourceRanges",
            ];
            let of = |object, field: &str| json::at(object, &format!("/spec/{field}"));
            if fixed
                .iter()
                .any(|field| of(before, field) != of(after, field))
            {
                return refuse(
                    policy,
                    "the agent changes nothing of a Service but its selector",
                );
            }
            let keys = |object| -> BTreeSet<&str> {
                let entries = json::entries(object, "/spec/selector");
                entries.map(|(key, _)| key).collect()
            };
            if keys(before) != keys(after) {
                return refuse(
                    policy,
                    "the agent changes what the keys of a selector must be, and never which keys \
                     it has",
                );
            }
            Ok(())
        }
        Deed::Delete(_) => Ok(()),
    }
}

/// `guards/routes.yaml`.
fn route(deed: Deed<'_>) -> Result<(), Refusal> {
    let policy = "sluice-routes";
    let Deed::Update(before, after) = deed else {
        return Ok(());
    };
    let rest = |object: &Value| {
        let mut spec = object.get("spec").cloned().unwrap_or_default();
        for rule in json::list_mut(&mut spec, &["rules"]) {
            let known = ["name", "matches", "filters"];
            if let Some(members) = rule.as_object_mut() {
                members.retain(|member, _| known.contains(&member.as_str()));
            }
        }
        let member = |name: &str| spec.get(name).cloned();
        (member("hostnames"), member("parentRefs"), member("rules"))
    };
    if rest(before) != rest(after) {
        return refuse(
            policy,
            "the agent changes nothing of an HTTPRoute but the backendRefs of its rules",
        );
    }
    let abroad = |object| {
        json::list(object, "/spec/rules")
            .iter()
            .flat_map(|rule| json::list(rule, "/backendRefs"))
            .filter(|backend| backend.get("namespace").is_some())
            .map(|backend| {
                (
                    json::text(backend, "/namespace"),
                    json::text(backend, "/name"),
                )
            })
    };
    let was: Vec<(&str, &str)> = abroad(before).collect();
    if abroad(after).all(|backend| was.contains(&backend)) {
        return Ok(());
    }
    refuse(
        policy,
        "the agent sends nothing to another namespace where nothing was sent before",
    )
}
