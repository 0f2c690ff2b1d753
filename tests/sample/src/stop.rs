//! SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};

use crate::{Error, Result};

/// Ends when the process is told to stop. The handlers are there when this returns: the first
/// process of a container ignores signals that it has no handler for.
pub fn terminated() -> Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut int = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
