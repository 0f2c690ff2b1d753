//! A second agent in the same cluster, with every door open: the web page behind an ingress, an identity
//! provider, Slack, and hooks of a CI service. It has namespaces, guards and people of its own, so that
//! its checks play beside those of the first one.

mod app;

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use sluice_cluster::crd::{Approval, Request, Rollout};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::app::Place;
use crate::cluster::Cluster;
use crate::install::values_file;
use crate::outside::{self, Outside, slack};

pub(crate) use app::{NEW, OLD};

/// Namespace of this agent.
pub(crate) const SYSTEM: &str = "doors-system";
/// Helm's name for it, and the name of its objects.
const RELEASE: &str = "sluice-doors";
/// Where its apps are. Two pods are enough for two steps.
pub(crate) const PLACE: Place = Place {
    delivery: "doors",
    staging: "doors-staging",
    production: "doors-shop",
    pods: 2,
};
/// Namespace of the accounts of people.
const PEOPLE: &str = "people";
/// Everybody here; what they may, the policy says.
const EVERYBODY: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
/// Who may propose by signed hook, and its secret.
pub(crate) const CALLER: (&str, &str) = ("shop-ci", "a secret that the CI service knows");
/// The app that its proposals are for.
pub(crate) const CALLERS_APP: &str = "search";
/// Something that must come, on two busy cores.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(500);

