//! `Deployment.status`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::json;
use crate::model::Model;
use crate::workload::deployment::{REVISION, Sets, Wanted, annotate};
use crate::workload::queue::Work;

/// Counts of a status.
struct Counts {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    unavailable: i64,
}

impl Model {
    /// Writes counts and conditions, and the revision of the present template.
    pub(crate) fn write_deployment_status(&mut self, wanted: &Wanted, sets: &Sets) {
        let Some(old) = self.object(&wanted.key) else {
            return;
        };
        let old = old.value();
        let sum = |name: &str| sets.all().map(|set| set.status(name)).sum::<i64>();
        let available = sum("availableReplicas");
        let counts = Counts {
            replicas: sum("replicas"),
            updated: sets.new.as_ref().map_or(0, |new| new.status("replicas")),
            ready: sum("readyReplicas"),
            available,
            unavailable: (sets.replicas() - available).max(0),
        };
        let mut status = json!({
            "observedGeneration": json::int(old, "/metadata/generation"),
            "replicas": counts.replicas,
            "updatedReplicas": counts.updated,
            "readyReplicas": counts.ready,
            "availableReplicas": counts.available,
            "unavailableReplicas": counts.unavailable,
        });
        if let Some(members) = status.as_object_mut() {
            // The real server leaves zeros out.
            members.retain(|name, value| name == "observedGeneration" || *value != json!(0));
        }
        let conditions = self.conditions(wanted, sets, old, &counts);
        json::set(&mut status, &["conditions"], conditions);
        let revision = sets.new.as_ref().map(|new| new.revision());
        self.modify(&wanted.key, |value| {
            json::set(value, &["status"], status);
            if let Some(revision) = revision {
                annotate(value, REVISION, revision);
            }
        });
    }

    fn conditions(&mut self, wanted: &Wanted, sets: &Sets, old: &Value, counts: &Counts) -> Value {
        let now = self.now_text();
        let mut conditions = json::list(old, "/status/conditions").to_vec();
        let enough = counts.available >= wanted.replicas - wanted.unavailable;
        let (truth, reason, message) = if enough {
            (
                "True",
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        } else {
            (
                "False",
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        };
        set_condition(
            &mut conditions,
            "Available",
            truth,
            reason,
            message,
            &now,
            false,
        );

        let name = sets.new.as_ref().map_or("", |new| new.key.name.as_str());
        let complete = counts.updated == wanted.replicas
            && counts.replicas == wanted.replicas
            && counts.available == wanted.replicas;
        let before = |pointer: &str| json::int(old, &format!("/status/{pointer}")).unwrap_or(0);
        let moved = counts.updated > before("updatedReplicas")
            || counts.replicas - counts.updated < before("replicas") - before("updatedReplicas")
            || counts.ready > before("readyReplicas")
            || counts.available > before("availableReplicas");
        let progressing = conditions
            .iter()
            .find(|c| json::text(c, "/type") == "Progressing");
        let was = progressing.map_or("", |condition| json::text(condition, "/reason"));
        let new_generation =
            json::int(old, "/metadata/generation") != json::int(old, "/status/observedGeneration");
        if complete {
            let message = format!("ReplicaSet \"{name}\" has successfully progressed.");
            let (kind, reason) = ("Progressing", "NewReplicaSetAvailable");
            set_condition(&mut conditions, kind, "True", reason, &message, &now, false);
        } else if moved || progressing.is_none() || (new_generation && was != "ReplicaSetUpdated") {
            let message = format!("ReplicaSet \"{name}\" is progressing.");
            let (kind, reason) = ("Progressing", "ReplicaSetUpdated");
            set_condition(&mut conditions, kind, "True", reason, &message, &now, true);
            self.queue_deadline(wanted, 0);
        } else if was != "NewReplicaSetAvailable" && was != "ProgressDeadlineExceeded" {
            let since = progressing
                .and_then(|c| json::text(c, "/lastUpdateTime").parse::<Timestamp>().ok())
                .unwrap_or_else(|| self.now());
            let stalled = self.now().duration_since(since).as_secs();
            if stalled >= wanted.progress_deadline {
                let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
                let (kind, reason) = ("Progressing", "ProgressDeadlineExceeded");
                set_condition(&mut conditions, kind, "False", reason, &message, &now, true);
            } else {
                self.queue_deadline(wanted, stalled);
            }
        }
        Value::Array(conditions)
    }

    /// Looks again when the progress deadline is over. Times are kept in whole seconds, so one
    /// more than the deadline is surely past it.
    fn queue_deadline(&mut self, wanted: &Wanted, stalled: i64) {
        let left = u64::try_from(wanted.progress_deadline - stalled + 1).unwrap_or(1);
        let at = Instant::now() + Duration::from_secs(left.min(86_400 * 365));
        self.queue_at(Work::Deployment(wanted.key.clone()), at);
    }
}

fn set_condition(
    conditions: &mut Vec<Value>,
    kind: &str,
    truth: &str,
    reason: &str,
    message: &str,
    now: &str,
    refresh: bool,
) {
    let fresh = json!({
        "type": kind,
        "status": truth,
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    });
    match conditions
        .iter_mut()
        .find(|condition| json::text(condition, "/type") == kind)
    {
        Some(found) => {
            let same_truth = json::text(found, "/status") == truth;
            if same_truth && json::text(found, "/reason") == reason && !refresh {
                return;
            }
            let transition = found.get("lastTransitionTime").cloned();
            *found = fresh;
            if let (true, Some(transition)) = (same_truth, transition) {
                json::set(found, &["lastTransitionTime"], transition);
            }
        }
        None => conditions.push(fresh),
    }
}
