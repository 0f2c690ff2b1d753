//! Faults that a test plans for one user, usually the agent.
//!
//! Write requests of a user are numbered from 1 in the order of their arrival, over all client
//! instances, so that "crash at write 7" means the same in every run of a seed. Events and Leases
//! are left out of the count unless asked for: their number depends on time, not on the story.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::resource::Resource;
use crate::model::Model;
use crate::server::Server;

/// What goes wrong with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client dies before the request leaves it.
    CrashBefore,
    /// The request is carried out; the client dies before the answer reaches it.
    CrashAfter,
    /// 409 although nothing changed; not carried out.
    Conflict,
    /// 503 although it was carried out.
    ServerErrorApplied,
    /// 503, not carried out.
    ServerErrorNotApplied,
    /// Carried out; after this time the answer is 504.
    TimeoutApplied(Duration),
    /// On its way for so long before it is carried out and answered, as on a slow network; all else
    /// goes on.
    Hold(Duration),
    /// The client is paused with this write on its way
    /// ([`AgentClient::pause`](crate::AgentClient::pause)).
    Pause,
}

impl Fault {
    /// Every fault of a write that one client meets by itself, for exhaustive runs. The timeout is the
    /// API server's own: 30 s.
    pub const ALL: [Self; 6] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Conflict,
        Self::ServerErrorApplied,
        Self::ServerErrorNotApplied,
        Self::TimeoutApplied(Duration::from_secs(30)),
    ];
}

/// How far a user's watches and lists can see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// The newest version.
    pub(crate) version: u64,
    /// When more will be seen although nothing new happens.
    pub(crate) wake: Option<Instant>,
}

/// The state of one watch stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Well,
    /// Open, and silent for ever.
    Wedged,
    /// Cut without an error.
    Closed,
    /// Ends with 410.
    Expired,
}

/// Faults of one user.
#[derive(Debug, Default)]
struct Plan {
    writes: u64,
    count_all: bool,
    at: BTreeMap<u64, Fault>,
    fired: Vec<(u64, Fault)>,
    latency: Option<RangeInclusive<Duration>>,
    watch_lag: Duration,
    lost: BTreeSet<u64>,
    events: u64,
    /// Streams opened before this number are in the condition beside it. A newer mark covers all
    /// streams of an older one, so one is enough.
    mark: Option<(u64, Condition)>,
    stale: Option<(u64, Instant)>,
}

/// Faults of all users.
#[derive(Debug, Default)]
pub(crate) struct FaultBook {
    users: BTreeMap<String, Plan>,
    watches: u64,
}

/// Whether events of a resource are part of a story's numbering.
fn counted(resource: Resource) -> bool {
    !matches!(
        resource,
        Resource::Leases | Resource::Events | Resource::CoreEvents
    )
}

impl FaultBook {
    /// Numbers a write and says what is to go wrong with it.
    pub(crate) fn number(
        &mut self,
        user: &str,
        resource: Resource,
    ) -> (Option<u64>, Option<Fault>) {
        let plan = self.users.entry(user.to_owned()).or_default();
        if !plan.count_all && !counted(resource) {
            return (None, None);
        }
        plan.writes += 1;
        let number = plan.writes;
        let fault = plan.at.remove(&number);
        if let Some(fault) = fault {
            plan.fired.push((number, fault));
        }
        (Some(number), fault)
    }

    pub(crate) fn latency(&self, user: &str) -> Option<RangeInclusive<Duration>> {
        self.users.get(user)?.latency.clone()
    }

    pub(crate) fn open_watch(&mut self) -> u64 {
        self.watches += 1;
        self.watches
    }

    pub(crate) fn condition(&self, user: &str, watch: u64) -> Condition {
        self.users
            .get(user)
            .and_then(|plan| plan.mark.filter(|(below, _)| watch < *below))
            .map_or(Condition::Well, |(_, condition)| condition)
    }

    /// Counts an event that a watch is about to send; true if it is to be lost.
    pub(crate) fn lose_event(&mut self, user: &str, resource: Resource) -> bool {
        let Some(plan) = self.users.get_mut(user) else {
            return false;
        };
        if !counted(resource) {
            return false;
        }
        plan.events += 1;
        plan.lost.contains(&plan.events)
    }
}

