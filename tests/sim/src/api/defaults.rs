//! The defaults and checks of built-in kinds, so that an object reads back as from a real server.

use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::resource::Resource;
use crate::api::selector::Selector;
use crate::json::{self, default};

/// Fills in what the API server would.
pub(crate) fn fill(resource: Resource, object: &mut Value) {
    if !resource.is_custom() {
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
        Resource::Jobs => pod_spec(object, &["spec", "template", "spec"]),
        Resource::CronJobs => {
            default(object, &["spec", "suspend"], false);
            default(object, &["spec", "concurrencyPolicy"], "Allow");
            pod_spec(object, &["spec", "jobTemplate", "spec", "template", "spec"]);
        }
        Resource::Pods => {
            pod_spec(object, &["spec"]);
            default(object, &["status", "phase"], "Pending");
        }
        Resource::Services => service(object),
        Resource::Secrets => default(object, &["type"], "Opaque"),
        Resource::Namespaces => default(object, &["status", "phase"], "Active"),
        Resource::ConfigMaps
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

/// The checks whose failure a controller could meet.
pub(crate) fn validate(resource: Resource, object: &Value) -> Result<(), ApiError> {
    let name = json::text(object, "/metadata/name");
    let invalid =
        |field: &str, problem: &str| Err(ApiError::invalid(resource, name, field, problem));
    if !is_subdomain(name) {
        return invalid(
            "metadata.name",
            "Invalid value: a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric \
             character, at most 253 in all",
        );
    }
    for (key, value) in json::entries(object, "/metadata/labels") {
        if value.len() > 63 {
            return invalid(
                "metadata.labels",
                &format!("Invalid value: {value:?}: must be no more than 63 characters ({key})"),
            );
        }
    }
    match resource {
        Resource::Deployments | Resource::ReplicaSets => {
            let replicas = json::int(object, "/spec/replicas").unwrap_or_default();
            if replicas < 0 {
                return invalid(
                    "spec.replicas",
                    &format!("Invalid value: {replicas}: must be greater than or equal to 0"),
                );
            }
            let selector = json::at(object, "/spec/selector").unwrap_or(&Value::Null);
            let parsed = Selector::from_object(selector);
            if parsed.is_empty() {
                return invalid("spec.selector", "Required value");
            }
            if !parsed.matches_labels(object, "/spec/template/metadata/labels") {
                return invalid(
                    "spec.template.metadata.labels",
                    "Invalid value: `selector` does not match template `labels`",
                );
            }
            containers(resource, object, "/spec/template/spec/containers", name)
        }
        Resource::Pods => containers(resource, object, "/spec/containers", name),
        Resource::Services => {
            // Headless Services without ports are legal; those with a selector need one here.
            let headless = json::text(object, "/spec/clusterIP") == "None";
            if json::list(object, "/spec/ports").is_empty() && !headless {
                return invalid("spec.ports", "Required value");
            }
            Ok(())
        }
        Resource::Namespaces
        | Resource::Secrets
        | Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::ControllerRevisions
        | Resource::EndpointSlices
        | Resource::Leases
        | Resource::Jobs
        | Resource::CronJobs
        | Resource::HorizontalPodAutoscalers
        | Resource::PodDisruptionBudgets
        | Resource::CustomResourceDefinitions
        | Resource::Pipelines
        | Resource::Rollouts
        | Resource::Approvals
        | Resource::Requests => Ok(()),
    }
}

fn containers(
    resource: Resource,
    object: &Value,
    pointer: &str,
    name: &str,
) -> Result<(), ApiError> {
    let containers = json::list(object, pointer);
    let field = pointer.trim_start_matches('/').replace('/', ".");
    if containers.is_empty() {
        return Err(ApiError::invalid(resource, name, &field, "Required value"));
    }
    for (index, container) in containers.iter().enumerate() {
        for member in ["name", "image"] {
            if json::text(container, &format!("/{member}")).is_empty() {
                let field = format!("{field}[{index}].{member}");
                return Err(ApiError::invalid(resource, name, &field, "Required value"));
            }
        }
    }
    Ok(())
}

/// Fields of built-in kinds that may never change.
pub(crate) fn validate_update(
    resource: Resource,
    old: &Value,
    new: &Value,
) -> Result<(), ApiError> {
    let fixed: &[&str] = match resource {
        Resource::Deployments | Resource::ReplicaSets => &["/spec/selector"],
        Resource::Jobs => &["/spec/template"],
        Resource::ControllerRevisions => &["/data"],
        Resource::Services => &["/spec/clusterIP"],
        Resource::Pods => &["/spec/nodeName", "/spec/volumes"],
        Resource::Namespaces
        | Resource::Secrets
        | Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::EndpointSlices
        | Resource::Leases
        | Resource::CronJobs
        | Resource::HorizontalPodAutoscalers
        | Resource::PodDisruptionBudgets
        | Resource::CustomResourceDefinitions
        | Resource::Pipelines
        | Resource::Rollouts
        | Resource::Approvals
        | Resource::Requests => &[],
    };
    for pointer in fixed {
        if json::at(old, pointer) != json::at(new, pointer) {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            let name = json::text(old, "/metadata/name");
            return Err(ApiError::invalid(
                resource,
                name,
                &field,
                "Invalid value: field is immutable",
            ));
        }
    }
    Ok(())
}

fn is_subdomain(name: &str) -> bool {
    let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    !name.is_empty()
        && name.len() <= 253
        && name.starts_with(inner)
        && name.ends_with(inner)
        && name
            .chars()
            .all(|letter| inner(letter) || letter == '-' || letter == '.')
}