/// Alice and Dave lead the one, Bob and Erin the other; Carol is in no policy. Bob has an account at
/// the identity provider, Alice and Bob are members of the Slack workspace.
fn policy(registry: &str) -> String {
    let images = format!("images: {{repositories: [\"{registry}/shop/*\"]}}");
    let (alice, bob) = (slack::ALICE, slack::BOB);
    let account = |name: &str| format!("system:serviceaccount:{PEOPLE}:{name}");
    format!(
        "apiVersion: sluice.dev/v1alpha1
kind: Policy
roles:
  devops-lead: {{people: [alice, dave]}}
  tech-lead: {{people: [bob, erin]}}
people:
  - {{name: alice, kubernetes: \"{}\", slack: {alice}}}
  - {{name: bob, kubernetes: \"{}\", oidc: \"https://{}#8f2c\", slack: {bob}}}
  - {{name: dave, kubernetes: \"{}\"}}
  - {{name: erin, kubernetes: \"{}\"}}
callers:
  {}: {{hmac: {{secret: ci/shop}}, pipelines: [{CALLERS_APP}], environments: [production]}}
environments:
  staging:
    targets: {{namespaces: [{}]}}
    triggers: [registry, manual]
    {images}
    checks: {{require: [http-smoke]}}
  production:
    targets: {{namespaces: [{}]}}
    triggers: [manual, webhook]
    {images}
    after: [staging]
    approvals: {{require: [{{role: devops-lead}}, {{role: tech-lead}}]}}
    checks: {{require: [http-smoke]}}
",
        account("alice"),
        account("bob"),
        outside::IDENTITIES,
        account("dave"),
        account("erin"),
        CALLER.0,
        PLACE.staging,
        PLACE.production,
    )
}

/// The plugins of the image, and Slack as the plugin's README says.
fn plugins() -> Value {
    json!({"plugins": [
        {"name": "canary", "source": {"file": "canary.wasm"}},
        {"name": "rolling", "source": {"file": "rolling.wasm"}},
        {"name": "http-smoke", "source": {"file": "http_smoke.wasm"},
         "grants": {"http": {"candidate": {"methods": ["GET"], "paths": ["/*"]}}}},
        {"name": "slack-approval", "source": {"file": "slack_approval.wasm"},
         "grants": {
            "http": {"slack": {
                "url": format!("https://{}:443", outside::SLACK),
                // Slack stands on a private address here.
                "type": "cluster-service",
                "methods": ["POST"],
                "paths": ["/api/chat.postMessage", "/api/chat.update", "/api/users.info"],
                "secrets": ["slack-token"],
            }},
            "limits": {"wall-ms": 15000},
            "callbacks": {
                "signature": {"slack": {"secret": "slack-signing-secret"}},
                "body": {"form": "payload"},
                "person": {"provider": "slack", "pointer": "/user/id"},
                "subject": {"pointer": "/actions/0/value"},
                "require": {"/api_app_id": slack::APP, "/team/id": slack::TEAM,
                            "/type": "block_actions"},
                "forbid": ["/user/is_bot"],
            },
         },
         "secrets": {
            "slack-token": {"secret": "slack", "key": "token"},
            "slack-signing-secret": {"secret": "slack-signing", "key": "signing"},
         },
         "settings": {"channel": "#deploys"}},
    ]})
}

/// The agent behind its doors.
pub(crate) struct Doors {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) outside: Outside,
    /// Whether pods reach what is outside: the identity provider and Slack.
    pub(crate) reached: bool,
    /// Reaches the page by its name.
    pub(crate) http: reqwest::Client,
    client: Client,
    _forward: Option<Child>,
}

impl Doors {
    /// Installs it and waits until it is ready.
    pub(crate) async fn open(cluster: &Arc<Cluster>) -> anyhow::Result<Self> {
        namespaces(cluster).await?;
        people(cluster).await?;
        install(cluster).await?;
        let client = cluster.client(None).await?;
        let (listen, page) = match node(cluster) {
            Some(node) => {
                let services: Api<Service> = Api::namespaced(client.clone(), SYSTEM);
                let spec = services.get(RELEASE).await?.spec;
                let page = spec.and_then(|s| s.cluster_ip).context("no address")?;
                (SocketAddr::new(node, 443), format!("{page}:80").parse()?)
            }
            None => (([127, 0, 0, 1], 0).into(), free_port().await?),
        };
        let outside = Outside::start(listen, page).await?;
        secrets(cluster, &outside).await?;
        start(cluster, &outside).await?;
        let forward = match node(cluster) {
            Some(_) => None,
            None => Some(forward(cluster, page).await?),
        };
        Ok(Self {
            cluster: Arc::clone(cluster),
            reached: node(cluster).is_some(),
            http: outside.client()?,
            outside,
            client,
            _forward: forward,
        })
    }

    /// A token with which somebody signs in, as they get it themselves where they may.
    pub(crate) async fn token(&self, name: &str) -> anyhow::Result<String> {
        let arguments = ["create", "token", name, "-n", PEOPLE, "--audience=sluice"];
        let said = self.cluster.kubectl(None, &arguments).await?;
        Ok(said.out.trim().to_owned())
    }

    /// The page's address of a path.
    pub(crate) fn page(path: &str) -> String {
        format!("https://{}{path}", outside::PAGE)
    }

    /// One call of the API with somebody's token; status and document.
    pub(crate) async fn call(
        &self,
        who: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let sent = self.http.post(Self::page(path));
        let sent = sent.bearer_auth(self.token(who).await?).json(body);
        let answer = sent.send().await.with_context(|| path.to_owned())?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        ))
    }

    /// The newest Rollout of a tag in an environment of an app.
    async fn rollout(&self, app: &str, to: &str, tag: &str) -> anyhow::Result<Option<Rollout>> {
        let api: Api<Rollout> = Api::namespaced(self.client.clone(), PLACE.delivery);
        let mut found = api.list(&ListParams::default()).await?.items;
        found.retain(|r| {
            let spec = &r.spec.body;
            spec.pipeline == app && spec.environment == to && spec.image.tag.as_deref() == Some(tag)
        });
        found.sort_by_key(|r| r.creation_timestamp().map(|t| t.0));
        Ok(found.pop())
    }

    /// Waits until a Rollout is as wanted.
    pub(crate) async fn until(
        &self,
        (app, to, tag): (&str, &str, &str),
        what: &str,
        fits: impl Fn(&Rollout) -> bool,
    ) -> anyhow::Result<Rollout> {
        let start = Instant::now();
        loop {
            let found = self.rollout(app, to, tag).await?;
            if let Some(rollout) = &found
                && fits(rollout)
            {
                return Ok(rollout.clone());
            }
            let there = found.and_then(|r| r.status);
            let over = there.as_ref().is_some_and(|j| j.state.ended());
            ensure!(
                start.elapsed() < PATIENCE && !over,
                "{app} {tag} to {to}, waited until {what}: it is {}",
                there.map_or("not there".to_owned(), |j| format!(
                    "{}: {}",
                    j.phase, j.message
                ))
            );
            sleep(LOOK).await;
        }
    }

    /// Waits until a Rollout is in this phase.
    pub(crate) async fn phase(
        &self,
        about: (&str, &str, &str),
        phase: &str,
    ) -> anyhow::Result<Rollout> {
        let is = |r: &Rollout| r.status.as_ref().is_some_and(|j| j.phase == phase);
        self.until(about, phase, is).await
    }

    /// Waits until production asks for votes about a tag.
    pub(crate) async fn asked(&self, app: &str, tag: &str) -> anyhow::Result<Rollout> {
        self.until((app, "production", tag), "votes are asked for", |r| {
            let why = r.status.as_ref().and_then(|j| j.why.as_ref());
            why.is_some_and(|w| w.code() == "WaitsForVotes")
        })
        .await
    }

    /// The votes on a Rollout.
    pub(crate) async fn votes(&self, rollout: &Rollout) -> anyhow::Result<Vec<Approval>> {
        let api: Api<Approval> = Api::namespaced(self.client.clone(), PLACE.delivery);
        let mut all = api.list(&ListParams::default()).await?.items;
        all.retain(|a| Some(&a.spec.rollout_uid) == rollout.uid().as_ref());
        Ok(all)
    }

    /// The wishes about an app.
    pub(crate) async fn wishes(&self, app: &str) -> anyhow::Result<Vec<Request>> {
        let api: Api<Request> = Api::namespaced(self.client.clone(), PLACE.delivery);
        let mut all = api.list(&ListParams::default()).await?.items;
        all.retain(|r| r.spec.pipeline.as_deref() == Some(app));
        Ok(all)
    }

    /// Changes what would be released in the production of an app: another variable in its pods. What
    /// was asked before is not asked any more.
    pub(crate) async fn change_target(&self, app: &str, value: &str) -> anyhow::Result<()> {
        let container = json!({"name": "web", "env": [{"name": "GREETING", "value": value}]});
        let change = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        let arguments = [
            "patch",
            "deployment",
            app,
            "-n",
            PLACE.production,
            "-p",
            &change.to_string(),
        ];
        self.cluster.kubectl(None, &arguments).await.map(drop)
    }
}

/// The hash that a Rollout asks votes for.
pub(crate) fn hash(rollout: &Rollout) -> String {
    let journal = rollout.status.as_ref();
    let asked = journal.and_then(|j| j.approval.as_ref());
    asked.map(|a| a.hash.clone()).unwrap_or_default()
}

/// The node's address, where it is a node of our own: pods reach this process there.
fn node(cluster: &Cluster) -> Option<std::net::IpAddr> {
    cluster.bed.as_ref()?;
    cluster.registry.split(':').next()?.parse().ok()
}

async fn namespaces(cluster: &Cluster) -> anyhow::Result<()> {
    let all = [
        SYSTEM,
        PLACE.delivery,
        PLACE.staging,
        PLACE.production,
        PEOPLE,
    ];
    let all: Vec<Value> = all.iter().map(|n| crate::install::namespace(n)).collect();
    cluster.apply(&all).await.map(drop)
}

/// An account for each person, with the rights that everybody has.
async fn people(cluster: &Cluster) -> anyhow::Result<()> {
    let mut objects: Vec<Value> = EVERYBODY
        .iter()
        .map(|name| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": name, "namespace": PEOPLE}})
        })
        .collect();
    let subjects: Vec<Value> = EVERYBODY
        .iter()
        .map(|name| json!({"kind": "ServiceAccount", "name": name, "namespace": PEOPLE}))
        .collect();
    for role in ["requester", "approver"] {
        objects.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": format!("everybody-{role}"), "namespace": PLACE.delivery},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                        "name": format!("{RELEASE}-{role}")},
            "subjects": subjects,
        }));
    }
    cluster.apply(&objects).await.map(drop)
}

/// The chart, without an agent yet: nothing is known of what is outside.
async fn install(cluster: &Cluster) -> anyhow::Result<()> {
    let first: Value = serde_json::from_slice(&std::fs::read(values_file(cluster))?)?;
    let values = json!({
        "image": first["image"], "registry": first["registry"], "records": first["records"],
        "log": first["log"],
        "pipelinesNamespace": PLACE.delivery,
        "targetNamespaces": [PLACE.staging, PLACE.production],
        "policy": {"config": policy(&cluster.registry)},
        "plugins": {"config": plugins(), "secrets": ["slack"],
                    "ca": {"existingSecret": "outside"}},
        "web": {"enabled": true, "hosts": [outside::PAGE], "oidc": {"existingSecret": "oidc"},
                "secrets": ["slack-signing", "ci"]},
    });
    let file = cluster.scratch.path().join("doors.json");
    std::fs::write(&file, values.to_string())?;
    let chart = cluster.repository("charts/sluice").display().to_string();
    let file = file.display().to_string();
    cluster
        .helm(&[
            "install",
            RELEASE,
            &chart,
            "-n",
            SYSTEM,
            "-f",
            &file,
            "--set",
            "replicas=0",
        ])
        .await
        .map(drop)
}

/// Takes it away, and what it was for.
pub(crate) async fn close(cluster: &Cluster) -> anyhow::Result<()> {
    // An object that the agent guards is nobody's to delete while the guards are there.
    cluster.helm(&["uninstall", RELEASE, "-n", SYSTEM]).await?;
    let mut arguments = vec!["delete", "namespace", "--wait=false", "--ignore-not-found"];
    arguments.extend([
        SYSTEM,
        PLACE.delivery,
        PLACE.staging,
        PLACE.production,
        PEOPLE,
    ]);
    cluster.kubectl(None, &arguments).await.map(drop)
}

/// Keys and passwords, as an operator would make them.
async fn secrets(cluster: &Cluster, outside: &Outside) -> anyhow::Result<()> {
    let secret = |name: &str, data: &[(&str, &str)]| {
        let data: Value = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value))))
            .collect::<serde_json::Map<_, _>>()
            .into();
        json!({"apiVersion": "v1", "kind": "Secret",
               "metadata": {"name": name, "namespace": SYSTEM}, "data": data})
    };
    let oidc = json!({
        "issuer": format!("https://{}", outside::IDENTITIES),
        "clientId": outside::CLIENT,
        "clientSecretFile": "/etc/sluice/oidc/client-secret",
        "caFile": "/etc/sluice/oidc/ca.crt",
    });
    let authority = outside.authority.as_str();
    cluster
        .apply(&[
            secret("slack", &[("token", slack::TOKEN)]),
            secret("slack-signing", &[("signing", slack::SIGNING)]),
            secret("ci", &[("shop", CALLER.1)]),
            secret("outside", &[("ca.crt", authority)]),
            secret(
                "oidc",
                &[
                    ("oidc.yaml", &oidc.to_string()),
                    ("client-secret", outside::SECRET),
                    ("ca.crt", authority),
                ],
            ),
        ])
        .await
        .map(drop)
}

