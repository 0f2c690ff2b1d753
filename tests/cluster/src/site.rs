//! Where one cluster keeps what it has, for its owner and for every process that is let in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::address;
use crate::error::BedError;
use crate::namespaces::Door;
use crate::process::Identity;
use crate::{Gateway, Level};

/// How the folders of clusters begin. The owner's process follows, so that a leftover is recognised
/// by its name alone.
const PREFIX: &str = "sluice-bed-";
/// How the folder of logs ends, which can outlive the cluster.
pub(crate) const LOGS: &str = ".logs";
/// The file that lets another process in.
const DESCRIPTION: &str = "bed.json";

/// The folders of one cluster, before it has namespaces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    /// The folder's name; also that of the control groups.
    pub(crate) id: String,
    /// Everything that goes away at the end.
    pub(crate) state: PathBuf,
    /// What every part said, and the audit log.
    pub(crate) logs: PathBuf,
    /// The programs that were built.
    pub(crate) programs: PathBuf,
    /// What the cluster has.
    pub(crate) level: Level,
    /// What stands before its Services.
    pub(crate) gateway: Gateway,
}

/// A site with its walls up: what a process needs to get in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) site: Site,
    pub(crate) door: Door,
}

impl Site {
    /// Fresh folders under the folder for temporary files.
    pub(crate) fn create(
        level: Level,
        gateway: Gateway,
        programs: PathBuf,
    ) -> Result<Self, BedError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let owner = Identity::own()?;
        let id = format!(
            "{PREFIX}{}-{}-{}",
            owner.id,
            owner.began,
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let state = env::temp_dir().join(&id);
        // Both are covered behind the walls: see namespaces/init.sh.
        if state.starts_with("/run") || state.starts_with("/var/lib") {
            return Err(BedError::Absent(format!(
                "{} is no place for a cluster's files, which hides /run and /var/lib from its \
                 parts: set TMPDIR to another folder",
                state.display()
            )));
        }
        let site = Self {
            logs: env::temp_dir().join(format!("{id}{LOGS}")),
            id,
            state,
            programs,
            level,
            gateway,
        };
        for folder in [
            &site.state,
            &site.logs,
            &site.keys(),
            &site.folder("config"),
        ] {
            fs::create_dir_all(folder).map_err(BedError::file("make the folder", folder))?;
        }
        Ok(site)
    }

    /// A folder or file of the state.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Keys, certificates and kubeconfigs.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder("keys")
    }

    /// A program that was built.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The log of requests.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.logs.join("audit.jsonl")
    }

    /// The API server, from inside.
    pub(crate) fn api_server(&self) -> String {
        format!("https://{}:{}", address::node(), address::API_PORT)
    }

    /// The registry, from inside, where this level has one.
    pub(crate) fn registry(&self) -> Option<String> {
        match self.level {
            Level::ControlPlane => None,
            Level::Node => Some(format!("{}:{}", address::node(), address::REGISTRY_PORT)),
        }
    }

    /// Writes a file of configuration and returns its path.
    pub(crate) fn configure(&self, name: &str, text: &str) -> Result<PathBuf, BedError> {
        let path = self.folder("config").join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(BedError::file("make the folder", folder))?;
        }
        fs::write(&path, text).map_err(BedError::file("write", &path))?;
        Ok(path)
    }
}

impl Description {
    /// Lets other processes in.
    pub(crate) fn write(&self) -> Result<(), BedError> {
        let path = self.site.folder(DESCRIPTION);
        let text = serde_json::to_string(self)
            .map_err(BedError::document("the cluster's own description"))?;
        fs::write(&path, text).map_err(BedError::file("write", path))
    }

    /// The cluster whose state is in this folder.
    pub(crate) fn read(state: &Path) -> Result<Self, BedError> {
        let path = state.join(DESCRIPTION);
        let text = fs::read_to_string(&path).map_err(BedError::file("read", &path))?;
        serde_json::from_str(&text).map_err(BedError::document(path.display().to_string()))
    }
}

/// The state folders and log folders of all clusters, dead or alive, sorted.
pub(crate) fn all() -> Vec<PathBuf> {
    let entries = fs::read_dir(env::temp_dir())
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| owner(path).is_some())
        .collect();
    found.sort();
    found
}

/// The process that owns the folder of this name; none where it is no folder of a cluster.
pub(crate) fn owner(folder: &Path) -> Option<Identity> {
    let name = folder.file_name()?.to_str()?;
    let mut numbers = name.trim_end_matches(LOGS).strip_prefix(PREFIX)?.split('-');
    let owner = Identity {
        id: numbers.next()?.parse().ok()?,
        began: numbers.next()?.parse().ok()?,
    };
    numbers.next()?.parse::<u32>().ok()?;
    numbers.next().is_none().then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_its_owner_and_others_have_none() {
        let expected = Some(Identity { id: 7, began: 4711 });
        assert_eq!(owner(Path::new("/x/sluice-bed-7-4711-0")), expected);
        assert_eq!(owner(Path::new("/x/sluice-bed-7-4711-12.logs")), expected);
        for other in [
            "/x/sluice-bed-7-4711",
            "/x/sluice-bed-mine-1-1",
            "/x/y",
            "/",
        ] {
            assert_eq!(owner(Path::new(other)), None, "{other}");
        }
    }
}
