//! What a StatefulSet and a DaemonSet can do that a Deployment cannot, and the other way round.
//!
//! A Deployment's candidate stands beside it. The pods of the other two have identities, a name and a
//! volume or a node, of which there is one each: the candidate takes the place of a pod. A StatefulSet
//! can hold such an update at a number of pods, by `partition`; a DaemonSet cannot.

use serde_json::Value;

use crate::plan::PlannedStep;
use crate::rollout::{ObjectKind, WorkloadSeen};

/// The pods of a StatefulSet below this ordinal keep the template that they have.
pub fn partition(spec: &Value) -> u32 {
    spec.pointer("/updateStrategy/rollingUpdate/partition")
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0)
}

/// Why this plan cannot be carried out by a workload of its kind, one sentence each, with what to
/// write instead.
pub fn problems(target: &WorkloadSeen, autoscaled: bool, steps: &[PlannedStep]) -> Vec<String> {
    if target.kind == ObjectKind::Deployment {
        return Vec::new();
    }
    let name = format!("{} {}/{}", target.kind, target.namespace, target.name);
    let mut out = Vec::new();
    let strategy = target.spec.pointer("/updateStrategy/type");
    if strategy.and_then(Value::as_str) == Some("OnDelete") {
        out.push(format!(
            "{name} replaces its pods only when somebody deletes them: set spec.updateStrategy.type \
             to RollingUpdate"
        ));
    }
    let mut shares = steps.iter().filter(|s| !s.promotes()).peekable();
    if shares.peek().is_none() {
        return out;
    }
    if target.kind == ObjectKind::DaemonSet {
        out.push(format!(
            "{name} cannot hold a release at a share of its nodes: plan one step of 100 %, such as \
             with the strategy `rolling`"
        ));
    } else if autoscaled {
        out.push(format!(
            "an autoscaler owns the number of pods of {name}, and what it adds would be the candidate: \
             plan one step of 100 %, such as with the strategy `rolling`"
        ));
    } else if shares.any(|s| {
        s.candidate_replicas == 0
            || s.stable_replicas.saturating_add(s.candidate_replicas) > target.replicas
    }) {
        out.push(format!(
            "{name} has {} replicas, and a share of them is no whole pod beside a stable one: give it \
             more, or plan one step of 100 %, such as with the strategy `rolling`",
            target.replicas
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rollout::fixture::{mk_plan, mk_proposal, mk_workload};

    fn mk(kind: ObjectKind, replicas: u32) -> WorkloadSeen {
        WorkloadSeen {
            kind,
            ..mk_workload("db", "target-1", 'a', replicas)
        }
    }

    fn shares(n: u32) -> Vec<PlannedStep> {
        mk_plan(&mk_proposal(), n).steps
    }

    #[test]
    fn a_share_needs_a_workload_that_can_hold_it() {
        let all_at_once = shares(3).split_off(2);
        let told = |kind, n, autoscaled, steps: &[PlannedStep]| {
            problems(&mk(kind, n), autoscaled, steps).join("\n")
        };
        let (stateful, daemon) = (ObjectKind::StatefulSet, ObjectKind::DaemonSet);
        assert_eq!(told(stateful, 3, false, &shares(3)), "");
        assert!(told(stateful, 3, true, &shares(3)).contains("autoscaler"));
        assert!(told(stateful, 1, false, &shares(1)).contains("has 1 replicas"));
        assert!(told(daemon, 3, false, &shares(3)).contains("DaemonSet shop/db"));
        for kind in [stateful, daemon] {
            assert_eq!(told(kind, 1, true, &all_at_once), "", "{kind}");
        }
        assert_eq!(told(ObjectKind::Deployment, 1, true, &shares(1)), "");
    }

    #[test]
    fn what_waits_for_a_person_to_delete_its_pods_is_refused() {
        let mut w = mk(ObjectKind::DaemonSet, 3);
        w.spec["updateStrategy"] = json!({"type": "OnDelete"});
        let all_at_once = shares(3).split_off(2);
        let told = problems(&w, false, &all_at_once);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("RollingUpdate"), "{told:?}");
    }
}
