//! Which mechanism moves traffic, as a Pipeline says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// How a share becomes cluster objects. Written as a map with one key: `{replicas: {}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RouterSpec {
    /// By the number of pods behind one Service.
    Replicas(ReplicasRouter),
    /// All or nothing, by the Service's selector: blue-green.
    Service(ServiceRouter),
    /// By the weights of a rule of a Gateway API HTTPRoute.
    HttpRoute(HttpRouteRouter),
    /// By the canary annotations of ingress-nginx.
    IngressNginx(IngressNginxRouter),
}

impl Default for RouterSpec {
    fn default() -> Self {
        Self::Replicas(ReplicasRouter::default())
    }
}

/// Settings of the replica router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicasRouter {
    /// Pods that may stand above the target's own number while traffic moves. Default: as many as a
    /// step needs, so that never fewer serve than usual. 0: none; then pods go before others come,
    /// and at least one fewer serves meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surge: Option<u32>,
}

/// The Service is the target's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRouter {
    /// The label of the Service's selector that the candidate's pods have another value of. Default:
    /// the first one of the selector by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Which HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteRouter {
    /// Its name, in the target's namespace.
    pub name: String,
    /// Name of the rule. Default: the only rule that sends to the target's Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The label of the Service's selector that the candidate's pods have another value of. Default:
    /// the first one of the selector by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Which Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressNginxRouter {
    /// Its name, in the target's namespace. It is never written.
    pub ingress: String,
    /// The label of the Service's selector that the candidate's pods have another value of. Default:
    /// the first one of the selector by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl RouterSpec {
    /// The word for it in a Pipeline.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Replicas(_) => "replicas",
            Self::Service(_) => "service",
            Self::HttpRoute(_) => "httpRoute",
            Self::IngressNginx(_) => "ingressNginx",
        }
    }

    /// Whether pods of the candidate stay out of the live Service until the router sends traffic.
    pub fn isolates(&self) -> bool {
        !matches!(self, Self::Replicas(_))
    }

    /// The label that tells the candidate's pods apart, where the Pipeline names it.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Replicas(_) => None,
            Self::Service(r) => r.label.as_deref(),
            Self::HttpRoute(r) => r.label.as_deref(),
            Self::IngressNginx(r) => r.label.as_deref(),
        }
    }

    /// Pods that may stand above the target's own number, where the Pipeline limits them.
    pub fn surge(&self) -> Option<u32> {
        match self {
            Self::Replicas(r) => r.surge,
            Self::Service(_) | Self::HttpRoute(_) | Self::IngressNginx(_) => None,
        }
    }

    /// Whether the old version stays whole beside the new one until everything is over: all or nothing
    /// by a switch.
    pub fn switches(&self) -> bool {
        matches!(self, Self::Service(_))
    }

    /// Everything that is wrong with it. `at` is where it stands.
    pub(super) fn problems(&self, at: &str, out: &mut Vec<Problem>) {
        let empty = match self {
            Self::Replicas(_) | Self::Service(_) => None,
            Self::HttpRoute(r) => r.name.is_empty().then_some("httpRoute.name"),
            Self::IngressNginx(r) => r.ingress.is_empty().then_some("ingressNginx.ingress"),
        };
        if let Some(field) = empty {
            out.push(Problem::new(format!("{at}.{field}"), "is empty"));
        }
    }
}
