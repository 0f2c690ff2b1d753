//! Somebody who writes to the API server, by name.

use anyhow::Context as _;
use http::{HeaderName, HeaderValue};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use kube::{Client, Config};
use serde_json::{Value, json};

/// A kind of object that cases write.
#[derive(Clone, Copy, Debug)]
pub struct Kind(
    pub &'static str,
    pub &'static str,
    pub &'static str,
    pub &'static str,
);

/// `apps/v1` Deployments.
pub(crate) const DEPLOYMENT: Kind = Kind("apps", "v1", "Deployment", "deployments");
/// `apps/v1` StatefulSets.
pub(crate) const STATEFULSET: Kind = Kind("apps", "v1", "StatefulSet", "statefulsets");
/// `apps/v1` DaemonSets.
pub(crate) const DAEMONSET: Kind = Kind("apps", "v1", "DaemonSet", "daemonsets");
/// Services.
pub(crate) const SERVICE: Kind = Kind("", "v1", "Service", "services");
/// ConfigMaps.
pub(crate) const CONFIGMAP: Kind = Kind("", "v1", "ConfigMap", "configmaps");
/// Secrets.
pub(crate) const SECRET: Kind = Kind("", "v1", "Secret", "secrets");
/// Pods.
pub(crate) const POD: Kind = Kind("", "v1", "Pod", "pods");
/// Ingresses.
pub(crate) const INGRESS: Kind = Kind("networking.k8s.io", "v1", "Ingress", "ingresses");
/// Jobs.
pub(crate) const JOB: Kind = Kind("batch", "v1", "Job", "jobs");
/// HTTPRoutes of the Gateway API.
pub(crate) const ROUTE: Kind = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");
/// Pipelines.
pub(crate) const PIPELINE: Kind = Kind("sluice.dev", "v1alpha1", "Pipeline", "pipelines");
/// Rollouts.
pub(crate) const ROLLOUT: Kind = Kind("sluice.dev", "v1alpha1", "Rollout", "rollouts");
/// Approvals.
pub(crate) const APPROVAL: Kind = Kind("sluice.dev", "v1alpha1", "Approval", "approvals");
/// Requests.
pub(crate) const REQUEST: Kind = Kind("sluice.dev", "v1alpha1", "Request", "requests");
/// Roles.
pub(crate) const ROLE: Kind = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles");
/// RoleBindings.
pub(crate) const BINDING: Kind = Kind(
    "rbac.authorization.k8s.io",
    "v1",
    "RoleBinding",
    "rolebindings",
);

/// A user with groups.
#[derive(Clone)]
pub struct Actor {
    client: Client,
}

impl Actor {
    /// The administrator.
    ///
    /// # Errors
    /// The configuration leads nowhere.
    pub fn admin(config: &Config) -> anyhow::Result<Self> {
        let client = Client::try_from(config.clone()).context("no client")?;
        Ok(Self { client })
    }

    /// Whoever bears this name, impersonated.
    ///
    /// # Errors
    /// The name is no header's value.
    pub fn named(config: &Config, user: &str, groups: &[&str]) -> anyhow::Result<Self> {
        let mut config = config.clone();
        let mut say = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).context("a name that no header holds")?;
            config.headers.push((HeaderName::from_static(name), value));
            anyhow::Ok(())
        };
        say("impersonate-user", user)?;
        say("impersonate-group", "system:authenticated")?;
        for group in groups {
            say("impersonate-group", group)?;
        }
        Self::admin(&config)
    }

    fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        let Kind(group, version, name, plural) = kind;
        let gvk = GroupVersionKind::gvk(group, version, name);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// Reads any path, such as `/apis`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn raw(&self, path: &str) -> anyhow::Result<Value> {
        let request = http::Request::get(path).body(Vec::new())?;
        Ok(self.client.request(request).await?)
    }

    /// Writes anything to any path, such as a definition. What is there already stays.
    ///
    /// # Errors
    /// What the API server says.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let request = http::Request::post(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(serde_json::to_vec(body)?)?;
        match self.client.request::<Value>(request).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn get(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<Value> {
        let found = self.api(kind, namespace).get(name).await?;
        Ok(serde_json::to_value(found)?)
    }

    /// Creates an object from its name, spec and whatever else is in `body`.
    pub(crate) async fn create(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        body: Value,
    ) -> Result<(), String> {
        self.create_with(kind, namespace, name, body, false).await
    }

    /// The same; `dry`: only as if.
    pub(crate) async fn create_with(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        body: Value,
        dry: bool,
    ) -> Result<(), String> {
        let Kind(group, version, kind_name, _) = kind;
        let mut object = body;
        let api_version = match group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        };
        merge(
            &mut object,
            json!({
                "apiVersion": api_version, "kind": kind_name,
                "metadata": {"name": name, "namespace": namespace},
            }),
        );
        let object: DynamicObject = serde_json::from_value(object).map_err(|e| e.to_string())?;
        let params = PostParams {
            dry_run: dry,
            ..PostParams::default()
        };
        said(self.api(kind, namespace).create(&params, &object).await)
    }

    pub(crate) async fn merge(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        change: Value,
    ) -> Result<(), String> {
        let api = self.api(kind, namespace);
        said(
            api.patch(name, &PatchParams::default(), &Patch::Merge(change))
                .await,
        )
    }

    pub(crate) async fn merge_status(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        status: Value,
    ) -> Result<(), String> {
        let api = self.api(kind, namespace);
        let change = Patch::Merge(json!({"status": status}));
        said(
            api.patch_status(name, &PatchParams::default(), &change)
                .await,
        )
    }

    pub(crate) async fn delete(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        dry: bool,
    ) -> Result<(), String> {
        let params = DeleteParams {
            dry_run: dry,
            ..DeleteParams::background()
        };
        said(self.api(kind, namespace).delete(name, &params).await)
    }
}

fn said<T>(answer: kube::Result<T>) -> Result<(), String> {
    match answer {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => Err(other.to_string()),
    }
}

/// Lays `over` over `value`.
pub(crate) fn merge(value: &mut Value, over: Value) {
    match (value, over) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, one) in above {
                merge(below.entry(key).or_insert(Value::Null), one);
            }
        }
        (below, above) => *below = above,
    }
}
