//! Questions that run beside the loop: plugins, notifiers, the record sink. Their answers wait here as
//! facts until a commit has stored them. A crash forgets both; the journal asks again.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluice_core::rollout::Fact;
use tokio::task::JoinSet;

use crate::queue::{Key, Queue};
use crate::rollout::AskPace;

/// Facts of one Rollout that wait to be stored. More cannot come up: one per open question.
const FACT_LIMIT: usize = 256;

#[derive(Default)]
struct Inner {
    /// Questions that run or whose answer waits, by Rollout.
    open: HashMap<String, HashSet<String>>,
    facts: HashMap<String, Vec<(String, Fact)>>,
    tasks: JoinSet<()>,
}

/// All open questions of one agent. Dropping it aborts them.
#[derive(Default)]
pub(crate) struct Calls {
    /// When approval providers were asked last.
    pub(crate) providers: AskPace,
    inner: Arc<Mutex<Inner>>,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Asks, unless the same question is open already. The answer wakes `key`.
    pub(crate) fn start(
        &self,
        rollout_uid: &str,
        id: &str,
        queue: &Arc<Queue>,
        key: &Key,
        ask: impl Future<Output = Fact> + Send + 'static,
    ) {
        let mut inner = self.lock();
        while inner.tasks.try_join_next().is_some() {}
        if !inner
            .open
            .entry(rollout_uid.to_owned())
            .or_default()
            .insert(id.to_owned())
        {
            return;
        }
        let (queue, key) = (Arc::clone(queue), key.clone());
        let (uid, id) = (rollout_uid.to_owned(), id.to_owned());
        // A weak hold: the tasks live inside what they report to.
        let home = Arc::downgrade(&self.inner);
        inner.tasks.spawn(async move {
            let fact = ask.await;
            if let Some(home) = home.upgrade() {
                let mut inner = lock(&home);
                let facts = inner.facts.entry(uid).or_default();
                if facts.len() < FACT_LIMIT {
                    facts.push((id, fact));
                }
            }
            queue.now(key);
        });
    }

    /// Facts that wait to be stored, oldest first.
    pub(crate) fn facts(&self, rollout_uid: &str) -> Vec<(String, Fact)> {
        self.lock()
            .facts
            .get(rollout_uid)
            .cloned()
            .unwrap_or_default()
    }

    /// These facts are stored: their questions may be asked again, if the journal wants to.
    pub(crate) fn stored(&self, rollout_uid: &str, facts: &[(String, Fact)]) {
        if facts.is_empty() {
            return;
        }
        let mut inner = self.lock();
        if let Some(waiting) = inner.facts.get_mut(rollout_uid) {
            waiting.retain(|(id, _)| !facts.iter().any(|(done, _)| done == id));
            if waiting.is_empty() {
                inner.facts.remove(rollout_uid);
            }
        }
        if let Some(open) = inner.open.get_mut(rollout_uid) {
            for (id, _) in facts {
                open.remove(id);
            }
            if open.is_empty() {
                inner.open.remove(rollout_uid);
            }
        }
    }

    /// The Rollout is gone: so are its questions.
    pub(crate) fn forget(&self, rollout_uid: &str) {
        let mut inner = self.lock();
        inner.open.remove(rollout_uid);
        inner.facts.remove(rollout_uid);
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
