//! Where agent and host meet: a socket that nobody else can reach, and a look at who is there.

use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::{STATE_BYTES, STATE_PATH, exchange};

/// Longest path that the kernel takes for a socket, in bytes.
const MAX_PATH_BYTES: usize = 107;
/// A host that does not answer a probe by then hangs.
const PROBE: Duration = Duration::from_secs(5);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    /// The path cannot be one.
    #[error("{path} cannot be a socket: {why}")]
    Unfit {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused.
    #[error("{path}: {what}: {source}")]
    Refused {
        /// The path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
}

/// Listens at `path`. Its folder is made, for this user alone, or has to be so already; a socket that an
/// earlier host left there is replaced. Must be called within a tokio runtime.
///
/// # Errors
/// The folder belongs to others too, something that is no socket is in the way, or the system refuses.
pub fn listen(path: &Path) -> Result<UnixListener, SocketFault> {
    let unfit = |why: &str| SocketFault::Unfit {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let refused = |what: &'static str| {
        move |source| SocketFault::Refused {
            path: path.to_owned(),
            what,
            source,
        }
    };
    if path.as_os_str().len() > MAX_PATH_BYTES {
        return Err(unfit(
            "the kernel takes at most 107 bytes; choose a shorter one",
        ));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .ok_or_else(|| unfit("name a folder and a file in it"))?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused("its folder cannot be made")(error)),
    }
    // Not followed: a link could point to a folder of somebody else's.
    let found = folder
        .symlink_metadata()
        .map_err(refused("its folder cannot be looked at"))?;
    if !found.is_dir() || found.uid() != own() || found.mode() & 0o077 != 0 {
        return Err(unfit(
            "its folder has to be a folder of this user's, closed to everybody else (mode 0700)",
        ));
    }
    match path.symlink_metadata() {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).map_err(refused("the socket of an earlier host stays"))?;
        }
        Ok(_) => return Err(unfit("something that is no socket is there")),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(refused("it cannot be made"))?;
    // Nobody else could reach it meanwhile: the folder is closed.
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
        .map_err(refused("it cannot be closed to others"))?;
    Ok(listener)
}

/// Whether a host answers at `path`: for the kubelet, which cannot ask a Unix socket.
///
/// # Errors
/// What is wrong.
pub async fn probe(path: &Path) -> Result<(), String> {
    let now = format!("{STATE_PATH}-");
    let asked = exchange::get(path, own(), &now, STATE_BYTES);
    match tokio::time::timeout(PROBE, asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err(format!("no answer within {} s", PROBE.as_secs())),
    }
}

/// This process's user.
pub(super) fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether the other end is a process of `owner`'s, as the kernel says (`SO_PEERCRED`).
pub(super) fn is_of(stream: &UnixStream, owner: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_for_its_user_alone_and_replaces_its_forerunner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host/host.sock");
        let first = listen(&path).unwrap();
        let mode = |path: &Path| path.symlink_metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(first);
        assert!(path.exists(), "a killed host leaves its socket");
        listen(&path).unwrap();
    }

    #[tokio::test]
    async fn what_is_not_safe_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o750)).unwrap();
        let closed = folder.path().join("closed");
        DirBuilder::new().mode(0o700).create(&closed).unwrap();
        std::os::unix::fs::symlink(&closed, folder.path().join("link")).unwrap();
        std::fs::write(closed.join("file"), "precious").unwrap();
        for (path, why) in [
            (open.join("s"), "mode 0700"),
            (folder.path().join("link/s"), "mode 0700"),
            (closed.join("file"), "no socket"),
            (closed.join("x".repeat(100)), "107 bytes"),
            (folder.path().join("none/deep/s"), "cannot be made"),
            (PathBuf::from("s"), "name a folder"),
        ] {
            let fault = listen(&path).unwrap_err().to_string();
            assert!(fault.contains(why), "{fault}");
        }
        assert_eq!(
            std::fs::read_to_string(closed.join("file")).unwrap(),
            "precious"
        );
    }
}
