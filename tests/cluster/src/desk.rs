//! A desk: a machine of its own beside the node, with one cable to it.
//!
//! Pods come and go, and with each a network interface of the node. Programs that watch the machine's
//! network, as browsers do, take that for a change of their own and break off what they are at. At a
//! desk nothing changes. It has its own process namespace, too: whatever it started ends with it.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::address;
use crate::error::{self, BedError};
use crate::namespaces::Door;
use crate::process::Identity;

/// What the namespaces begin with: the first process of them waits for its owner.
const INIT: &str = "ip link set lo up && echo ready && { read -r _ || exit 0; }";

/// A desk. Everything at it ends when it is dropped.
pub struct Desk {
    holder: Child,
    door: Door,
}

impl Desk {
    /// Puts one beside the node behind this door.
    pub(crate) fn create(node: &Door) -> Result<Self, BedError> {
        let mut command = node.in_network(Path::new("unshare"));
        command
            .args(["--net", "--mount", "--pid", "--fork", "--mount-proc"])
            .args(["--kill-child=KILL", "--", "bash", "-c", INIT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut holder = command.spawn().map_err(BedError::start("unshare"))?;
        let identity = Identity::of(holder.id())?;
        let mut first = String::new();
        if let Some(out) = holder.stdout.take() {
            BufReader::new(out)
                .read_line(&mut first)
                .map_err(BedError::file("read the answer of", "unshare"))?;
        }
        let desk = Self {
            holder,
            door: Door { holder: identity },
        };
        if first.trim() != "ready" {
            return Err(BedError::Absent(
                "a desk needs namespaces of its own, and there are none".into(),
            ));
        }
        desk.cable(node)?;
        Ok(desk)
    }

    /// Two ends of a cable, an address for each, and the way to everything else.
    fn cable(&self, node: &Door) -> Result<(), BedError> {
        let network = self.door.network().display().to_string();
        let there = address::DESKS.with_prefix(1);
        let here = address::DESKS.with_prefix(2);
        let gateway = address::DESKS.at(1).to_string();
        let add = [
            "link", "add", "desk", "type", "veth", "peer", "name", "node", "netns", &network,
        ];
        ip(node, &add)?;
        ip(node, &["address", "add", &there, "dev", "desk"])?;
        ip(node, &["link", "set", "desk", "up"])?;
        ip(&self.door, &["address", "add", &here, "dev", "node"])?;
        ip(&self.door, &["link", "set", "node", "up"])?;
        ip(&self.door, &["route", "add", "default", "via", &gateway])
    }

    /// A command at the desk. Files are the machine's.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        self.door.inside(program.as_ref())
    }

    /// The desk's address, from the node.
    pub fn address(&self) -> Ipv4Addr {
        address::DESKS.at(2)
    }

    /// The node's address, as the desk sees it come.
    pub fn node(&self) -> Ipv4Addr {
        address::DESKS.at(1)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.door.break_down();
        // It has ended, or nobody can end it.
        let _ = self.holder.try_wait();
    }
}

/// One command of `ip`, in the network behind a door.
fn ip(door: &Door, arguments: &[&str]) -> Result<(), BedError> {
    let output = door
        .in_network(Path::new("ip"))
        .args(arguments)
        .output()
        .map_err(BedError::start("ip"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BedError::Failed {
        what: format!("ip {}", arguments.join(" ")),
        code: output.status.to_string(),
        output: error::tail(&String::from_utf8_lossy(&output.stderr)),
    })
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::namespaces::Namespaces;

    /// Needs the rights of root, and a kernel that gives namespaces.
    #[test]
    fn it_reaches_the_node_and_sees_nothing_of_its_interfaces() {
        let folder = tempfile::tempdir().unwrap();
        let Ok(mut walls) = Namespaces::create(folder.path()) else {
            let name = "it_reaches_the_node_and_sees_nothing_of_its_interfaces";
            println!("SKIPPED {name}, which needs root and namespaces");
            return;
        };
        let desk = Desk::create(walls.door()).unwrap();
        ip(walls.door(), &["link", "add", "pod", "type", "bridge"]).unwrap();
        let seen = desk
            .command("ip")
            .args(["-brief", "link"])
            .output()
            .unwrap();
        let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
        assert!(seen.contains("node") && !seen.contains("pod"), "{seen}");
        // Somebody listens there, or nobody does: an answer comes either way.
        let node = format!("exec 3<>/dev/tcp/{}/1", address::node());
        let asked = desk.command("bash").args(["-c", &node]).output().unwrap();
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        assert!(said.contains("refused"), "{said}");

        let mut sleep = desk.command("sleep").arg("1000").spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while crate::process::running(&desk.door.processes(), &["sleep", "1000"]).is_empty() {
            assert!(Instant::now() < until, "sleep runs there");
            thread::sleep(Duration::from_millis(5));
        }
        drop(desk);
        while sleep.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "what it started has ended");
            thread::sleep(Duration::from_millis(10));
        }
        walls.end();
    }
}
