//! The plugin host as a child of the agent: started, started again when it ends, and ended with it.
//!
//! This keeps a plugin's crash, its memory and its threads out of the agent. It does not keep secrets
//! from a guest that breaks out: the child is the same user. In a cluster the host is a container of its
//! own instead, without the pod's token.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::args::PluginHostArgs;

/// First and longest rest before it is started again.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];
/// A host that lived for so long is started again at once.
const STABLE: Duration = Duration::from_secs(60);
/// What a host needs of the environment: the way to registries, certificates of one's own, a place for
/// files. Nothing that leads to a cluster, and nobody's credentials.
const ENVIRONMENT: [&str; 12] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "RUST_BACKTRACE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct ChildFault {
    what: String,
    source: std::io::Error,
}

/// A plugin host that runs for as long as this value lives.
pub(crate) struct HostChild {
    socket: PathBuf,
    _folder: TempDir,
    _keeper: AbortOnDropHandle<()>,
}

impl HostChild {
    /// Starts `program` as a plugin host with these arguments, but for the socket, which it chooses, and a
    /// cache, if there is none. Must be called within a tokio runtime.
    pub(crate) fn start(program: &Path, mut args: PluginHostArgs) -> Result<HostChild, ChildFault> {
        let folder = tempfile::Builder::new()
            .prefix("sluice-host-")
            .tempdir()
            .map_err(|source| ChildFault {
                what: "there is no folder for the plugin host's socket".to_owned(),
                source,
            })?;
        args.socket = folder.path().join("host/host.sock");
        args.cache
            .get_or_insert_with(|| folder.path().join("cache"));
        args.with_parent = true;
        let start = Start {
            program: program.to_owned(),
            args,
        };
        let first = start.spawn().map_err(|source| ChildFault {
            what: format!("{} does not start as a plugin host", program.display()),
            source,
        })?;
        Ok(HostChild {
            socket: start.args.socket.clone(),
            _folder: folder,
            _keeper: AbortOnDropHandle::new(tokio::spawn(keep(start, first))),
        })
    }

    /// Where it listens, once it does.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

struct Start {
    program: PathBuf,
    args: PluginHostArgs,
}

impl Start {
    fn spawn(&self) -> std::io::Result<Child> {
        let kept = |name: &str| Some((name.to_owned(), std::env::var_os(name)?));
        Command::new(&self.program)
            .args(self.args.command_line())
            .env_clear()
            .envs(ENVIRONMENT.iter().copied().filter_map(kept))
            // Never written to: that it closes tells the child that its parent is gone, however.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Starts it again whenever it ends.
async fn keep(start: Start, first: Child) {
    let [shortest, longest] = BACK_OFF;
    let mut rest = shortest;
    let mut next: std::io::Result<Child> = Ok(first);
    loop {
        let since = Instant::now();
        let ended = match next {
            Ok(child) => ended(child)
                .await
                .map_or_else(|e| e.to_string(), |s| s.to_string()),
            Err(error) => error.to_string(),
        };
        if since.elapsed() > STABLE {
            rest = shortest;
        }
        tracing::warn!(
            ended,
            again_in_ms = rest.as_millis(),
            "the plugin host ended"
        );
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(longest);
        next = start.spawn();
    }
}

/// Waits for the end. Waiting on a child closes its standard input, so that end is kept apart.
async fn ended(mut child: Child) -> std::io::Result<ExitStatus> {
    let _held = child.stdin.take();
    child.wait().await
}
