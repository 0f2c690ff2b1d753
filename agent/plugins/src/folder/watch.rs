//! Follows the folder: events wake the reader on their trailing edge, what a registry sent does, too,
//! and a poll is the backstop.

use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::host::Host;

/// Quiet time after the last event before the folder is read: the trailing edge, for the leading one
/// reads the old file and swallows the event.
const QUIET: Duration = Duration::from_millis(300);
/// Longest time that a stream of events can put off reading.
const PATIENCE: Duration = Duration::from_secs(5);
/// The folder is read this often without any event: some file systems send none.
const POLL: Duration = Duration::from_secs(30);

/// Watches the folder while it lives.
pub struct PluginFolder {
    _watcher: Option<RecommendedWatcher>,
    _task: AbortOnDropHandle<()>,
}

impl Host {
    /// Follows the folder until the answer is dropped. Must be called within a tokio runtime.
    pub fn watch(&self) -> PluginFolder {
        let (wake, mut woken) = mpsc::channel::<()>(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.as_ref().map_or(true, is_change) {
                // Full means that a wake-up is waiting already.
                let _ = wake.try_send(());
            }
        })
        .and_then(|mut watcher| {
            for folder in self.inner.folder.all() {
                watcher.watch(folder, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher = watcher
            .inspect_err(|error| {
                tracing::warn!(%error, "the plugins folder cannot be watched; it is polled instead");
            })
            .ok();
        let host = self.clone();
        let mut news = self.inner.fetcher.news();
        // What was learned since the folder was read for the first time.
        if *news.borrow() > 0 {
            news.mark_changed();
        }
        let task = tokio::spawn(async move {
            loop {
                let asleep = tokio::time::sleep(POLL);
                tokio::select! {
                    // Without a watcher nothing comes here; the poll is left.
                    Some(()) = woken.recv() => {}
                    Ok(()) = news.changed() => {}
                    () = asleep => {}
                }
                let patience = tokio::time::Instant::now() + PATIENCE;
                while let Ok(Some(())) = tokio::time::timeout(QUIET, woken.recv()).await {
                    if tokio::time::Instant::now() >= patience {
                        break;
                    }
                }
                let _ = host.reload().await;
            }
        });
        PluginFolder {
            _watcher: watcher,
            _task: AbortOnDropHandle::new(task),
        }
    }
}

/// Whether an event can mean other contents. Opening and reading a file is an event too, and reading
/// the folder must not wake its own reader.
fn is_change(event: &notify::Event) -> bool {
    use notify::EventKind;
    use notify::event::{AccessKind, AccessMode};
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, AccessMode, CreateKind, RemoveKind};
    use notify::{Event, EventKind};

    use std::sync::Arc;

    use super::*;
    use crate::host::HostOptions;

    #[test]
    fn reading_is_no_change_and_writing_is() {
        let change = |kind| is_change(&Event::new(kind));
        assert!(!change(EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
        assert!(!change(EventKind::Access(AccessKind::Close(
            AccessMode::Read
        ))));
        assert!(change(EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))));
        assert!(change(EventKind::Create(CreateKind::File)));
        assert!(change(EventKind::Remove(RemoveKind::File)));
        assert!(change(EventKind::Any));
    }

    #[tokio::test]
    async fn reading_the_folder_does_not_wake_its_reader() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.wasm"), "not a plugin").unwrap();
        let host = Host::open(folder.path(), HostOptions::default())
            .await
            .unwrap();
        let _watch = host.watch();
        host.reload().await;
        let before = host.catalog_now();
        // Longer than the quiet time after an event, much shorter than the poll.
        tokio::time::sleep(QUIET * 4).await;
        assert!(Arc::ptr_eq(&before, &host.catalog_now()));
    }
}