/// Starts the agent, with names that a cluster's DNS would know.
async fn start(cluster: &Cluster, outside: &Outside) -> anyhow::Result<()> {
    let names = [outside::IDENTITIES, outside::SLACK];
    let aliases = json!([{"ip": outside.address.ip().to_string(), "hostnames": names}]);
    let mut change = vec![json!({"op": "replace", "path": "/spec/replicas", "value": 1})];
    if node(cluster).is_some() {
        let path = "/spec/template/spec/hostAliases";
        change.push(json!({"op": "add", "path": path, "value": aliases}));
    }
    let change = Value::Array(change).to_string();
    let object = format!("deployment/{RELEASE}");
    let patch = ["patch", &object, "-n", SYSTEM, "--type=json", "-p", &change];
    cluster.kubectl(None, &patch).await?;
    let wait = ["rollout", "status", &object, "-n", SYSTEM, "--timeout=120s"];
    cluster.kubectl(None, &wait).await.map(drop)
}

/// An address of this machine where nobody listens.
async fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    Ok(listener.local_addr()?)
}

/// Leads an address of this machine to the page, where its Service cannot be reached from here.
async fn forward(cluster: &Cluster, from: SocketAddr) -> anyhow::Result<Child> {
    let (service, ports) = (format!("service/{RELEASE}"), format!("{}:80", from.port()));
    let mut child = Command::new("kubectl")
        .args([
            "port-forward",
            "-n",
            SYSTEM,
            &service,
            &ports,
            "--address=127.0.0.1",
        ])
        .env("KUBECONFIG", cluster.kubeconfig(None)?)
        .stdin(Stdio::null())
        // It says every connection that a browser gives up; nobody would read it.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("kubectl port-forward does not start")?;
    let begin = Instant::now();
    while TcpStream::connect(from).await.is_err() {
        let ended = child.try_wait()?;
        ensure!(
            ended.is_none() && begin.elapsed() < PATIENCE,
            "kubectl port-forward does not lead to the page: {ended:?}"
        );
        sleep(LOOK).await;
    }
    Ok(child)
}
