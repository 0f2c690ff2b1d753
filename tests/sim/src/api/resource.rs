//! The kinds of objects that the simulated API server serves.

/// One resource of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "the names are those of the Kubernetes resources"
)]
pub enum Resource {
    Namespaces,
    Pods,
    Services,
    Secrets,
    ConfigMaps,
    ResourceQuotas,
    ServiceAccounts,
    CoreEvents,
    Events,
    Deployments,
    ReplicaSets,
    StatefulSets,
    DaemonSets,
    ControllerRevisions,
    EndpointSlices,
    Leases,
    Jobs,
    CronJobs,
    Ingresses,
    HttpRoutes,
    HorizontalPodAutoscalers,
    PodDisruptionBudgets,
    CustomResourceDefinitions,
    Pipelines,
    Rollouts,
    Approvals,
    Requests,
}

/// What the API server knows about a resource.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) short: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// Spec and status are written through two doors.
    pub(crate) status: bool,
    /// `metadata.generation` counts changes of the spec.
    pub(crate) generation: bool,
    /// An update without a resourceVersion overwrites; custom resources refuse it.
    pub(crate) unconditional_update: bool,
    /// Served from a CustomResourceDefinition: no types behind it, so no strategic merge either.
    pub(crate) custom: bool,
    /// `/scale` is served.
    pub(crate) scale: bool,
}

const BUILT_IN: Info = Info {
    group: "",
    version: "v1",
    plural: "",
    singular: "",
    kind: "",
    short: &[],
    namespaced: true,
    status: false,
    generation: false,
    unconditional_update: true,
    custom: false,
    scale: false,
};

const CUSTOM: Info = Info {
    group: "sluice.dev",
    version: "v1alpha1",
    status: true,
    generation: true,
    unconditional_update: false,
    custom: true,
    ..BUILT_IN
};

macro_rules! table {
    ($($resource:ident: $plural:literal $singular:literal $kind:literal { $($field:ident: $value:expr),* } from $base:ident;)*) => {
        /// Every resource, in the order of the listing.
        pub(crate) const ALL: &[Resource] = &[$(Resource::$resource),*];

        impl Resource {
            /// The resource's entry in the table.
            pub(crate) fn info(self) -> &'static Info {
                match self {
                    $(Resource::$resource => {
                        const INFO: Info = Info {
                            plural: $plural, singular: $singular, kind: $kind,
                            $($field: $value,)* ..$base
                        };
                        &INFO
                    })*
                }
            }
        }
    };
}

table! {
    Namespaces: "namespaces" "namespace" "Namespace" { namespaced: false, status: true, short: &["ns"] } from BUILT_IN;
    Pods: "pods" "pod" "Pod" { status: true, short: &["po"] } from BUILT_IN;
    Services: "services" "service" "Service" { status: true, short: &["svc"] } from BUILT_IN;
    Secrets: "secrets" "secret" "Secret" {} from BUILT_IN;
    ConfigMaps: "configmaps" "configmap" "ConfigMap" { short: &["cm"] } from BUILT_IN;
    ResourceQuotas: "resourcequotas" "resourcequota" "ResourceQuota" { status: true, short: &["quota"] } from BUILT_IN;
    ServiceAccounts: "serviceaccounts" "serviceaccount" "ServiceAccount" { short: &["sa"] } from BUILT_IN;
    CoreEvents: "events" "event" "Event" { short: &["ev"] } from BUILT_IN;
    Events: "events" "event" "Event" { group: "events.k8s.io", short: &["ev"] } from BUILT_IN;
    Deployments: "deployments" "deployment" "Deployment" { group: "apps", status: true, generation: true, scale: true, short: &["deploy"] } from BUILT_IN;
    ReplicaSets: "replicasets" "replicaset" "ReplicaSet" { group: "apps", status: true, generation: true, scale: true, short: &["rs"] } from BUILT_IN;
    StatefulSets: "statefulsets" "statefulset" "StatefulSet" { group: "apps", status: true, generation: true, scale: true, short: &["sts"] } from BUILT_IN;
    DaemonSets: "daemonsets" "daemonset" "DaemonSet" { group: "apps", status: true, generation: true, short: &["ds"] } from BUILT_IN;
    ControllerRevisions: "controllerrevisions" "controllerrevision" "ControllerRevision" { group: "apps" } from BUILT_IN;
    EndpointSlices: "endpointslices" "endpointslice" "EndpointSlice" { group: "discovery.k8s.io" } from BUILT_IN;
    Leases: "leases" "lease" "Lease" { group: "coordination.k8s.io", unconditional_update: false } from BUILT_IN;
    Jobs: "jobs" "job" "Job" { group: "batch", status: true, generation: true } from BUILT_IN;
    CronJobs: "cronjobs" "cronjob" "CronJob" { group: "batch", status: true, generation: true, short: &["cj"] } from BUILT_IN;
    Ingresses: "ingresses" "ingress" "Ingress" { group: "networking.k8s.io", status: true, generation: true, short: &["ing"] } from BUILT_IN;
    HttpRoutes: "httproutes" "httproute" "HTTPRoute" { group: "gateway.networking.k8s.io", version: "v1" } from CUSTOM;
    HorizontalPodAutoscalers: "horizontalpodautoscalers" "horizontalpodautoscaler" "HorizontalPodAutoscaler" { group: "autoscaling", version: "v2", status: true, short: &["hpa"] } from BUILT_IN;
    PodDisruptionBudgets: "poddisruptionbudgets" "poddisruptionbudget" "PodDisruptionBudget" { group: "policy", status: true, generation: true, short: &["pdb"] } from BUILT_IN;
    CustomResourceDefinitions: "customresourcedefinitions" "customresourcedefinition" "CustomResourceDefinition" { group: "apiextensions.k8s.io", namespaced: false, status: true, generation: true, unconditional_update: false, short: &["crd"] } from BUILT_IN;
    Pipelines: "pipelines" "pipeline" "Pipeline" {} from CUSTOM;
    Rollouts: "rollouts" "rollout" "Rollout" {} from CUSTOM;
    Approvals: "approvals" "approval" "Approval" {} from CUSTOM;
    Requests: "requests" "request" "Request" {} from CUSTOM;
}

impl Resource {
    /// The resource behind `/apis/<group>/<version>/…/<plural>`; the core group is empty.
    pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<Self> {
        ALL.iter().copied().find(|resource| {
            let info = resource.info();
            info.group == group && info.version == version && info.plural == plural
        })
    }

    /// The resource of a manifest's `apiVersion` and `kind`.
    pub(crate) fn of_kind(api_version: &str, kind: &str) -> Option<Self> {
        ALL.iter()
            .copied()
            .find(|resource| resource.info().kind == kind && resource.api_version() == api_version)
    }

    /// `v1` or `apps/v1`.
    pub(crate) fn api_version(self) -> String {
        let info = self.info();
        if info.group.is_empty() {
            info.version.to_owned()
        } else {
            format!("{}/{}", info.group, info.version)
        }
    }

    /// `pods` or `deployments.apps`, as API errors name it.
    pub(crate) fn qualified(self) -> String {
        let info = self.info();
        if info.group.is_empty() {
            info.plural.to_owned()
        } else {
            format!("{}.{}", info.plural, info.group)
        }
    }

    /// Whether the resource is one of Sluice's own.
    pub(crate) fn is_ours(self) -> bool {
        self.info().group == CUSTOM.group
    }
}
