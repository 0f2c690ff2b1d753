//! Two agents and one Lease: the leader is stopped with a write on its way, the other one takes over,
//! and then the first wakes up (reliability.md P4).

use std::cell::RefCell;
use std::time::Duration;

use sluice_controller::AgentError;
use sluice_core::policy::Policy;
use sluice_sim::{AgentClient, Fault, Resource, WriteRecord};
use tokio::sync::Notify;

use crate::crew::Crew;
use crate::life::{Life, Process};
use crate::oracle::{FinalState, final_state};
use crate::stage::Stage;
use crate::story::{Story, quiet, sound, stuck, to_its_end};

/// The second agent starts so much later, so that it is known who leads.
const LATER: Duration = Duration::from_secs(1);
/// A Lease lapses in this time, and the next leader has looked at everything.
const LAPSES: Duration = Duration::from_secs(30);
/// From the wake-up of the first agent until what it had in hand has arrived and was seen.
const ARRIVES: Duration = Duration::from_secs(60);

/// When the stopped leader goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// When the story is over.
    AtTheEnd,
    /// After this time, while the next leader is at work.
    After(Duration),
    /// While the next leader holds everything, because the policy was closed meanwhile: it repeats
    /// nothing that the old one had begun, so nothing but the epoch refuses the write that comes late.
    /// The policy opens again afterwards.
    WhileClosed,
}

/// What happens to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// It is stopped with its write of this number on the way, and goes on later.
    Pause(u64, Wake),
    /// It dies before its write of this number leaves it.
    CrashBefore(u64),
    /// It dies when its write of this number has been carried out.
    CrashAfter(u64),
}

/// Two agents on one stage, each in its process.
pub struct Pair {
    /// Leads at first.
    pub first: Process,
    /// Stands by.
    pub second: Process,
}

