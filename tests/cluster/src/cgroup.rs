//! The control groups of one cluster's pods: made before the kubelet starts, removed after the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::BedError;

/// How long the kernel may take to empty a group whose processes were killed.
const EMPTY_LIMIT: Duration = Duration::from_secs(5);

/// The places where groups are mounted: one of version 2, or one a controller of version 1.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let place = words.nth(1)?;
            words
                .next()?
                .starts_with("cgroup")
                .then(|| PathBuf::from(place))
        })
        .collect()
}

/// The groups of this name, where they exist.
pub(crate) fn groups(name: &str) -> Vec<PathBuf> {
    let there = hierarchies().into_iter().map(|place| place.join(name));
    there.filter(|group| group.is_dir()).collect()
}

/// Makes the group in every hierarchy.
pub(crate) fn create(name: &str) -> Result<(), BedError> {
    for place in hierarchies() {
        let group = place.join(name);
        // In version 2 a group has the controllers that the one above it hands down. One that cannot
        // be handed down is named by the kubelet, where it needs it.
        let controllers = fs::read_to_string(place.join("cgroup.controllers")).unwrap_or_default();
        for controller in controllers.split_whitespace() {
            let _ = fs::write(
                place.join("cgroup.subtree_control"),
                format!("+{controller}"),
            );
        }
        fs::create_dir_all(&group).map_err(BedError::file("make the control group", &group))?;
        // In version 1 a group without processors and memory nodes can hold no process.
        for setting in ["cpuset.cpus", "cpuset.mems"] {
            let (from, to) = (place.join(setting), group.join(setting));
            if from.exists() && to.exists() {
                let all = fs::read(&from).map_err(BedError::file("read", &from))?;
                fs::write(&to, all).map_err(BedError::file("write", &to))?;
            }
        }
    }
    Ok(())
}

/// Removes the group and everything in it; its processes have been killed.
pub(crate) fn remove(name: &str) -> Result<(), BedError> {
    let until = Instant::now() + EMPTY_LIMIT;
    for group in groups(name) {
        while let Err(source) = remove_tree(&group) {
            if Instant::now() > until {
                return Err(BedError::file("remove the control group", group)(source));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn remove_tree(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// The processes of the container with this id, by their numbers on the machine, sorted.
pub(crate) fn processes(name: &str, container: &str) -> Vec<u32> {
    let mut found: Vec<u32> = groups(name)
        .iter()
        .filter_map(|group| folder_named(group, container))
        .filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| line.parse().ok())
                .collect::<Vec<u32>>()
        })
        .filter(|id| *id != 0)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn folder_named(under: &Path, name: &str) -> Option<PathBuf> {
    let folders = fs::read_dir(under).ok()?.flatten();
    folders
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .find_map(|entry| {
            let path = entry.path();
            if entry.file_name() == name {
                Some(path)
            } else {
                folder_named(&path, name)
            }
        })
}
