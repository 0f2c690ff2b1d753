//! What the API server wrote down, where the cluster is our own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_cluster_bed::{AuditEvent, Bed};

/// The account of the agent.
pub(crate) const AGENT: &str = "system:serviceaccount:sluice-system:sluice";

/// Accepted writes of the agent since an instant, the Lease and its reviews aside.
pub(crate) fn writes(bed: &Bed, since: Timestamp) -> anyhow::Result<Vec<AuditEvent>> {
    let mut out = Vec::new();
    for event in bed.audit()? {
        let event = event?;
        let lease = event
            .object_ref
            .as_ref()
            .is_some_and(|o| o.resource == "leases");
        if event.stage == "ResponseComplete"
            && event.username() == AGENT
            && event.is_write()
            && !lease
            && event.code().is_some_and(|code| code < 300)
            && event.stage_timestamp >= since
        {
            out.push(event);
        }
    }
    Ok(out)
}

/// The most accepted writes of the agent to one workload within a minute, with its name.
pub(crate) fn most_in_a_minute(bed: &Bed, name: &str, since: Timestamp) -> anyhow::Result<usize> {
    let mut at: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for event in writes(bed, since)? {
        if let Some(object) = &event.object_ref
            && object.resource == "deployments"
            && object.name == name
        {
            at.entry(object.namespace.clone())
                .or_default()
                .push(event.stage_timestamp);
        }
    }
    let minute = jiff::SignedDuration::from_secs(60);
    let most = at.values().flat_map(|times| {
        times.iter().map(|t| {
            times
                .iter()
                .filter(|o| *o >= t && **o < *t + minute)
                .count()
        })
    });
    Ok(most.max().unwrap_or(0))
}
