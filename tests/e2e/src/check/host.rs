//! Plugins run beside the agent, in a container without the pod's token. Its process is killed in the
//! middle of a release, as often as the kubelet starts it again soon: the release holds and goes on, and
//! no visitor notices.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::Value;
use sluice_core::rollout::Why;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::{Instant, sleep};

use crate::check::kills::ended_as;
use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::install::{SYSTEM, pods};
use crate::load::Load;
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "host-killed";
/// Where a pod finds the token of its account.
const TOKEN: &str = "var/run/secrets/kubernetes.io/serviceaccount";
/// Each makes the kubelet wait twice as long before the next start, from 10 s on.
const KILLS: usize = 3;
/// The last wait, and a start on a busy node.
const RETURN: Duration = Duration::from_secs(120);

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    separated(cluster).await?;
    if cluster.bed.is_none() {
        return Ok(Traffic::skipped(
            "killing the plugins' process: the node is not on this machine",
        ));
    }
    let host = running(cluster, None).await?;
    without_token(host)?;
    let ground = Real::start(cluster, APP, "8s").await?;
    let image = format!("{}:v1.0.0", ground.repository());
    let load = Load::start(cluster, APP, &image).await?;
    let begin = Timestamp::now();
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    let killed = async {
        let play = ground.play();
        // A share is out: from here on, what fails would be noticed.
        play.until("production", tag, "the first step is watched", |r| {
            matches!(
                r.status.as_ref().and_then(|j| j.why.as_ref()),
                Some(Why::Holds { .. })
            )
        })
        .await
        .map_err(told)?;
        let mut host = running(cluster, None).await?;
        for _ in 0..KILLS {
            let killed = Command::new("kill")
                .args(["-9", &host.to_string()])
                .status()?;
            ensure!(killed.success(), "the plugins' process cannot be killed");
            host = running(cluster, Some(host)).await?;
        }
        anyhow::Ok(())
    };
    let ends = ended_as(&ground, tag, "Succeeded");
    let (killed, ended) = tokio::join!(killed, ends);
    killed?;
    ended?;
    // What the last pods of the old version still had to answer.
    sleep(Duration::from_secs(8)).await;
    let met = load.met(Some(begin), None).await?;
    load.stop().await?;
    cleared(cluster, APP).await?;
    met.unharmed(vec![format!(
        "the plugins' process was killed {KILLS} times in one release, which succeeded"
    )])
}

/// The pods as the API server took them, with whatever its own admission added.
async fn separated(cluster: &Cluster) -> anyhow::Result<()> {
    let of = "app.kubernetes.io/component=agent";
    let get = ["get", "pods", "-n", SYSTEM, "-l", of, "-o", "json"];
    let said = cluster.kubectl(None, &get).await?.out;
    let list: Value = serde_json::from_str(&said)?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    ensure!(!items.is_empty(), "no agent runs");
    for pod in items {
        let all = pod["spec"]["containers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mounts = |name: &str| {
            let found = all.iter().find(|c| c["name"] == name)?;
            Some(found["volumeMounts"].to_string())
        };
        let agent = mounts("agent").context("there is no container agent")?;
        let plugins = mounts("plugins").context("there is no container plugins")?;
        ensure!(agent.contains(TOKEN), "the agent has no token: {agent}");
        ensure!(
            !plugins.contains("serviceaccount"),
            "plugins have a token: {plugins}"
        );
    }
    Ok(())
}

/// What the process itself sees.
fn without_token(host: u32) -> anyhow::Result<()> {
    let root = root_of(host);
    let seen = |path: &str| root.join(path).symlink_metadata().is_ok();
    ensure!(seen("run/sluice/host"), "this is not the plugins' process");
    for path in [
        TOKEN,
        "run/secrets/kubernetes.io",
        "var/lib/sluice",
        "etc/sluice/policy",
    ] {
        ensure!(!seen(path), "plugins see /{path}");
    }
    let open = tokens(&root);
    ensure!(open.is_empty(), "plugins see tokens: {open:?}");
    let environment = std::fs::read_to_string(format!("/proc/{host}/environ"))?;
    ensure!(
        !environment.to_lowercase().contains("token"),
        "a token is in the environment"
    );
    Ok(())
}

/// The file system that a process sees.
fn root_of(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string()).join("root")
}

/// Files named `token` in the places where pods find secrets.
fn tokens(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = ["var/run", "run", "etc/sluice"]
        .map(|p| root.join(p))
        .into();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) if entry.file_name() == "token" => found.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    found
}

/// The plugins' process of the agent's pod, once it is another than `before` and answers.
async fn running(cluster: &Cluster, before: Option<u32>) -> anyhow::Result<u32> {
    let start = Instant::now();
    loop {
        let mut found = None;
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else {
                continue;
            };
            let Ok(line) = std::fs::read_to_string(entry.path().join("cmdline")) else {
                continue;
            };
            let words: Vec<&str> = line.split('\0').collect();
            let is = words.get(1) == Some(&"plugin-host") && !words.contains(&"--probe");
            if is && Some(pid) != before && of_pod(cluster, pid).await? {
                found = Some(pid);
            }
        }
        let socket = |pid: u32| root_of(pid).join("run/sluice/host/plugins.sock");
        if let Some(pid) = found.filter(|pid| socket(*pid).exists()) {
            return Ok(pid);
        }
        ensure!(
            start.elapsed() < RETURN,
            "no process runs plugins: {:?}",
            pods(cluster).await?
        );
        sleep(Duration::from_millis(200)).await;
    }
}

/// Whether a process belongs to the agent of this release: the host name of its pod says so.
async fn of_pod(cluster: &Cluster, pid: u32) -> anyhow::Result<bool> {
    let Ok(name) = std::fs::read_to_string(root_of(pid).join("etc/hostname")) else {
        return Ok(false);
    };
    Ok(pods(cluster).await?.iter().any(|pod| pod == name.trim()))
}
