//! Guests run on threads of their own, one for each live call, so that a loop in a plugin holds up
//! neither the agent's tasks nor another plugin's call.
//!
//! A thread that computed for longer than a tick falls to a low priority, and so does a plugin
//! that does it again and again ([`super::standing`]): whoever waits for little goes first. Raising
//! one's own niceness needs no privilege, lowering it does; so a thread that fell stays among the
//! slow ones.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Threads that wait for work in each lane. More are started as calls come, and end with them: the
/// usual load is a few calls at a time.
const WARM: usize = 4;
/// Threads for blocking work (names, files of secrets) beside one guest. It waits for one at a time.
const BLOCKING: usize = 2;

/// The niceness of slow threads: a tenth of a share against the agent's own, so that they wait for
/// whoever has little to do and still get on where the machine is always busy.
#[cfg(target_os = "linux")]
const SLOW: i32 = 10;

/// What a thread does: makes its future there and runs it to its end.
type Job = Box<dyn FnOnce(Here) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A job and the way back to the thread that does it. The thread keeps none while it waits, so that
/// it ends when the pool does.
struct Work {
    job: Job,
    again: Sender<Work>,
}

/// How urgent a call is to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// As the agent itself.
    Quick,
    /// After everything else.
    Slow,
}

/// The thread of a call, as the call sees it.
#[derive(Clone)]
pub(crate) struct Here {
    fallen: Arc<AtomicBool>,
    begun: Duration,
}

impl Here {
    /// CPU time that this call has used. Only on its own thread.
    pub(crate) fn cpu(&self) -> Duration {
        thread_cpu().saturating_sub(self.begun)
    }

    /// Lets everything else go first, from now on and for the rest of the thread's life.
    pub(crate) fn fall(&self) {
        if !self.fallen.swap(true, Ordering::Relaxed) {
            yield_to_others();
        }
    }
}

/// The threads of one host.
#[derive(Clone, Default)]
pub(crate) struct Threads(Arc<Mutex<Idle>>);

#[derive(Default)]
struct Idle {
    quick: Vec<Sender<Work>>,
    slow: Vec<Sender<Work>>,
}

impl Idle {
    fn of(&mut self, lane: Lane) -> &mut Vec<Sender<Work>> {
        match lane {
            Lane::Quick => &mut self.quick,
            Lane::Slow => &mut self.slow,
        }
    }
}

impl Threads {
    /// Runs what `make` makes, on a thread of that lane. How many run at once is bounded by whoever
    /// calls. A panic within ends that thread alone.
    ///
    /// # Errors
    /// The machine gives no further thread.
    pub(crate) fn run<F, M>(&self, lane: Lane, make: M) -> std::io::Result<()>
    where
        F: Future<Output = ()> + 'static,
        M: FnOnce(Here) -> F + Send + 'static,
    {
        let mut job: Job = Box::new(move |here| Box::pin(make(here)));
        loop {
            let waiting = self.lock().of(lane).pop();
            let Some(thread) = waiting else {
                break;
            };
            let again = thread.clone();
            // One that ended by a panic gives the job back.
            match thread.send(Work { job, again }) {
                Ok(()) => return Ok(()),
                Err(refused) => job = refused.0.job,
            }
        }
        let (again, works) = channel();
        let pool = Arc::downgrade(&self.0);
        std::thread::Builder::new()
            .name("plugin-call".to_owned())
            .spawn(move || live(Work { job, again }, lane, &pool, &works))
            .map(drop)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's life: one job after the other, until nobody needs it.
fn live(first: Work, lane: Lane, pool: &Weak<Mutex<Idle>>, works: &Receiver<Work>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // The job is dropped, and whoever waits for it sees that.
            tracing::error!(target: "sluice::plugin", %error, "no runtime for a plugin's thread");
            return;
        }
    };
    let fallen = Arc::new(AtomicBool::new(false));
    let here = || Here {
        fallen: fallen.clone(),
        begun: thread_cpu(),
    };
    if lane == Lane::Slow {
        here().fall();
    }
    let mut next = Some(first);
    while let Some(Work { job, again }) = next {
        runtime.block_on(job(here()));
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let lane = match fallen.load(Ordering::Relaxed) {
            true => Lane::Slow,
            false => Lane::Quick,
        };
        {
            let mut idle = pool.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = idle.of(lane);
            if waiting.len() >= WARM {
                return;
            }
            waiting.push(again);
        }
        drop(pool);
        next = works.recv().ok();
    }
}

/// CPU time of this thread since it began.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// On Linux the priority is the thread's own; elsewhere it would be the whole process's.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, SLOW) {
        tracing::debug!(target: "sluice::plugin", %error, "a thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::sync::oneshot;

    use super::*;

    /// The id of the thread that a job ran on, and whether it had fallen before.
    async fn ran(threads: &Threads, lane: Lane, fall: bool) -> (std::thread::ThreadId, bool) {
        let (tell, told) = oneshot::channel();
        threads
            .run(lane, move |here| async move {
                let fallen = here.fallen.load(Ordering::Relaxed);
                if fall {
                    here.fall();
                }
                tell.send((std::thread::current().id(), fallen)).unwrap();
            })
            .unwrap();
        told.await.unwrap()
    }

    /// Until so many threads wait.
    async fn wait_for(threads: &Threads, lane: Lane, count: usize) {
        let begun = Instant::now();
        while threads.lock().of(lane).len() != count {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "no thread came back"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_thread_is_used_again_and_one_that_fell_stays_among_the_slow() {
        let threads = Threads::default();
        let (first, fallen) = ran(&threads, Lane::Quick, false).await;
        assert!(!fallen && first != std::thread::current().id());
        wait_for(&threads, Lane::Quick, 1).await;
        assert_eq!(ran(&threads, Lane::Quick, true).await, (first, false));
        wait_for(&threads, Lane::Slow, 1).await;
        assert_ne!(ran(&threads, Lane::Quick, false).await.0, first);
        assert_eq!(ran(&threads, Lane::Slow, false).await, (first, true));
    }

    #[tokio::test]
    async fn a_panic_ends_one_job_and_the_next_gets_another_thread() {
        let threads = Threads::default();
        let (tell, told) = oneshot::channel::<()>();
        threads
            .run(Lane::Quick, |_| async move {
                let _tell = tell;
                panic!("on purpose");
            })
            .unwrap();
        assert!(told.await.is_err());
        assert!(!ran(&threads, Lane::Quick, false).await.1);
    }

    #[tokio::test]
    async fn threads_end_with_their_pool() {
        let threads = Threads::default();
        ran(&threads, Lane::Quick, false).await;
        wait_for(&threads, Lane::Quick, 1).await;
        let waiting = threads.lock().of(Lane::Quick).first().cloned().unwrap();
        drop(threads);
        let begun = Instant::now();
        // Its end closes the channel. The clone here would keep a thread alive that held on to it.
        let refused = || {
            let (again, _) = channel();
            let job: Job = Box::new(|_| Box::pin(async {}));
            waiting.send(Work { job, again }).is_err()
        };
        while !refused() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "the thread lives on"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[tokio::test]
    async fn the_time_of_a_thread_is_its_own() {
        let threads = Threads::default();
        let (tell, told) = oneshot::channel();
        threads
            .run(Lane::Quick, |here| async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                let slept = here.cpu();
                while here.cpu() < slept + Duration::from_millis(5) {
                    std::hint::spin_loop();
                }
                tell.send(slept).unwrap();
            })
            .unwrap();
        assert!(told.await.unwrap() < Duration::from_millis(30));
    }
}