impl Pair {
    /// Starts the first agent; whoever runs the second gives the first a moment to take the Lease.
    pub fn start(stage: &Stage, life: &Life) -> Self {
        Self {
            first: Process::start(stage, life.policy(), Some("sluice-0_one")),
            second: Process::start(stage, life.policy(), Some("sluice-1_two")),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct PairRun {
    /// Writes of either agent that count for faults.
    pub writes: u64,
    /// Each of them, and which agent asked for it.
    pub listing: Vec<(u64, WriteRecord)>,
    /// What the cluster is like in the end.
    pub state: FinalState,
    /// Writes of the old leader, but of the Lease, that the API server carried out after the first
    /// one of the new leader. There may be none; what [`PairRun::inert`] counts is not among them.
    pub late: Vec<String>,
    /// What the old leader created so late: empty Deployments, ways to a candidate that nobody is sent
    /// on, kept pod templates, Rollouts that nobody has decided on. A creation has no old object whose epoch could refuse it (F3, W4): it must be
    /// without effect, so the end is the same with it.
    pub inert: usize,
    /// Writes of the old leader that arrived after that and were refused.
    pub refused: usize,
}

/// Plays a story with two agents, of which the one that leads at first is struck or not.
///
/// # Errors
/// A sentence about what did not hold.
pub async fn takeover(story: Story, seed: u64, strike: Option<Strike>) -> Result<PairRun, String> {
    let stage = story.stage(seed);
    let plan = stage.cluster.faults(&stage.cluster.agent());
    match strike {
        None => {}
        Some(Strike::Pause(write, _)) => plan.at(write, Fault::Pause),
        Some(Strike::CrashBefore(write)) => plan.at(write, Fault::CrashBefore),
        Some(Strike::CrashAfter(write)) => plan.at(write, Fault::CrashAfter),
    }
    let begin = stage.cluster.clock().now();
    stage.push("v1.0.0", 'a');
    let life = Life::new(&stage);
    let Pair { first, second } = Pair::start(&stage, &life);
    let (old, new) = (first.client.clone(), second.client.clone());
    let ended = RefCell::new(None);
    let over = Notify::new();
    let leader = async {
        tokio::select! {
            why = first.agent.run() => *ended.borrow_mut() = Some(why),
            () = old.crashed() => {}
        }
        std::future::pending::<()>().await;
    };
    let standby = async {
        tokio::time::sleep(LATER).await;
        second.agent.run().await
    };
    let waker = async {
        if let Some(Strike::Pause(_, wake)) = strike {
            paused(&old).await;
            match wake {
                Wake::AtTheEnd => over.notified().await,
                Wake::After(time) => tokio::time::sleep(time).await,
                Wake::WhileClosed => {
                    life.set_policy(Policy::absent());
                    tokio::time::sleep(LAPSES).await;
                }
            }
            old.resume();
            if wake == Wake::WhileClosed {
                tokio::time::sleep(ARRIVES).await;
                life.set_policy((*stage.policy).clone());
            }
        }
        std::future::pending::<()>().await;
    };
    let play = async {
        to_its_end(&stage, story).await;
        over.notify_one();
        stage.pass(ARRIVES).await;
        quiet(&stage).await
    };
    let crew = Crew::approving();
    tokio::select! {
        ended = play => ended?,
        () = leader => {}
        ended = standby => return Err(format!("the second agent ended: {ended:?}")),
        () = waker => {}
        () = crew.work(&stage) => return Err("the crew left".into()),
        why = stuck(&stage) => return Err(why),
    }
    sound(&stage, story, begin)?;
    if strike.is_some() && plan.fired().is_empty() {
        return Err("there is no such write".into());
    }
    match (strike, ended.into_inner()) {
        (Some(Strike::Pause(..)), Some(Err(AgentError::Deposed(_))))
        | (None | Some(Strike::CrashBefore(_) | Strike::CrashAfter(_)), None) => {}
        (_, other) => return Err(format!("{strike:?}: the old leader ended so: {other:?}")),
    }
    let writes = writes_of(&stage, &[&old, &new]);
    let since = writes
        .iter()
        .find(|(by, w)| *by == new.id() && w.accepted())
        .map_or(u64::MAX, |(_, w)| w.seq);
    if strike.is_some() && since == u64::MAX && plan.writes() > 1 {
        return Err("the second agent never wrote: nothing was taken over".into());
    }
    let late = |w: &&(u64, WriteRecord)| w.0 == old.id() && w.1.seq > since;
    Ok(PairRun {
        writes: plan.writes(),
        state: final_state(&stage.cluster),
        late: writes
            .iter()
            .filter(late)
            .filter(|(_, w)| w.accepted() && !is_inert(w))
            .map(|(_, w)| said(w))
            .collect(),
        inert: writes
            .iter()
            .filter(late)
            .filter(|(_, w)| w.accepted() && is_inert(w))
            .count(),
        refused: writes
            .iter()
            .filter(late)
            .filter(|(_, w)| !w.accepted())
            .count(),
        listing: writes,
    })
}

async fn paused(client: &AgentClient) {
    while !client.is_paused() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// All writes of these processes but those of Leases.
fn writes_of(stage: &Stage, clients: &[&AgentClient]) -> Vec<(u64, WriteRecord)> {
    stage
        .cluster
        .writes()
        .into_iter()
        .filter(|w| w.resource != Resource::Leases)
        .filter(|w| clients.iter().any(|c| c.id() == w.instance))
        .map(|w| (w.instance, w))
        .collect()
}

fn is_inert(w: &WriteRecord) -> bool {
    let empty = w.resource == Resource::Deployments && w.body["spec"]["replicas"] == 0;
    // Of a candidate's own: nobody is sent there before a weight is written.
    let unknown = matches!(w.resource, Resource::Services | Resource::Ingresses)
        && w.body["metadata"]["labels"]["sluice.dev/role"] == "candidate";
    let undecided = matches!(
        w.resource,
        Resource::ControllerRevisions | Resource::Rollouts
    );
    w.verb == "create" && (empty || unknown || undecided)
}

fn said(w: &WriteRecord) -> String {
    format!(
        "{} {:?} {} {}/{}: {}",
        w.verb, w.resource, w.subresource, w.namespace, w.name, w.body
    )
}
