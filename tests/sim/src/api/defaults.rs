//! The defaults of built-in kinds, so that an object reads back as from a real server.

pub(crate) mod batch;
mod route;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::resource::Resource;
use crate::json::{self, default};

/// Fills in what the API server would.
pub(crate) fn fill(resource: Resource, object: &mut Value) {
    // A definition prunes null where its fields are not nullable, and the HTTPRoute has none that are.
    if !resource.info().custom || resource == Resource::HttpRoutes {
        json::prune_nulls(object);
    }
    match resource {
        Resource::Deployments => {
            default(object, &["spec", "replicas"], 1);
            default(object, &["spec", "revisionHistoryLimit"], 10);
            default(object, &["spec", "progressDeadlineSeconds"], 600);
            default(object, &["spec", "strategy", "type"], "RollingUpdate");
            if json::text(object, "/spec/strategy/type") == "RollingUpdate" {
                default(
                    object,
                    &["spec", "strategy", "rollingUpdate", "maxSurge"],
                    "25%",
                );
                default(
                    object,
                    &["spec", "strategy", "rollingUpdate", "maxUnavailable"],
                    "25%",
                );
            }
            pod_spec(object, &["spec", "template", "spec"]);
        }
        Resource::ReplicaSets => {
            default(object, &["spec", "replicas"], 1);
            pod_spec(object, &["spec", "template", "spec"]);
        }
        Resource::StatefulSets => {
            stateful_set(object);
            pod_spec(object, &["spec", "template", "spec"]);
        }
        Resource::DaemonSets => {
            daemon_set(object);
            pod_spec(object, &["spec", "template", "spec"]);
        }
        Resource::Jobs => {
            batch::job(object);
            pod_spec(object, &["spec", "template", "spec"]);
        }
        Resource::CronJobs => {
            batch::cron_job(object);
            pod_spec(object, &["spec", "jobTemplate", "spec", "template", "spec"]);
        }
        Resource::Pods => {
            pod_spec(object, &["spec"]);
            default(object, &["status", "phase"], "Pending");
        }
        Resource::Services => service(object),
        Resource::Secrets => secret(object),
        Resource::HttpRoutes => route::http_route(object),
        Resource::Namespaces => default(object, &["status", "phase"], "Active"),
        Resource::ConfigMaps
        | Resource::ResourceQuotas
        | Resource::Ingresses
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::ControllerRevisions
        | Resource::EndpointSlices
        | Resource::Leases
        | Resource::HorizontalPodAutoscalers
        | Resource::PodDisruptionBudgets
        | Resource::CustomResourceDefinitions
        | Resource::Pipelines
        | Resource::Rollouts
        | Resource::Approvals
        | Resource::Requests => {}
    }
}

fn pod_spec(object: &mut Value, path: &[&str]) {
    let mut at = &mut *object;
    for step in path {
        match at.get_mut(step) {
            Some(next) => at = next,
            None => return,
        }
    }
    default(at, &["restartPolicy"], "Always");
    default(at, &["terminationGracePeriodSeconds"], 30);
    default(at, &["dnsPolicy"], "ClusterFirst");
    default(at, &["schedulerName"], "default-scheduler");
    default(at, &["securityContext"], json!({}));
    for list in ["containers", "initContainers"] {
        for container in json::list_mut(at, &[list]) {
            self::container(container);
        }
    }
    for volume in json::list_mut(at, &["volumes"]) {
        for source in ["configMap", "secret", "projected", "downwardAPI"] {
            if volume.get(source).is_some() {
                default(volume, &[source, "defaultMode"], 0o644);
            }
        }
    }
}

fn stateful_set(object: &mut Value) {
    default(object, &["spec", "podManagementPolicy"], "OrderedReady");
    let at = |member| ["spec", "updateStrategy", "rollingUpdate", member];
    if json::text(object, "/spec/updateStrategy/type").is_empty() {
        default(
            object,
            &["spec", "updateStrategy", "rollingUpdate"],
            json!({}),
        );
        json::set(
            object,
            &["spec", "updateStrategy", "type"],
            json!("RollingUpdate"),
        );
    }
    if json::text(object, "/spec/updateStrategy/type") == "RollingUpdate"
        && json::at(object, "/spec/updateStrategy/rollingUpdate").is_some()
    {
        default(object, &at("partition"), 0);
    }
    let claims = "persistentVolumeClaimRetentionPolicy";
    default(object, &["spec", claims, "whenDeleted"], "Retain");
    default(object, &["spec", claims, "whenScaled"], "Retain");
    default(object, &["spec", "replicas"], 1);
    default(object, &["spec", "revisionHistoryLimit"], 10);
    default(object, &["spec", "serviceName"], "");
}

fn daemon_set(object: &mut Value) {
    default(object, &["spec", "updateStrategy", "type"], "RollingUpdate");
    if json::text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
        let at = |member| ["spec", "updateStrategy", "rollingUpdate", member];
        default(object, &at("maxUnavailable"), 1);
        default(object, &at("maxSurge"), 0);
    }
    default(object, &["spec", "revisionHistoryLimit"], 10);
}

/// What is written as text is stored in base64, over what stood there.
fn secret(object: &mut Value) {
    default(object, &["type"], "Opaque");
    let Some(Value::Object(texts)) = json::remove(object, &["stringData"]) else {
        return;
    };
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        json::set(object, &["data", &key], json!(STANDARD.encode(text)));
    }
}

fn container(container: &mut Value) {
    let image = json::text(container, "/image");
    let floating = !image.contains('@')
        && image
            .rsplit('/')
            .next()
            .is_none_or(|last| last.split_once(':').is_none_or(|(_, tag)| tag == "latest"));
    default(
        container,
        &["imagePullPolicy"],
        if floating { "Always" } else { "IfNotPresent" },
    );
    default(
        container,
        &["terminationMessagePath"],
        "/dev/termination-log",
    );
    default(container, &["terminationMessagePolicy"], "File");
    default(container, &["resources"], json!({}));
    for port in json::list_mut(container, &["ports"]) {
        default(port, &["protocol"], "TCP");
    }
    for variable in json::list_mut(container, &["env"]) {
        if json::at(variable, "/valueFrom/fieldRef").is_some() {
            default(variable, &["valueFrom", "fieldRef", "apiVersion"], "v1");
        }
    }
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe) else {
            continue;
        };
        default(probe, &["timeoutSeconds"], 1);
        default(probe, &["periodSeconds"], 10);
        default(probe, &["successThreshold"], 1);
        default(probe, &["failureThreshold"], 3);
        if probe.get("httpGet").is_some() {
            default(probe, &["httpGet", "scheme"], "HTTP");
        }
    }
}

fn service(object: &mut Value) {
    default(object, &["spec", "type"], "ClusterIP");
    default(object, &["spec", "sessionAffinity"], "None");
    default(object, &["spec", "internalTrafficPolicy"], "Cluster");
    default(object, &["spec", "ipFamilies"], json!(["IPv4"]));
    default(object, &["spec", "ipFamilyPolicy"], "SingleStack");
    for port in json::list_mut(object, &["spec", "ports"]) {
        default(port, &["protocol"], "TCP");
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        default(port, &["targetPort"], number);
    }
}
