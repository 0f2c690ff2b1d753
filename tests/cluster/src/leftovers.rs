//! What a run that was killed left behind: its processes are gone with it, but folders and control
//! groups are not.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cgroup;
use crate::error::BedError;
use crate::site::{self, Description, LOGS};

/// Removes the state of clusters whose owner is gone. Their logs stay: somebody may want to know.
pub(crate) fn sweep() -> Result<(), BedError> {
    for folder in site::all() {
        let dead = site::owner(&folder).is_some_and(|owner| !owner.lives());
        if dead && !is_logs(&folder) {
            remove(&folder)?;
        }
    }
    Ok(())
}

/// Ends every cluster of this machine, whoever runs it, and removes logs that were kept. Returns what
/// was removed.
pub fn down_all() -> Result<Vec<PathBuf>, BedError> {
    let folders = site::all();
    for folder in &folders {
        if is_logs(folder) {
            fs::remove_dir_all(folder).map_err(BedError::file("remove", folder))?;
        } else {
            remove(folder)?;
        }
    }
    Ok(folders)
}

/// The state folders of clusters that run.
pub fn running() -> Vec<PathBuf> {
    site::all()
        .into_iter()
        .filter(|folder| {
            !is_logs(folder)
                && Description::read(folder).is_ok_and(|found| found.door.holder.lives())
        })
        .collect()
}

fn is_logs(folder: &Path) -> bool {
    folder.to_string_lossy().ends_with(LOGS)
}

/// The processes, the control groups and the folder of one cluster.
fn remove(folder: &Path) -> Result<(), BedError> {
    // Without a description there are no walls yet, or none that outlived their owner.
    if let Ok(found) = Description::read(folder) {
        found.door.break_down();
    }
    if let Some(name) = folder.file_name().and_then(|name| name.to_str()) {
        cgroup::remove(name)?;
    }
    match fs::remove_dir_all(folder) {
        // Its owner was faster.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(BedError::file("remove", folder)),
    }
}
