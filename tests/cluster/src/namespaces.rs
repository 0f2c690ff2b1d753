//! The walls of one cluster: a network, a mount and a process namespace, which end with their owner.
//!
//! The first process in them waits on a pipe that the owner holds. When the owner is gone, even by
//! SIGKILL, that process ends, and the kernel ends every other one and undoes mounts and interfaces.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{self, BedError};
use crate::process::Identity;
use crate::{address, need};

/// How long the kernel may take to end every process and undo every mount.
const END_LIMIT: Duration = Duration::from_secs(20);

/// How to get into the namespaces, from any process of the machine that has the rights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Door {
    /// The process that holds them.
    pub(crate) holder: Identity,
}

/// The namespaces, for who owns them.
pub(crate) struct Namespaces {
    child: Child,
    door: Door,
}

impl Door {
    /// The path of the network namespace.
    pub(crate) fn network(&self) -> PathBuf {
        self.path("net")
    }

    /// The process namespace of every part.
    pub(crate) fn processes(&self) -> PathBuf {
        self.path("pid_for_children")
    }

    /// A command in the cluster's network, with the machine's files and processes.
    pub(crate) fn in_network(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .env("PATH", need::path())
            .arg(format!("--net={}", self.network().display()))
            .arg("--")
            .arg(program);
        command
    }

    /// A command behind all walls: a part of the cluster.
    pub(crate) fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .env("PATH", need::path())
            .arg(format!("--net={}", self.network().display()))
            .arg(format!("--mount={}", self.path("mnt").display()))
            .arg(format!("--pid={}", self.processes().display()))
            .arg("--")
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// Ends everything behind the walls, whoever owns it.
    pub(crate) fn break_down(&self) {
        self.holder.kill();
        let until = Instant::now() + END_LIMIT;
        while self.holder.lives() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, kind: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/{kind}", self.holder.id))
    }
}

impl Namespaces {
    /// New ones, with the node's address and with this folder in the place of the machine's state.
    pub(crate) fn create(state: &Path) -> Result<Self, BedError> {
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--mount", "--pid", "--fork", "--mount-proc"])
            .args(["--kill-child=KILL", "--", "bash", "-c"])
            .arg(include_str!("namespaces/init.sh"))
            .env("PATH", need::path())
            .env("STATE", state)
            .env("NODE", address::NODES.with_prefix(2))
            .env("SERVICES", address::SERVICES.cidr())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the owner, who then ends it in order.
            .process_group(0);
        let mut child = command.spawn().map_err(BedError::start("unshare"))?;
        let mut first = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut first)
                .map_err(BedError::file("read the answer of", "unshare"))?;
        }
        if first.trim() != "ready" {
            drop(child.stdin.take());
            let output = child
                .wait_with_output()
                .map_err(BedError::start("unshare"))?;
            return Err(BedError::Failed {
                what: "setting up namespaces (which needs root, and a kernel that allows them)"
                    .into(),
                code: output.status.to_string(),
                output: error::tail(&String::from_utf8_lossy(&output.stderr)),
            });
        }
        let holder = Identity::of(child.id())?;
        Ok(Self {
            child,
            door: Door { holder },
        })
    }

    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// Whether they are there still: `cluster down` of another process can end them.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends every process in them. Returns when the kernel is done, or after a limit.
    pub(crate) fn end(&mut self) {
        drop(self.child.stdin.take());
        let until = Instant::now() + END_LIMIT;
        while self.lives() {
            if Instant::now() > until {
                // The first process does not end by itself: its parent takes it along.
                self.door.holder.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs the rights of root, and a kernel that gives namespaces.
    #[test]
    fn what_runs_behind_the_walls_ends_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let mut walls = match Namespaces::create(folder.path()) {
            Ok(walls) => walls,
            Err(error) => {
                let name = "what_runs_behind_the_walls_ends_with_its_owner";
                println!("SKIPPED {name}, which needs root and namespaces: {error}");
                return;
            }
        };
        let mut part = walls
            .door()
            .inside(Path::new("sleep"))
            .arg("1000")
            .spawn()
            .unwrap();
        let inside = walls.door().processes();
        let until = Instant::now() + Duration::from_secs(10);
        while crate::process::running(&inside, &["sleep", "1000"]).is_empty() {
            assert!(Instant::now() < until, "sleep runs inside");
            thread::sleep(Duration::from_millis(5));
        }
        let interfaces = walls
            .door()
            .in_network(Path::new("ip"))
            .args(["-brief", "address"])
            .output()
            .unwrap();
        let interfaces = String::from_utf8_lossy(&interfaces.stdout).into_owned();
        assert!(
            interfaces.contains(&address::node().to_string()),
            "{interfaces}"
        );
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(
            !mounts.contains(&*folder.path().to_string_lossy()),
            "{mounts}"
        );

        walls.end();
        assert!(!part.wait().unwrap().success(), "it was killed");
        assert!(!walls.door().holder.lives());
    }
}
