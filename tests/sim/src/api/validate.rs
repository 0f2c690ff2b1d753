//! The checks of built-in kinds whose failure a controller could meet.

mod batch;
mod route;

use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::name;
use crate::api::resource::Resource;
use crate::api::selector::Selector;
use crate::json;

/// Refuses an object that the API server would not store.
pub(crate) fn check(resource: Resource, object: &Value) -> Result<(), ApiError> {
    let subject = Subject { resource, object };
    if let Some(problem) = name::problem(resource, subject.name()) {
        return subject.invalid("metadata.name", problem);
    }
    subject.labels("/metadata/labels", "metadata.labels")?;
    match resource {
        Resource::Deployments
        | Resource::ReplicaSets
        | Resource::StatefulSets
        | Resource::DaemonSets => subject.workload(),
        Resource::Pods => subject.containers("/spec"),
        Resource::Services => subject.service(),
        Resource::Jobs => batch::job(subject, "/spec"),
        Resource::CronJobs => batch::cron_job(subject),
        Resource::Ingresses => route::ingress(subject),
        Resource::HttpRoutes => route::http_route(subject),
        Resource::Namespaces
        | Resource::Secrets
        | Resource::ConfigMaps
        | Resource::ResourceQuotas
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
        | Resource::Requests => Ok(()),
    }
}

/// The object under examination.
#[derive(Clone, Copy)]
struct Subject<'a> {
    resource: Resource,
    object: &'a Value,
}

impl Subject<'_> {
    fn name(&self) -> &str {
        json::text(self.object, "/metadata/name")
    }

    fn invalid(&self, field: &str, problem: &str) -> Result<(), ApiError> {
        Err(ApiError::invalid(
            self.resource,
            self.name(),
            field,
            problem,
        ))
    }

    fn labels(&self, pointer: &str, field: &str) -> Result<(), ApiError> {
        for (key, value) in json::entries(self.object, pointer) {
            if let Some(problem) = name::label_value_problem(value) {
                let problem = format!("Invalid value: {value:?}: {problem} ({key})");
                return self.invalid(field, &problem);
            }
        }
        Ok(())
    }

    fn not_negative(&self, pointer: &str) -> Result<(), ApiError> {
        match json::int(self.object, pointer) {
            Some(number) if number < 0 => self.invalid(
                &dotted(pointer),
                &format!("Invalid value: {number}: must be greater than or equal to 0"),
            ),
            _ => Ok(()),
        }
    }

    fn workload(&self) -> Result<(), ApiError> {
        self.not_negative("/spec/replicas")?;
        self.not_negative("/spec/updateStrategy/rollingUpdate/partition")?;
        let selector = json::at(self.object, "/spec/selector").unwrap_or(&Value::Null);
        let parsed = Selector::from_object(selector);
        if parsed.is_empty() {
            return self.invalid("spec.selector", "Required value");
        }
        if !parsed.matches_labels(self.object, "/spec/template/metadata/labels") {
            return self.invalid(
                "spec.template.metadata.labels",
                "Invalid value: `selector` does not match template `labels`",
            );
        }
        self.labels("/spec/template/metadata/labels", "spec.template.labels")?;
        self.containers("/spec/template/spec")
    }

    fn service(&self) -> Result<(), ApiError> {
        // Headless Services without ports are legal; those with a selector need one here.
        let headless = json::text(self.object, "/spec/clusterIP") == "None";
        if json::list(self.object, "/spec/ports").is_empty() && !headless {
            return self.invalid("spec.ports", "Required value");
        }
        self.labels("/spec/selector", "spec.selector")
    }

    /// The containers of a pod spec.
    fn containers(&self, pod: &str) -> Result<(), ApiError> {
        let pointer = format!("{pod}/containers");
        let containers = json::list(self.object, &pointer);
        let field = dotted(&pointer);
        if containers.is_empty() {
            return self.invalid(&field, "Required value");
        }
        for (index, container) in containers.iter().enumerate() {
            for member in ["name", "image"] {
                if json::text(container, &format!("/{member}")).is_empty() {
                    return self.invalid(&format!("{field}[{index}].{member}"), "Required value");
                }
            }
        }
        Ok(())
    }
}

/// A pointer as messages write it.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
