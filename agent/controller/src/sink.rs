//! Ended Rollouts as JSON lines in a file: one document a line, appended and flushed to disk.

use std::path::PathBuf;

use sluice_core::port::{BoxFuture, RecordSink};
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// Appends to one file. At least once: after a crash the same record can stand there twice; its `uid`
/// tells them apart.
pub struct JsonLinesSink {
    path: PathBuf,
    one_at_a_time: Mutex<()>,
}

impl JsonLinesSink {
    /// A sink that appends to `path` and creates it if it is not there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            one_at_a_time: Mutex::new(()),
        }
    }
}

impl RecordSink for JsonLinesSink {
    fn store<'a>(&'a self, _id: &'a str, record: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let _turn = self.one_at_a_time.lock().await;
            let write = async {
                let mut file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.path)
                    .await?;
                file.write_all(format!("{record}\n").as_bytes()).await?;
                file.sync_data().await
            };
            write
                .await
                .map_err(|e| format!("cannot append to {}: {e}", self.path.display()))
        })
    }
}
