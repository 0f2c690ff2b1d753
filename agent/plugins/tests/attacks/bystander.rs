//! What an attack does to the others: one other plugin is called all the time, by a thread of its
//! own, and how long each call takes is written down.
//!
//! The machine that runs this has two cores and other work. So the times alone and under attack are
//! taken in short phases that alternate: whatever else goes on strikes both. A phase is judged by its
//! p99, all phases of a kind by the median of theirs, so that one bad moment of the machine decides
//! nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_core::plugin::Outcome;
use sluice_plugins::Host;

use crate::support::{invocation, smoke};

/// Calls of one phase that make a p99: the hundredth part is then at least one call.
const FEWEST_CALLS: usize = 100;
/// Longest phase, where the machine is so slow that the calls do not come together.
const LONGEST_PHASE: Duration = Duration::from_secs(5);

/// Calls the plugin `bystander` until it is dropped.
pub(crate) struct Bystander {
    calls: Arc<Mutex<Vec<Duration>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    pub(crate) fn start(host: &Host) -> Bystander {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (host, taken, end) = (host.clone(), calls.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let nobody = ["http://127.0.0.1:9".to_owned()];
            while !end.load(Ordering::Relaxed) {
                let call = invocation(json!({}), &nobody);
                let begun = Instant::now();
                let report = runtime.block_on(smoke(&host, "bystander", call));
                let took = begun.elapsed();
                assert_eq!(report.unwrap().outcome, Outcome::Pass);
                taken.lock().unwrap().push(took);
            }
        });
        Bystander {
            calls,
            over,
            thread: Some(thread),
        }
    }

    /// The p99 of the calls that end within this phase; longer where there are too few of them.
    pub(crate) async fn phase(&self, length: Duration) -> Duration {
        self.calls.lock().unwrap().clear();
        let begun = Instant::now();
        loop {
            tokio::time::sleep(length).await;
            let enough = self.calls.lock().unwrap().len() >= FEWEST_CALLS;
            if enough || begun.elapsed() > LONGEST_PHASE {
                return p99(std::mem::take(&mut *self.calls.lock().unwrap()));
            }
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "a call of the bystander failed"
            );
        }
    }
}

fn p99(mut calls: Vec<Duration>) -> Duration {
    assert!(!calls.is_empty(), "the bystander was not served at all");
    calls.sort();
    calls[(calls.len() * 99).div_ceil(100) - 1]
}

/// The one in the middle.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_p99_leaves_out_the_worst_hundredth() {
    let ms = Duration::from_millis;
    assert_eq!(p99((1..=200).map(ms).collect()), ms(198));
    assert_eq!(p99(vec![ms(7)]), ms(7));
    assert_eq!(median(vec![ms(9), ms(1), ms(5)]), ms(5));
}
