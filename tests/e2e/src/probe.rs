//! Which version answers, moment by moment: a fresh connection every few milliseconds.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(40);
/// After a switch no other version may answer for so long.
const STAYS: SignedDuration = SignedDuration::from_secs(2);

/// A probe under way. It ends when it is dropped.
pub(crate) struct Probe {
    seen: Arc<Mutex<Vec<(Timestamp, String)>>>,
    task: JoinHandle<()>,
}

impl Probe {
    pub(crate) fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(5))
            .no_proxy()
            .build()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                let begun = Timestamp::now();
                let answer = client.get(format!("http://{address}/")).send().await;
                let version = answer.ok().and_then(|r| {
                    let header = r.headers().get("x-version")?;
                    header.to_str().ok().map(str::to_owned)
                });
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((begun, version.unwrap_or_default()));
                tokio::time::sleep(EVERY).await;
            }
        });
        Ok(Self { seen, task })
    }

    /// How long after `decided` the first request was sent from which on only `version` answered; none
    /// where that did not come, or is not sure yet.
    pub(crate) fn switched(&self, decided: Timestamp, version: &str) -> Option<SignedDuration> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let after: Vec<&(Timestamp, String)> =
            seen.iter().filter(|(at, _)| *at >= decided).collect();
        let from = after
            .iter()
            .rposition(|(_, v)| v != version)
            .map_or(0, |i| i + 1);
        let (first, _) = after.get(from)?;
        let (last, _) = after.last()?;
        (last.duration_since(*first) >= STAYS).then(|| first.duration_since(decided))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
