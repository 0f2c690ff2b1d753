//! What a machine must have, and what to install where it has not.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Level;

/// Something that this machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it is.
    pub what: String,
    /// The Debian package that brings it; where there is none, `remedy` says what to do.
    pub package: Option<&'static str>,
    /// What to do instead of installing a package.
    pub remedy: Option<&'static str>,
}

/// Programs, with their Debian packages, for any cluster.
const PROGRAMS: [(&str, &str); 6] = [
    ("bash", "bash"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("timeout", "coreutils"),
    ("unshare", "util-linux"),
];

/// Programs for a node with real containers.
const NODE_PROGRAMS: [(&str, &str); 6] = [
    ("conntrack", "conntrack"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("docker-registry", "docker-registry"),
    ("nft", "nftables"),
    ("runc", "runc"),
];

/// Where packages put the programs that connect a pod to the network.
const CNI_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];
/// Those that are used here.
const CNI_PLUGINS: [&str; 3] = ["host-local", "loopback", "ptp"];

/// Everything that is missing for a cluster of this level; empty where nothing is.
pub fn missing(level: Level, built: bool) -> Vec<Missing> {
    let mut found = Vec::new();
    if !rustix::process::geteuid().is_root() {
        found.push(Missing {
            what: "the rights of root, for namespaces, mounts and cgroups".into(),
            package: None,
            remedy: Some("run it as root"),
        });
    }
    if !built && program("go").is_none() {
        found.push(Missing {
            what: "go 1.26 or newer, which builds Kubernetes".into(),
            package: None,
            remedy: Some("install it from https://go.dev/dl"),
        });
    }
    let node: &[(&str, &str)] = match level {
        Level::ControlPlane => &[],
        Level::Node => &NODE_PROGRAMS,
    };
    for (name, package) in PROGRAMS.iter().chain(node) {
        if program(name).is_none() {
            found.push(Missing {
                what: format!("the program {name}"),
                package: Some(package),
                remedy: None,
            });
        }
    }
    if level == Level::Node && cni_folder().is_none() {
        found.push(Missing {
            what: format!("the CNI plugins {}", CNI_PLUGINS.join(", ")),
            package: Some("containernetworking-plugins"),
            remedy: None,
        });
    }
    found
}

/// The findings, one a line, and the command that installs what packages bring.
pub(crate) fn listed(missing: &[Missing]) -> String {
    let mut lines: Vec<String> = missing
        .iter()
        .map(|one| match one.remedy {
            Some(remedy) => format!("  it lacks {}: {remedy}", one.what),
            None => format!("  it lacks {}", one.what),
        })
        .collect();
    let mut packages: Vec<&str> = missing.iter().filter_map(|one| one.package).collect();
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        lines.push(format!(
            "  apt-get install --no-install-recommends {}",
            packages.join(" ")
        ));
    }
    lines.join("\n")
}

/// Where to look for programs: the caller's PATH, and the folders of administrators, which a login
/// shell of Debian leaves out.
pub(crate) fn path() -> String {
    let callers = env::var("PATH").unwrap_or_default();
    format!("{callers}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin")
}

/// A program of this name.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    env::split_paths(&path())
        .map(|folder| folder.join(name))
        .find(|path| fs::metadata(path).is_ok_and(|data| data.is_file()))
}

/// The folder with every CNI plugin that is used.
pub(crate) fn cni_folder() -> Option<&'static Path> {
    CNI_FOLDERS
        .iter()
        .map(Path::new)
        .find(|folder| CNI_PLUGINS.iter().all(|name| folder.join(name).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_once_in_one_command() {
        let one = |what: &str, package| Missing {
            what: what.into(),
            package,
            remedy: None,
        };
        let text = listed(&[
            one("the program runc", Some("runc")),
            one("the program ctr", Some("containerd")),
            one("the program containerd", Some("containerd")),
            Missing {
                what: "go".into(),
                package: None,
                remedy: Some("install it"),
            },
        ]);
        assert!(text.contains("it lacks go: install it"), "{text}");
        assert!(text.ends_with("recommends containerd runc"), "{text}");
    }
}
