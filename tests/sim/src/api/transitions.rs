//! What Sluice's own definitions say of one status and the next, as the API server checks it for
//! everyone (`agent/cluster/src/crd/rules.rs` and `phases.rs`). Written down a second time on
//! purpose: a rule that is lost there is missed here.

use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::resource::Resource;
use crate::json;

/// How a Rollout ends.
const ENDS: [&str; 8] = [
    "Succeeded",
    "RolledBack",
    "Refused",
    "Rejected",
    "Expired",
    "Superseded",
    "Cancelled",
    "Failed",
];

/// Refuses a status that cannot follow the one before it.
pub(crate) fn check(resource: Resource, before: &Value, after: &Value) -> Result<(), ApiError> {
    let guarded = matches!(
        resource,
        Resource::Rollouts | Resource::Pipelines | Resource::Requests
    );
    if !guarded || before.get("status").is_none() {
        return Ok(());
    }
    let refuse = |field: &str, why: &str| {
        let name = json::text(after, "/metadata/name");
        let problem = format!("Invalid value: \"object\": {why}");
        Err(ApiError::invalid(resource, name, field, &problem))
    };
    if after.get("status").is_none() {
        return refuse("<nil>", "a status is never removed");
    }
    let epoch = |object| json::int(object, "/status/epoch").unwrap_or_default();
    if epoch(after) < epoch(before) {
        return refuse(
            "status",
            "an agent that is not the leader any more wrote this: status.epoch never becomes less",
        );
    }
    match resource {
        Resource::Rollouts => {
            phases(before, after).map_or(Ok(()), |broken| refuse("status", broken))
        }
        _ => Ok(()),
    }
}

/// The rule about phases that is broken. Where a field is missing, as in objects that only tests
/// make, its rules say nothing.
fn phases(before: &Value, after: &Value) -> Option<&'static str> {
    let ended = json::text(before, "/status/phase");
    if ENDS.contains(&ended) && json::text(after, "/status/phase") != ended {
        return Some(
            "an ended Rollout stays ended: its phase never changes. Ask for another Rollout",
        );
    }
    let state = |object| json::text(object, "/status/state/phase");
    let (from, to) = (state(before), state(after));
    if from.is_empty() {
        return None;
    }
    let states = |object| json::at(object, "/status/state").cloned();
    if from == "Ended" && states(before) != states(after) {
        return Some(
            "an ended Rollout stays ended: its state never changes. Ask for another Rollout",
        );
    }
    if from == "Recording" && !["Recording", "Ended"].contains(&to) {
        return Some("after Recording comes the end and nothing else");
    }
    if from == "RollingBack" && !["RollingBack", "Recording", "Ended"].contains(&to) {
        return Some("a Rollout that goes back never goes forward again");
    }
    if to == "Queued" && from != "Queued" {
        return Some("a Rollout is queued once, at its beginning");
    }
    let waits = ["Queued", "Planning", "AwaitingApproval"].contains(&to);
    if json::flag(before, "/status/claimed") && waits {
        return Some(
            "a Rollout that has begun to change its target never waits before the gate again",
        );
    }
    None
}
