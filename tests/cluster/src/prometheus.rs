//! A Prometheus at the node that asks every pod of some namespaces for its numbers.
//!
//! Debian's is built without a client of Kubernetes: pods are told to it in a file, which follows a watch.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::bed::{Bed, output};
use crate::error::BedError;
use crate::{address, need};

/// Where it answers.
const PORT: u16 = 9090;
/// What `kubectl` tells about a pod, between bars, which no name has: what is absent is empty. Tabs it
/// would turn into columns.
const SAID: &str = "jsonpath={.type}|{.object.metadata.namespace}|\
                    {.object.metadata.name}|{.object.status.podIP}|\
                    {.object.status.phase}{\"\\n\"}";

/// How long it may take to begin, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked at, and how long a broken watch rests.
const LOOKS: Duration = Duration::from_millis(200);

/// A running Prometheus. It ends when it is dropped.
pub struct Prometheus {
    _child: Child,
    /// Tells it the pods.
    _watch: JoinSet<()>,
}

/// The addresses of running pods, by namespace and name.
type Pods = BTreeMap<(String, String), String>;

impl Prometheus {
    /// Starts it: every second it asks every running pod of these namespaces at this port for `/metrics`.
    /// Series have the labels `namespace` and `pod`. A cluster has room for one.
    pub async fn start(bed: &Bed, namespaces: &[&str], port: u16) -> Result<Self, BedError> {
        let program = need::program("prometheus").ok_or_else(|| {
            BedError::Absent("there is no program prometheus: apt-get install prometheus".into())
        })?;
        let folder = bed.state().join("prometheus");
        fs::create_dir_all(&folder).map_err(BedError::file("make the folder", &folder))?;
        let targets = folder.join("targets.json");
        let write = |path: &Path, text: String| {
            fs::write(path, text).map_err(BedError::file("write", path))
        };
        write(&targets, list(&Pods::new(), port).to_string())?;
        let config = folder.join("prometheus.yml");
        write(&config, configuration(&targets).to_string())?;
        let log = bed.logs().join("prometheus.log");
        let out = fs::File::create(&log).map_err(BedError::file("create", &log))?;
        let mut command = bed.command(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={}", Self::address()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out);
        let mut child = Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(BedError::start("prometheus"))?;
        answers(bed, &mut child, &log).await?;
        let mut watch = JoinSet::new();
        let namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
        let mut command = bed.command(bed.tool("kubectl"));
        command.args(["get", "pods", "--all-namespaces", "--watch"]);
        command.args(["--output-watch-events", "--output", SAID]);
        watch.spawn(follow(Command::from(command), namespaces, port, targets));
        Ok(Self {
            _child: child,
            _watch: watch,
        })
    }

    /// Where it answers, from inside.
    pub fn address() -> SocketAddr {
        SocketAddr::V4(SocketAddrV4::new(address::node(), PORT))
    }
}

/// JSON is YAML.
fn configuration(targets: &Path) -> Value {
    json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{
            "job_name": "pods",
            // Changes are noticed at once where the kernel tells of them.
            "file_sd_configs": [{"files": [targets], "refresh_interval": "1s"}],
        }],
    })
}

/// The pods as Prometheus reads them.
fn list(pods: &Pods, port: u16) -> Value {
    let target = |((namespace, pod), ip): (&(String, String), &String)| {
        json!({
            "targets": [format!("{ip}:{port}")],
            "labels": {"namespace": namespace, "pod": pod},
        })
    };
    pods.iter().map(target).collect()
}

/// Takes in one line of the watch; whether it changes anything.
fn take_in(pods: &mut Pods, line: &str, namespaces: &[String]) -> bool {
    let mut words = line.split('|');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (event, key, ip, phase) = (word(), (word(), word()), word(), word());
    if !namespaces.contains(&key.0) {
        return false;
    }
    if event == "DELETED" || phase != "Running" || ip.is_empty() {
        return pods.remove(&key).is_some();
    }
    pods.insert(key, ip.clone()) != Some(ip)
}

/// Keeps the file of targets as the pods are, for as long as it is let.
async fn follow(mut watch: Command, namespaces: Vec<String>, port: u16, file: PathBuf) {
    watch
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    loop {
        // A watch begins with every pod that there is.
        let mut pods = Pods::new();
        if let Ok(mut child) = watch.spawn()
            && let Some(out) = child.stdout.take()
        {
            let mut lines = BufReader::new(out).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if take_in(&mut pods, &line, &namespaces) {
                    // Whole or not at all. What cannot be written is written with the next change.
                    let new = file.with_extension("new");
                    let _ = fs::write(&new, list(&pods, port).to_string())
                        .and_then(|()| fs::rename(&new, &file));
                }
            }
        }
        tokio::time::sleep(LOOKS).await;
    }
}

/// Waits until it answers.
async fn answers(bed: &Bed, child: &mut Child, log: &Path) -> Result<(), BedError> {
    let until = Instant::now() + LIMIT;
    let door = format!("exec 3<>/dev/tcp/{}/{PORT}", address::node());
    loop {
        let mut command = bed.command("timeout");
        command.args(["2", "bash", "-c", &door]);
        let Err(last) = output(command, "").await else {
            return Ok(());
        };
        let ended = child.try_wait().map_err(BedError::start("prometheus"))?;
        if ended.is_some() || Instant::now() > until {
            return Err(BedError::TooLate {
                what: format!("prometheus ({})", log.display()),
                seconds: LIMIT.as_secs(),
                last: ended.map_or(last.to_string(), |status| status.to_string()),
                logs: bed.logs().to_owned(),
            });
        }
        tokio::time::sleep(LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_follow_the_pods_that_run() {
        let (mut pods, shop) = (Pods::new(), ["shop".to_owned()]);
        let mut says = |line: &str| take_in(&mut pods, line, &shop);
        assert!(!says("ADDED|shop|web-1||Pending"));
        assert!(says("MODIFIED|shop|web-1|10.232.0.4|Running"));
        assert!(!says("MODIFIED|shop|web-1|10.232.0.4|Running"));
        assert!(!says("ADDED|other|web-1|10.232.0.5|Running"));
        assert!(says("ADDED|shop|web-2|10.232.0.6|Running"));
        assert!(says("MODIFIED|shop|web-2|10.232.0.6|Succeeded"));
        assert!(!says(""));
        let want = json!([{
            "targets": ["10.232.0.4:8080"],
            "labels": {"namespace": "shop", "pod": "web-1"},
        }]);
        assert_eq!(list(&pods, 8080), want);
        let gone = "DELETED|shop|web-1|10.232.0.4|Running";
        assert!(take_in(&mut pods, gone, &shop));
        assert_eq!(list(&pods, 8080), json!([]));
    }
}
