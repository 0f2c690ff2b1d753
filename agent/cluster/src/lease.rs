//! Reading and writing the Lease. When to do which is decided in `core::lease`.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use sluice_core::lease::{Record, Timing};

use crate::fault::ClusterFault;

/// Where the Lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl LeaseName {
    fn object(&self) -> String {
        format!("Lease {}/{}", self.namespace, self.name)
    }

    fn api(&self, client: &Client) -> Api<Lease> {
        Api::namespaced(client.clone(), &self.namespace)
    }
}

/// What the Lease says; none: there is no such object.
pub async fn read(client: &Client, at: &LeaseName) -> Result<Option<Record>, ClusterFault> {
    let found = at
        .api(client)
        .get_opt(&at.name)
        .await
        .map_err(|e| ClusterFault::sort("get", at.object(), e))?;
    Ok(found.map(|lease| record(&lease)))
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration_ms: u64::try_from(seconds).unwrap_or(0).saturating_mul(1000),
        transitions: spec
            .lease_transitions
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
        renewed: spec.renew_time.map(|t| t.0.to_string()).unwrap_or_default(),
        resource_version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

/// Writes it, and says how it stands then; if it is still at `version`; none: if there is still no such object. `now` is for
/// people who look at it.
pub async fn write(
    client: &Client,
    at: &LeaseName,
    holder: &str,
    timing: Timing,
    epoch: u64,
    version: Option<&str>,
    now: Timestamp,
) -> Result<Record, ClusterFault> {
    let body = Lease {
        metadata: ObjectMeta {
            name: Some(at.name.clone()),
            namespace: Some(at.namespace.clone()),
            resource_version: version.map(str::to_owned),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: i32::try_from(timing.duration_ms / 1000).ok(),
            lease_transitions: Some(i32::try_from(epoch).unwrap_or(i32::MAX)),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    };
    let api = at.api(client);
    let params = PostParams {
        field_manager: Some("sluice-lease".to_owned()),
        ..PostParams::default()
    };
    let (verb, written) = match version {
        None => ("create", api.create(&params, &body).await),
        Some(_) => ("update", api.replace(&at.name, &params, &body).await),
    };
    match written {
        Ok(lease) => Ok(record(&lease)),
        Err(e) => Err(ClusterFault::sort(verb, at.object(), e)),
    }
}