impl Model {
    /// What a user's lists and watches can see now.
    pub(crate) fn horizon(&self, user: &str, now: Instant) -> Horizon {
        let mut horizon = Horizon {
            version: self.store.version(),
            wake: None,
        };
        let Some(plan) = self.faults.users.get(user) else {
            return horizon;
        };
        if !plan.watch_lag.is_zero() {
            let (version, next) = self.store.seen_after(plan.watch_lag, now);
            horizon.version = version;
            horizon.wake = next;
        }
        if let Some((ceiling, until)) = plan.stale.filter(|(_, until)| *until > now) {
            horizon.version = horizon.version.min(ceiling);
            horizon.wake = Some(horizon.wake.map_or(until, |wake| wake.max(until)));
        }
        horizon
    }
}

/// The faults of one user; a handle of the cluster.
#[derive(Clone)]
pub struct Faults {
    server: Arc<Server>,
    user: String,
}

impl Faults {
    pub(crate) fn new(server: Arc<Server>, user: &str) -> Self {
        Self {
            server,
            user: user.to_owned(),
        }
    }

    fn plan<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        let mut model = self.server.lock();
        change(model.faults.users.entry(self.user.clone()).or_default())
    }

    /// Plans a fault for the user's write of this number (from 1).
    pub fn at(&self, write: u64, fault: Fault) {
        self.plan(|plan| plan.at.insert(write, fault));
    }

    /// How many writes have been numbered so far.
    pub fn writes(&self) -> u64 {
        self.plan(|plan| plan.writes)
    }

    /// The faults that have happened, with the number of their write.
    pub fn fired(&self) -> Vec<(u64, Fault)> {
        self.plan(|plan| plan.fired.clone())
    }

    /// Numbers Events and Leases too.
    pub fn count_events_and_leases(&self) {
        self.plan(|plan| plan.count_all = true);
    }

    /// Makes each request take this long, drawn from the seed, half before and half after it is
    /// carried out.
    pub fn latency(&self, range: RangeInclusive<Duration>) {
        self.plan(|plan| plan.latency = Some(range));
    }

    /// Delivers watch events this much later.
    pub fn watch_lag(&self, lag: Duration) {
        self.plan(|plan| plan.watch_lag = lag);
        self.server.lock().wake_watches();
    }

    /// Loses the watch event of this number (from 1, over all the user's watches from the first
    /// use of these faults on; initial states and bookmarks do not count).
    pub fn lose_event(&self, event: u64) {
        self.plan(|plan| plan.lost.insert(event));
    }

    /// How many watch events were sent or lost since the first use of these faults.
    pub fn events(&self) -> u64 {
        self.plan(|plan| plan.events)
    }

    /// Wedges the watches that are open now: no events, no error, no end.
    pub fn wedge_watches(&self) {
        self.mark(Condition::Wedged);
    }

    /// Cuts the watches that are open now, without an error.
    pub fn close_watches(&self) {
        self.mark(Condition::Closed);
    }

    /// Ends the watches that are open now with 410 Gone.
    pub fn expire_watches(&self) {
        self.mark(Condition::Expired);
    }

    fn mark(&self, condition: Condition) {
        let mut model = self.server.lock();
        let below = model.faults.watches + 1;
        let plan = model.faults.users.entry(self.user.clone()).or_default();
        plan.mark = Some((below, condition));
        model.wake_watches();
    }

    /// From now on and for this long, lists and watches show the cluster as it was this many
    /// changes ago; single reads stay live, as they are on a real server with a stale cache.
    pub fn stale(&self, changes: u64, duration: Duration) {
        let mut model = self.server.lock();
        let ceiling = model.store.version_before(changes);
        let plan = model.faults.users.entry(self.user.clone()).or_default();
        plan.stale = Some((ceiling, Instant::now() + duration));
    }

    /// Forgets the planned faults and conditions; numbers go on.
    pub fn clear(&self) {
        self.plan(|plan| {
            plan.at.clear();
            plan.lost.clear();
            plan.mark = None;
            plan.latency = None;
            plan.watch_lag = Duration::ZERO;
            plan.stale = None;
        });
        self.server.lock().wake_watches();
    }
}
