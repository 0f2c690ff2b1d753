//! The addresses that a check may look at: ready pods of either version, and the Service.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use sluice_core::adopt::Running;
use sluice_core::plugin::Targets;
use sluice_core::rollout::{DRILL_ANNOTATION, ROLLOUT_LABEL, WorkloadSeen};

use crate::fault::ClusterFault;

/// Pods of one workload that are looked at; more would be a list as long as the cluster.
const POD_LIMIT: u32 = 500;

/// A pod of the workload, as far as versions and addresses go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: Option<String>,
    /// Whether it takes traffic.
    pub ready: bool,
    /// What its containers run, as the kubelet reports it.
    pub running: Vec<Running>,
    /// The images that its spec names.
    pub images: Vec<String>,
    /// uid of the Rollout that it was made for, where one was.
    pub made_for: Option<String>,
    container_ports: Vec<(Option<String>, i32)>,
}

impl PodSeen {
    /// Whether it runs `digest`, by its spec or by what the kubelet reports.
    pub fn runs(&self, digest: &str) -> bool {
        let end = format!("@{digest}");
        self.images.iter().any(|i| i.ends_with(&end))
            || self.running.iter().any(|r| r.image_id.ends_with(&end))
    }
}

/// The pods that the target's selector matches: the stable ones and the canary's.
pub async fn pods(client: &Client, target: &WorkloadSeen) -> Result<Vec<PodSeen>, ClusterFault> {
    let list = pods_of(client, target).await?;
    Ok(list.iter().map(pod).collect())
}

/// The same as objects.
pub(crate) async fn pods_of(
    client: &Client,
    target: &WorkloadSeen,
) -> Result<Vec<Pod>, ClusterFault> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &target.namespace);
    let labels = target
        .spec
        .pointer("/selector/matchLabels")
        .and_then(|v| v.as_object())
        .map(|m| {
            m.iter()
                .filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?)))
                .collect::<Vec<_>>()
                .join(",")
        })
        .unwrap_or_default();
    let params = ListParams::default().labels(&labels).limit(POD_LIMIT);
    let object = format!("Pods of {}/{}", target.namespace, target.name);
    let list = api
        .list(&params)
        .await
        .map_err(|e| ClusterFault::sort("list", object, e))?;
    Ok(list.items)
}

/// Whether the kubelet says that a pod can take traffic.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions.is_some_and(|c| c.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

fn running(c: &ContainerStatus) -> Running {
    Running {
        container: c.name.clone(),
        image_id: c.image_id.clone(),
    }
}

fn pod(p: &Pod) -> PodSeen {
    let status = p.status.as_ref();
    let terminating = p.metadata.deletion_timestamp.is_some();
    let spec = p.spec.as_ref();
    PodSeen {
        name: p.name_any(),
        ip: status.and_then(|s| s.pod_ip.clone()),
        ready: is_ready(p) && !terminating,
        made_for: p
            .labels()
            .get(ROLLOUT_LABEL)
            .or_else(|| p.annotations().get(DRILL_ANNOTATION))
            .cloned(),
        running: status
            .and_then(|s| s.container_statuses.as_ref())
            .map(|c| c.iter().map(running).collect())
            .unwrap_or_default(),
        images: spec
            .map(|s| {
                s.containers
                    .iter()
                    .filter_map(|c| c.image.clone())
                    .collect()
            })
            .unwrap_or_default(),
        container_ports: spec
            .map(|s| {
                s.containers
                    .iter()
                    .flat_map(|c| c.ports.iter().flatten())
                    .map(|p| (p.name.clone(), p.container_port))
                    .collect()
            })
            .unwrap_or_default(),
    }
}

/// Which pods are the candidate's.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// uid of the Rollout.
    pub rollout_uid: &'a str,
    /// Its digest; none where the version that serves has the same one.
    pub digest: Option<&'a str>,
    /// Its workload apart from the target's, where the target's selector does not find its pods.
    pub apart: Option<&'a WorkloadSeen>,
}

impl Candidate<'_> {
    fn has(&self, pod: &PodSeen) -> bool {
        pod.made_for.as_deref() == Some(self.rollout_uid)
            || self.digest.is_some_and(|digest| pod.runs(digest))
    }
}

/// Where a check of a candidate can look.
pub async fn targets(
    client: &Client,
    target: &WorkloadSeen,
    service: &str,
    candidate: Candidate<'_>,
) -> Result<Targets, ClusterFault> {
    let api: Api<Service> = Api::namespaced(client.clone(), &target.namespace);
    let object = format!("Service {}/{service}", target.namespace);
    let service = api
        .get(service)
        .await
        .map_err(|e| ClusterFault::sort("get", object.clone(), e))?;
    let spec = service.spec.unwrap_or_default();
    let port = spec
        .ports
        .as_ref()
        .and_then(|p| p.first())
        .cloned()
        .ok_or_else(|| ClusterFault::Malformed {
            object,
            message: "has no port to look at".into(),
        })?;
    let mut out = Targets {
        service: spec
            .cluster_ip
            .filter(|ip| !ip.is_empty() && ip != "None")
            .map(|ip| url(&ip, port.port)),
        ..Targets::default()
    };
    for pod in both(client, target, candidate).await? {
        let Some(ip) = pod.ip.as_ref().filter(|_| pod.ready) else {
            continue;
        };
        let address = url(ip, target_port(&port, &pod));
        if candidate.has(&pod) {
            out.candidate.push(address)
        } else {
            out.stable.push(address)
        }
    }
    out.candidate.sort();
    out.stable.sort();
    Ok(out)
}

/// Names of the ready pods of either version, for whoever looks for their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the candidate.
    pub candidate: Vec<String>,
    /// Of the version that is being replaced.
    pub stable: Vec<String>,
}

/// Which pods of the two versions are ready, by name.
pub async fn names(
    client: &Client,
    target: &WorkloadSeen,
    candidate: Candidate<'_>,
) -> Result<Names, ClusterFault> {
    let mut out = Names::default();
    for pod in both(client, target, candidate).await? {
        if !pod.ready {
            continue;
        }
        if candidate.has(&pod) {
            out.candidate.push(pod.name)
        } else {
            out.stable.push(pod.name)
        }
    }
    Ok(out)
}

/// The pods of the target and of the candidate, each once, by name.
async fn both(
    client: &Client,
    target: &WorkloadSeen,
    candidate: Candidate<'_>,
) -> Result<Vec<PodSeen>, ClusterFault> {
    let mut all = pods(client, target).await?;
    if let Some(apart) = candidate.apart {
        all.extend(pods(client, apart).await?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.dedup_by(|a, b| a.name == b.name);
    Ok(all)
}

fn target_port(port: &ServicePort, pod: &PodSeen) -> i32 {
    match &port.target_port {
        Some(IntOrString::Int(n)) => *n,
        Some(IntOrString::String(name)) => pod
            .container_ports
            .iter()
            .find(|(n, _)| n.as_ref() == Some(name))
            .map_or(port.port, |(_, p)| *p),
        None => port.port,
    }
}

fn url(ip: &str, port: i32) -> String {
    if ip.contains(':') {
        format!("http://[{ip}]:{port}")
    } else {
        format!("http://{ip}:{port}")
    }
}
