//! etcd, API server, controllers and scheduler: how each is started.

use std::path::Path;

use serde_json::json;

use crate::Person;
use crate::address;
use crate::authority::Authority;
use crate::error::BedError;
use crate::site::Site;

/// Requests a second, and at once. The defaults, 20 and 50, are the bottleneck where hundreds of
/// workloads roll.
const CLIENT_RATE: [&str; 2] = ["--kube-api-qps=400", "--kube-api-burst=800"];

/// The arguments of `control-plane` for etcd. Nothing waits for the disk: the data die with the test.
pub(crate) fn etcd(site: &Site) -> Vec<String> {
    arguments([
        "etcd".into(),
        "--name=test".into(),
        format!("--data-dir={}", site.folder("etcd").display()),
        "--listen-client-urls=http://127.0.0.1:2379".into(),
        "--advertise-client-urls=http://127.0.0.1:2379".into(),
        "--listen-peer-urls=http://127.0.0.1:2380".into(),
        "--initial-advertise-peer-urls=http://127.0.0.1:2380".into(),
        "--initial-cluster=test=http://127.0.0.1:2380".into(),
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ])
}

/// The arguments of `control-plane` for the API server.
pub(crate) fn api_server(site: &Site, authority: &Authority) -> Result<Vec<String>, BedError> {
    let names = [
        address::node().to_string(),
        address::kubernetes_service().to_string(),
        "127.0.0.1".into(),
        "localhost".into(),
        "kubernetes".into(),
        "kubernetes.default".into(),
        "kubernetes.default.svc".into(),
        "kubernetes.default.svc.cluster.local".into(),
    ];
    let serving = authority.server("kube-apiserver", &names)?;
    let to_kubelet = authority.client(&Person::new("kube-apiserver", &["system:masters"]))?;
    let policy = site.configure("audit-policy.json", &format!("{:#}", audit_policy()))?;
    let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    Ok(arguments([
        "kube-apiserver".into(),
        "--etcd-servers=http://127.0.0.1:2379".into(),
        format!("--advertise-address={}", address::node()),
        format!("--secure-port={}", address::API_PORT),
        format!("--service-cluster-ip-range={}", address::SERVICES.cidr()),
        file("tls-cert-file", &serving.certificate),
        file("tls-private-key-file", &serving.key),
        file("client-ca-file", &authority.file("ca.crt")),
        file("kubelet-certificate-authority", &authority.file("ca.crt")),
        file("kubelet-client-certificate", &to_kubelet.certificate),
        file("kubelet-client-key", &to_kubelet.key),
        "--kubelet-preferred-address-types=InternalIP".into(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".into(),
        file("service-account-key-file", &authority.file("tokens.pub")),
        file(
            "service-account-signing-key-file",
            &authority.file("tokens.key"),
        ),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        "--allow-privileged".into(),
        file("audit-policy-file", &policy),
        file("audit-log-path", &site.audit_log()),
        // Megabytes. A log that is turned over in the middle of a test would lose its beginning.
        "--audit-log-maxsize=4096".into(),
    ]))
}

/// Every request by who, what and when; what was written where it is ours, a workload, or leads traffic.
/// Never the content of a Secret, nor of a ConfigMap.
fn audit_policy() -> serde_json::Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {
                "level": "RequestResponse",
                "verbs": ["create", "update", "patch", "delete", "deletecollection"],
                "resources": [
                    {"group": "apps"},
                    {"group": "batch"},
                    {"group": "gateway.networking.k8s.io"},
                    {"group": "networking.k8s.io"},
                    {"group": "sluice.dev"},
                    {"group": "", "resources": ["services"]},
                ],
            },
            {"level": "Metadata"},
        ],
    })
}

/// The arguments of `control-plane` for the controllers.
pub(crate) fn controller_manager(
    site: &Site,
    authority: &Authority,
) -> Result<Vec<String>, BedError> {
    let own = Person::new("system:kube-controller-manager", &[]);
    let kubeconfig = authority.kubeconfig(&own, &site.api_server())?;
    let file = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    let mut all = arguments([
        "kube-controller-manager".into(),
        file("kubeconfig", &kubeconfig),
        "--bind-address=127.0.0.1".into(),
        "--leader-elect=false".into(),
        "--use-service-account-credentials".into(),
        file("root-ca-file", &authority.file("ca.crt")),
        file(
            "service-account-private-key-file",
            &authority.file("tokens.key"),
        ),
        file("cluster-signing-cert-file", &authority.file("ca.crt")),
        file("cluster-signing-key-file", &authority.file("ca.key")),
    ]);
    all.extend(CLIENT_RATE.map(str::to_owned));
    Ok(all)
}

/// The arguments of `control-plane` for the scheduler.
pub(crate) fn scheduler(site: &Site, authority: &Authority) -> Result<Vec<String>, BedError> {
    let own = Person::new("system:kube-scheduler", &[]);
    let kubeconfig = authority.kubeconfig(&own, &site.api_server())?;
    let mut all = arguments([
        "kube-scheduler".into(),
        format!("--kubeconfig={}", kubeconfig.display()),
        "--bind-address=127.0.0.1".into(),
        "--leader-elect=false".into(),
    ]);
    all.extend(CLIENT_RATE.map(str::to_owned));
    Ok(all)
}

fn arguments<const N: usize>(all: [String; N]) -> Vec<String> {
    all.into()
}
