//! Leading: one process of several works, and says with every write which one it is.
//!
//! The decisions are `core::lease`'s; here are the calls, their time limits and the clock. What is
//! written between two renewals is allowed by [`Tenure`], which every write asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use sluice_cluster::fault::ClusterFault;
use sluice_cluster::lease::{self, LeaseName};
use sluice_cluster::writer::Fence;
use sluice_core::lease::{Candidacy, Record, Step, Term, Timing};
use sluice_core::port::Clock;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Longest time that giving the Lease back may take: the next one takes it anyway when it lapses.
const RESIGN_LIMIT: Duration = Duration::from_secs(2);

/// Which Lease, and by which name this process holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// The Lease.
    pub at: LeaseName,
    /// A name that no other process has, nor the next one in the same pod.
    pub identity: String,
    /// How long it lasts.
    pub timing: Timing,
}

#[derive(Default)]
struct Held {
    term: Option<Term>,
    record: Option<Record>,
}

/// The time in which this process may write.
pub(crate) struct Tenure {
    start: Instant,
    held: Mutex<Held>,
}

impl Tenure {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            held: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds of the monotonic clock, which goes on while the process is stopped.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A newer leader was met: no further write.
    pub(crate) fn end(&self) {
        self.lock().term = None;
    }
}

impl Fence for Tenure {
    fn epoch(&self) -> Option<u64> {
        let now = self.now_ms();
        self.lock()
            .term
            .filter(|t| now < t.until_ms)
            .map(|t| t.epoch)
    }
}

/// Takes and keeps the Lease, as long as it can. Ends with the reason why this process must end.
pub(crate) async fn campaign(
    client: Client,
    config: LeaseConfig,
    tenure: Arc<Tenure>,
    clock: Arc<dyn Clock>,
    floor: impl Fn() -> u64 + Send,
    leads: watch::Sender<bool>,
) -> String {
    let mut candidacy = Candidacy::new(&config.identity, config.timing);
    // Two answers that do not come fit into the renew deadline.
    let limit = Duration::from_millis(config.timing.retry_ms() * 2);
    loop {
        // What this process wrote last needs no reading: if it is not there any more, the write says so.
        let known = tenure.lock().record.take();
        let found = match known {
            Some(record) => Ok(Some(record)),
            None => call("read", limit, lease::read(&client, &config.at)).await,
        };
        match found {
            Ok(found) => {
                let step = candidacy.next(found.as_ref(), floor(), tenure.now_ms());
                if step == Step::StepDown {
                    tenure.end();
                    return format!("the Lease {} is another's", config.at.name);
                }
                if let Some((epoch, version)) = wanted(&step) {
                    let sent = tenure.now_ms();
                    let write = lease::write(
                        &client,
                        &config.at,
                        &config.identity,
                        config.timing,
                        epoch,
                        version,
                        clock.now(),
                    );
                    if let Ok(record) = call("write", limit, write).await {
                        let first = candidacy.term(sent).is_none();
                        let term = candidacy.written(epoch, sent);
                        *tenure.lock() = Held {
                            term: Some(term),
                            record: Some(record),
                        };
                        if first {
                            tracing::info!(epoch, identity = config.identity, "this agent leads");
                            leads.send_replace(true);
                        }
                    }
                }
            }
            Err(()) if *leads.borrow() && candidacy.term(tenure.now_ms()).is_none() => {
                tenure.end();
                return format!("the Lease {} could not be renewed in time", config.at.name);
            }
            Err(()) => {}
        }
        if *leads.borrow() && tenure.epoch().is_none() {
            return "a newer leader has written".to_owned();
        }
        sleep(Duration::from_millis(config.timing.retry_ms())).await;
    }
}

fn wanted(step: &Step) -> Option<(u64, Option<&str>)> {
    match step {
        Step::Create { epoch } => Some((*epoch, None)),
        Step::Take {
            epoch,
            resource_version,
        }
        | Step::Renew {
            epoch,
            resource_version,
        } => Some((*epoch, Some(resource_version))),
        Step::Wait | Step::StepDown => None,
    }
}

/// One call with its limit. What went wrong is logged here; the next look says what it means.
async fn call<T>(
    verb: &str,
    limit: Duration,
    answer: impl Future<Output = Result<T, ClusterFault>>,
) -> Result<T, ()> {
    match timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        // Somebody was faster.
        Ok(Err(ClusterFault::Conflict { .. })) => Err(()),
        Ok(Err(fault)) => {
            tracing::warn!(verb, error = %crate::rollout::chain(&fault), "no Lease; looks again");
            Err(())
        }
        Err(_) => {
            tracing::warn!(verb, ms = limit.as_millis(), "no answer about the Lease");
            Err(())
        }
    }
}

/// Gives the Lease back at an orderly end, so that the next agent need not wait for it to lapse.
pub struct Resignation {
    pub(crate) client: Client,
    pub(crate) config: LeaseConfig,
    pub(crate) tenure: Arc<Tenure>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Resignation {
    /// Gives it back, if it is held. Call it when no further write can be sent.
    pub async fn hand_in(self) {
        let held = std::mem::take(&mut *self.tenure.lock());
        let (Some(term), Some(record)) = (held.term, held.record) else {
            return;
        };
        let version = Some(record.resource_version.as_str());
        let at = &self.config.at;
        let write = lease::write(
            &self.client,
            at,
            "",
            self.config.timing,
            term.epoch,
            version,
            self.clock.now(),
        );
        match timeout(RESIGN_LIMIT, write).await {
            Ok(Ok(_)) => tracing::info!("gave the Lease back"),
            Ok(Err(fault)) => tracing::warn!(%fault, "the Lease lapses by itself"),
            Err(_) => tracing::warn!("no answer in time: the Lease lapses by itself"),
        }
    }
}
