//! The policy file, kept current while the agent runs.
//!
//! The folder is watched, because a ConfigMap volume swaps a link beside the file; events are waited
//! out (the first one shows the old file); and the file is read once a minute without any event, for
//! some file systems send none. A file that is broken or gone leaves the last good policy in force.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use sluice_core::hash::sha256_hex;
use sluice_core::policy::Policy;
use sluice_core::port::Clock as _;
use sluice_core::problem::Problem;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::WallClock;

/// Largest policy file, in bytes: a ConfigMap cannot hold more.
pub const MAX_BYTES: u64 = 1 << 20;

/// When the file is read again.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    /// Quiet time after the last event.
    quiet: Duration,
    /// Longest time that a stream of events can put off reading.
    patience: Duration,
    /// Time between two reads without any event.
    poll: Duration,
}

const RHYTHM: Rhythm = Rhythm {
    quiet: Duration::from_millis(300),
    patience: Duration::from_secs(5),
    poll: Duration::from_secs(60),
};

/// Follows one policy file while it lives.
pub struct PolicyFile {
    policy: watch::Receiver<Arc<Policy>>,
    _watcher: Option<RecommendedWatcher>,
    _task: AbortOnDropHandle<()>,
}

impl PolicyFile {
    /// Reads the file now and follows it. No file: [`Policy::absent`]; a broken one:
    /// [`Policy::unreadable`]; both close every environment. Must be called within a tokio runtime.
    pub fn follow(path: impl Into<PathBuf>) -> Self {
        Self::with_rhythm(path.into(), RHYTHM)
    }

    fn with_rhythm(path: PathBuf, rhythm: Rhythm) -> Self {
        let (wake, woken) = mpsc::channel::<()>(1);
        // Before the first read: a change between the two is then seen twice, not never.
        let watcher = notify::recommended_watcher(move |_event| {
            // Full means that a wake-up is waiting already.
            let _ = wake.try_send(());
        })
        .and_then(|mut watcher| {
            watcher.watch(folder(&path), RecursiveMode::NonRecursive)?;
            Ok(watcher)
        })
        .inspect_err(|error| {
            tracing::warn!(
                path = %path.display(), %error,
                "the folder of the policy file cannot be watched; the file is read once a minute"
            );
        })
        .ok();
        let mut state = Kept::default();
        let first = state.take(&path, read(&path), WallClock.now());
        let (sender, policy) = watch::channel(Arc::new(first.unwrap_or_default()));
        let task = tokio::spawn(keep(path, rhythm, woken, state, sender));
        Self {
            policy,
            _watcher: watcher,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The policy in force, and every one after it.
    pub fn policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.policy.clone()
    }
}

/// The folder to watch.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

async fn keep(
    path: PathBuf,
    rhythm: Rhythm,
    mut woken: mpsc::Receiver<()>,
    mut state: Kept,
    sender: watch::Sender<Arc<Policy>>,
) {
    loop {
        match tokio::time::timeout(rhythm.poll, woken.recv()).await {
            Ok(Some(())) | Err(_) => {}
            // No watcher: the poll alone.
            Ok(None) => tokio::time::sleep(rhythm.poll).await,
        }
        let patience = Instant::now() + rhythm.patience;
        while let Ok(Some(())) = tokio::time::timeout(rhythm.quiet, woken.recv()).await {
            if Instant::now() >= patience {
                break;
            }
        }
        let from = path.clone();
        let Ok(text) = tokio::task::spawn_blocking(move || read(&from)).await else {
            continue;
        };
        if let Some(policy) = state.take(&path, text, WallClock.now()) {
            sender.send_replace(Arc::new(policy));
        }
    }
}

/// What is known of the file.
#[derive(Default)]
struct Kept {
    /// Digest of the last content, or the word of the last error: the same again is no news.
    last: Option<String>,
    /// The last good policy. Only a good one replaces it.
    good: Option<Policy>,
}

impl Kept {
    /// The policy to put in force, if this content changes it. Logs every problem once.
    fn take(&mut self, path: &Path, text: io::Result<String>, now: Timestamp) -> Option<Policy> {
        let identity = match &text {
            Ok(text) => sha256_hex(text.as_bytes()),
            Err(error) => error.to_string(),
        };
        if self.last.as_ref() == Some(&identity) {
            return None;
        }
        self.last = Some(identity.clone());
        let place = path.display();
        let text = match text {
            Ok(text) => text,
            Err(error) if self.good.is_some() => {
                tracing::error!(
                    path = %place, %error,
                    "the policy file cannot be read; the last good policy stays in force. Put the \
                     file back"
                );
                return self.kept(&[Problem::new("", error.to_string())], now);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::warn!(
                    path = %place,
                    "there is no policy file: every environment is closed until there is one"
                );
                return Some(Policy::absent());
            }
            Err(error) => {
                tracing::error!(
                    path = %place, %error,
                    "the policy file cannot be read: every environment is closed"
                );
                return Some(Policy::unreadable(vec![Problem::new(
                    "",
                    error.to_string(),
                )]));
            }
        };
        match Policy::parse(&text) {
            Ok(policy) => {
                self.good = Some(policy.clone());
                tracing::info!(
                    path = %place,
                    digest = identity,
                    environments = policy.environments.len(),
                    "the policy is in force"
                );
                Some(policy)
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!(path = %place, "policy: {problem}");
                }
                tracing::error!(
                    path = %place,
                    problems = problems.len(),
                    "the policy file is not valid; {}. `sluice policy check` shows all problems",
                    if self.good.is_some() {
                        "the last good policy stays in force"
                    } else {
                        "every environment is closed"
                    }
                );
                let kept = self.kept(&problems, now);
                Some(kept.unwrap_or_else(|| Policy::unreadable(problems)))
            }
        }
    }

    /// The last good policy, which says from now on that the file says something else.
    fn kept(&self, problems: &[Problem], now: Timestamp) -> Option<Policy> {
        let good = self.good.clone()?;
        Some(good.kept_since(now, problems))
    }
}

/// The text of a policy file.
///
/// # Errors
/// It cannot be read, is longer than [`MAX_BYTES`], or is not UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        let message = format!("it is longer than {MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
