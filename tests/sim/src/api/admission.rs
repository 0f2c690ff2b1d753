//! The guards of Sluice's own objects, as its ValidatingAdmissionPolicies will state them
//! (design.md "Doors", reliability.md A4 to A6).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::guard::{self, Deed};
use crate::api::resource::Resource;
use crate::identity::User;
use crate::json;

/// What is asked of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'a> {
    Create,
    /// A change through the main door, with the object as it was.
    Update(&'a Value),
    /// A change of the status alone.
    Status,
    Delete,
}

/// Whom and where the guards know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guards {
    /// The name of the agent's service account.
    pub(crate) agent: String,
    /// The namespaces where it is held to its own, as the chart's `targetNamespaces`.
    pub(crate) targets: BTreeSet<String>,
}

/// On every workload that the agent writes: the epoch of the leader that wrote it last.
const EPOCH: &str = "sluice.dev/epoch";

/// Refuses what the policies refuse.
pub(crate) fn check(
    guards: &Guards,
    user: &User,
    resource: Resource,
    act: Act<'_>,
    object: &Value,
) -> Result<(), ApiError> {
    let name = json::text(object, "/metadata/name");
    let is_agent = user.name == guards.agent;
    let refuse = |policy: &str, why: String| {
        let why = format!(
            "ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {why}"
        );
        Err(ApiError::forbidden(resource, name, &why))
    };
    let namespace = json::text(object, "/metadata/namespace");
    if is_agent && guards.targets.contains(namespace) {
        let deed = match act {
            Act::Create => Some(Deed::Create(object)),
            Act::Update(before) => Some(Deed::Update(before, object)),
            Act::Delete => Some(Deed::Delete(object)),
            Act::Status => None,
        };
        if let Some(deed) = deed {
            guard::check(resource, deed).or_else(|(policy, why)| refuse(policy, why))?;
        }
    }
    match act {
        Act::Create => match resource {
            Resource::Approvals | Resource::Requests
                if is_agent && !doors(resource).contains(&json::text(object, "/spec/channel")) =>
            {
                refuse(
                    &format!("sluice-{}", resource.info().plural),
                    "the agent writes in another name only what came through one of its own doors"
                        .into(),
                )
            }
            Resource::Approvals if !is_agent => {
                author(user, object, "approver").or_else(|why| refuse("sluice-approvals", why))
            }
            Resource::Requests if !is_agent => {
                author(user, object, "requester").or_else(|why| refuse("sluice-requests", why))
            }
            Resource::Rollouts if !is_agent => refuse(
                "sluice-rollouts",
                format!(
                    "only the agent creates Rollouts, not \"{}\"; create a Request",
                    user.name
                ),
            ),
            _ => Ok(()),
        },
        Act::Update(before) => {
            if is_agent && is_fenced(resource) {
                return epoch(before, object).or_else(|why| refuse("sluice-epoch", why));
            }
            let fixed = matches!(
                resource,
                Resource::Approvals | Resource::Requests | Resource::Rollouts
            );
            if fixed && before.get("spec") != object.get("spec") {
                return Err(ApiError::invalid(
                    resource,
                    name,
                    "spec",
                    "Invalid value: a spec is written once and never changed",
                ));
            }
            Ok(())
        }
        Act::Status if resource.is_ours() && !is_agent => refuse(
            "sluice-status",
            format!("only the agent writes a status, not \"{}\"", user.name),
        ),
        Act::Status | Act::Delete => Ok(()),
    }
}

/// The doors through which the agent lets people in, as the chart's `guards/` name them.
fn doors(resource: Resource) -> &'static [&'static str] {
    if resource == Resource::Approvals {
        &["web", "slack", "plugin"]
    } else {
        &["web", "webhook"]
    }
}

/// What the agent writes in the name of a Rollout, and marks with its epoch.
fn is_fenced(resource: Resource) -> bool {
    matches!(
        resource,
        Resource::Deployments
            | Resource::StatefulSets
            | Resource::DaemonSets
            | Resource::Services
            | Resource::Jobs
            | Resource::Ingresses
            | Resource::HttpRoutes
    )
}

/// The fence (reliability.md F3), as the chart's `guards/epoch.yaml` states it: whose epoch is lower
/// than the one on the object does not lead any more. What is no number there counts as 0, or
/// anybody who may edit the object could lock the agent out of it.
fn epoch(before: &Value, after: &Value) -> Result<(), String> {
    let of = |object| {
        json::at(object, "/metadata/annotations")
            .and_then(|annotations| annotations.get(EPOCH)?.as_str())
            .unwrap_or_default()
    };
    // 18 digits: what surely fits into an integer.
    let number = |text: &str| {
        text.parse::<u64>()
            .ok()
            .filter(|_| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (before, after) = (of(before), of(after));
    let floor = number(before).unwrap_or_default();
    match number(after) {
        None if after.is_empty() && before.is_empty() => Ok(()),
        None if after.is_empty() => {
            Err("the agent never removes the annotation sluice.dev/epoch".to_owned())
        }
        None => Err("the annotation sluice.dev/epoch is a number of at most 18 digits".to_owned()),
        Some(given) if given < floor => Err(format!(
            "the agent that wrote this is not the leader any more: its epoch is {given}, and \
             {floor} stands in sluice.dev/epoch"
        )),
        Some(_) => Ok(()),
    }
}

/// The named author must be the one who asks, with no group that they do not have, by the door that
/// they used.
fn author(user: &User, object: &Value, field: &str) -> Result<(), String> {
    let named = json::text(object, &format!("/spec/{field}"));
    if named != user.name {
        return Err(format!(
            "spec.{field} is \"{named}\" but the request was made by \"{}\"",
            user.name
        ));
    }
    for place in ["channel", "provider"] {
        let named = json::text(object, &format!("/spec/{place}"));
        if !matches!(named, "" | "kubernetes") {
            return Err(format!(
                "spec.{place} is \"{named}\", which only the agent writes; leave it out"
            ));
        }
    }
    for group in json::list(object, "/spec/groups") {
        let group = group.as_str().unwrap_or_default();
        if !user.groups.iter().any(|own| own == group) {
            return Err(format!(
                "spec.groups names \"{group}\", which the user is not in"
            ));
        }
    }
    Ok(())
}
