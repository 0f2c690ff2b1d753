//! The containers of the node: their images, and their processes.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::{Bed, output};
use crate::error::BedError;
use crate::namespaces::Door;
use crate::{cgroup, need, node, process};

/// `ctr` for the images and containers of Kubernetes.
pub(super) fn ctr(door: &Door) -> Result<Command, BedError> {
    let program = need::program("ctr").ok_or_else(|| {
        BedError::Absent("there is no program ctr: apt-get install containerd".into())
    })?;
    let mut command = door.inside(&program);
    command.args(["--address", node::CONTAINERD, "--namespace", "k8s.io"]);
    Ok(command)
}

impl Bed {
    /// Makes the images of an OCI archive present on the node.
    pub async fn import_image(&self, archive: &Path) -> Result<(), BedError> {
        let mut command = ctr(&self.description.door)?;
        command
            .args(["images", "import", "--snapshotter"])
            .arg(node::snapshotter(self.state()))
            .arg(archive);
        output(command, "").await.map(drop)
    }

    /// The processes of a container, by their numbers on the machine, sorted.
    pub async fn pids_of(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<Vec<u32>, BedError> {
        let path = format!(
            "jsonpath={{.status.containerStatuses[?(@.name==\"{container}\")].containerID}}"
        );
        let id = self
            .kubectl(&[
                "get",
                "pod",
                pod,
                "--namespace",
                namespace,
                "--output",
                &path,
            ])
            .await?;
        let id = id.trim().trim_start_matches("containerd://");
        let found = cgroup::processes(&self.description.site.id, id);
        if id.is_empty() || found.is_empty() {
            return Err(BedError::Absent(format!(
                "the container {container} of the pod {namespace}/{pod} has no process: \
                 `kubectl describe pod` says why"
            )));
        }
        Ok(found)
    }

    /// Stops a container's processes where they stand, as a machine does that is out of memory or time.
    pub async fn freeze(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<(), BedError> {
        let found = self.pids_of(namespace, pod, container).await?;
        found
            .into_iter()
            .try_for_each(|id| process::signal(id, Signal::STOP))
    }

    /// Lets them go on.
    pub async fn thaw(&self, namespace: &str, pod: &str, container: &str) -> Result<(), BedError> {
        let found = self.pids_of(namespace, pod, container).await?;
        found
            .into_iter()
            .try_for_each(|id| process::signal(id, Signal::CONT))
    }

    /// Stops a part of the cluster where it stands: `kube-apiserver`, `etcd`, `kubelet`,
    /// `docker-registry`, …
    pub fn freeze_part(&self, part: &str) -> Result<(), BedError> {
        let found = self.processes_of(part)?;
        found
            .into_iter()
            .try_for_each(|id| process::signal(id, Signal::STOP))
    }

    /// Lets it go on.
    pub fn thaw_part(&self, part: &str) -> Result<(), BedError> {
        for id in self.processes_of(part)? {
            process::signal(id, Signal::CONT)?;
            // `nsenter`, which stopped when its child did.
            if let Some(parent) = process::parent(id) {
                process::signal(parent, Signal::CONT)?;
            }
        }
        Ok(())
    }

    fn processes_of(&self, part: &str) -> Result<Vec<u32>, BedError> {
        let namespace = self.description.door.processes();
        let found = [&["control-plane", part][..], &["node", part], &[part]]
            .iter()
            .find_map(|words| {
                let found = process::running(&namespace, words);
                (!found.is_empty()).then_some(found)
            });
        found.ok_or_else(|| BedError::Absent(format!("no part of this cluster is called {part}")))
    }
}
