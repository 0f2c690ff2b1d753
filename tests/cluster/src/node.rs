//! A node with real containers: containerd, kubelet, kube-proxy and a registry.

use std::path::Path;

use serde_json::json;

use crate::Person;
use crate::address;
use crate::authority::Authority;
use crate::error::BedError;
use crate::need;
use crate::site::Site;

/// The node's name.
pub(crate) const NAME: &str = "node";
/// The image that holds a pod's namespaces.
pub(crate) const PAUSE: &str = "sluice.test/pause:1";
/// Behind the walls, where `/run` is the cluster's own.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// The arguments of `containerd`.
pub(crate) fn containerd(site: &Site) -> Result<Vec<String>, BedError> {
    let registry = site.registry().unwrap_or_default();
    site.configure(
        &format!("registries/{registry}/hosts.toml"),
        &format!(
            "server = \"http://{registry}\"\n\n[host.\"http://{registry}\"]\n\
             capabilities = [\"pull\", \"resolve\"]\n"
        ),
    )?;
    // ptp and not bridge: between pods of a bridge an answer takes a short cut around the translation
    // of a Service's address, unless a kernel module sends it back through the firewall.
    let cni = json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "ptp",
            "ipMasq": false,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni",
                "ranges": [[{"subnet": address::PODS.cidr()}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    });
    site.configure("cni/pods.conflist", &format!("{cni:#}"))?;
    let config = site.folder("config");
    let text = format!(
        r#"version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
address = "{CONTAINERD}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Without CAP_SYS_RESOURCE a lower score cannot be set, and runc ends with "can't get final child's PID".
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{config}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{config}/registries"
"#,
        plugins = need::cni_folder().unwrap_or(Path::new("")).display(),
        config = config.display(),
        snapshotter = snapshotter(&site.state),
    );
    let path = site.configure("containerd.toml", &text)?;
    Ok(vec![
        format!("--config={}", path.display()),
        "--root=/var/lib/containerd".into(),
        "--state=/run/containerd".into(),
        "--log-level=warn".into(),
    ])
}

/// How layers are put over each other. An overlay does not lie on another one, which is what the file
/// system of most CI containers is.
pub(crate) fn snapshotter(folder: &Path) -> &'static str {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    match file_system(&mounts, folder) {
        Some("overlay") => "native",
        Some(_) | None => "overlayfs",
    }
}

/// The kind of file system on which a folder lies.
fn file_system<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let all = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let place = words.nth(1)?;
        let kind = words.next()?;
        folder.starts_with(place).then_some((place.len(), kind))
    });
    // Of mounts at the same place the last one is on top.
    all.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// The arguments of `docker-registry`: over plain HTTP, and for whoever is inside.
pub(crate) fn registry(site: &Site) -> Result<Vec<String>, BedError> {
    let text = json!({
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": site.folder("registry")},
            "delete": {"enabled": true},
        },
        "http": {"addr": site.registry()},
    });
    let path = site.configure("registry.yaml", &format!("{text:#}"))?;
    Ok(vec!["serve".into(), path.display().to_string()])
}

/// The arguments of `node` for the kubelet.
pub(crate) fn kubelet(site: &Site, authority: &Authority) -> Result<Vec<String>, BedError> {
    let own = Person::new(&format!("system:node:{NAME}"), &["system:nodes"]);
    let kubeconfig = authority.kubeconfig(&own, &site.api_server())?;
    let serving = authority.server("kubelet", &[NAME.into(), address::node().to_string()])?;
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address::node(),
        "authentication": {"x509": {"clientCAFile": authority.file("ca.crt")}},
        "tlsCertFile": serving.certificate,
        "tlsPrivateKeyFile": serving.key,
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", site.id),
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        "localStorageCapacityIsolation": false,
        // Nothing answers names here. An address where nobody listens is refused at once; none at all
        // makes the kubelet complain about every pod.
        "clusterDNS": [address::node()],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        // The disk is the machine's, and how full it is no business of a test.
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 200,
        "nodeStatusUpdateFrequency": "2s",
        "serializeImagePulls": false,
    });
    let path = site.configure("kubelet.json", &format!("{config:#}"))?;
    Ok(vec![
        "kubelet".into(),
        format!("--config={}", path.display()),
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--hostname-override={NAME}"),
        format!("--node-ip={}", address::node()),
        "--root-dir=/var/lib/kubelet".into(),
    ])
}

/// The arguments of `node` for kube-proxy.
pub(crate) fn proxy(site: &Site, authority: &Authority) -> Result<Vec<String>, BedError> {
    let own = Person::new("system:kube-proxy", &[]);
    let kubeconfig = authority.kubeconfig(&own, &site.api_server())?;
    Ok(vec![
        "kube-proxy".into(),
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--hostname-override={NAME}"),
        format!("--cluster-cidr={}", address::PODS.cidr()),
        "--proxy-mode=nftables".into(),
        // The number of connections is the whole machine's to set.
        "--conntrack-max-per-core=0".into(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let mounts = "overlay / overlay rw 0 0\n\
                      /dev/vda /data ext4 rw 0 0\n\
                      tmpfs /data/x tmpfs rw 0 0\n\
                      /dev/vdb /data/x xfs rw 0 0\n";
        let kind = |path: &str| file_system(mounts, Path::new(path));
        assert_eq!(kind("/any"), Some("overlay"));
        assert_eq!(kind("/data/y"), Some("ext4"));
        assert_eq!(kind("/data/x/y"), Some("xfs"));
        assert_eq!(kind("/database"), Some("overlay"));
    }
}
