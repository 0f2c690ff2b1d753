//! One Rollout: observe, decide, commit, execute; again until nothing is left to do now.

mod approvals;
mod ask;
mod line;
mod members;
mod observe;
mod outbox;
mod siblings;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::Api;
use sluice_cluster::crd::{Request, RequestState, RequestStatus, Rollout, created};
use sluice_cluster::execute::{commit, execute, stamp};
use sluice_cluster::fault::ClusterFault;
use sluice_cluster::own::answer_request;
use sluice_core::invariants;
use sluice_core::rollout::{
    Decision, Effect, Fact, Journal, ObjectKind, ObjectRef, Observation, RolloutView, Seen, State,
    WorkloadSeen, absorb, decide, looks_at,
};

use crate::backoff;
use crate::context::Context;
use crate::own::ROLLOUT;
use crate::pace::CALLS_OF_A_LOOK;
use crate::queue::Key;

pub(crate) use approvals::AskPace;
pub use observe::votes_of;

/// Passes in one turn: the longest chain of writes that need no pods in between is shorter. What is
/// left is done in the next turn.
const PASSES: u32 = 16;
/// A conflict means that somebody wrote first: look again soon, but not in a tight loop.
const AFTER_CONFLICT: Duration = Duration::from_millis(50);
/// A decision that broke an invariant is looked at again when the world may have changed.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// Works on one Rollout. Returns when to look again; `None`: only an event can change anything.
pub(crate) async fn reconcile(
    context: &Arc<Context>,
    namespace: &str,
    name: &str,
) -> Option<Duration> {
    let api: Api<Rollout> = Api::namespaced(context.client.clone(), namespace);
    // The cache tells at no cost that an ended Rollout has nothing left to do.
    let cached = context.world.rollout(namespace, name);
    // Forgets the write that the cache shows by now.
    context
        .own
        .state(ROLLOUT, namespace, name, cached.as_deref());
    if let Some(cached) = cached
        && finished(&cached)
        && cached
            .uid()
            .is_none_or(|uid| context.calls.facts(&uid).is_empty())
    {
        refuse_late_requests(context, &cached).await;
        return None;
    }
    let mut rollout = match api.get_opt(name).await {
        Ok(Some(r)) => r,
        Ok(None) => {
            context.own.settled(ROLLOUT, namespace, name);
            return None;
        }
        Err(e) => {
            let fault = ClusterFault::sort("get", format!("Rollout {namespace}/{name}"), e);
            return Some(failed(name, &fault));
        }
    };
    let key = Key::Rollout {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    for _ in 0..PASSES {
        match pass(context, &key, &mut rollout).await {
            Pass::Again => {}
            Pass::Wait(wait) => return wait,
        }
    }
    Some(AFTER_CONFLICT)
}

/// Whether nothing is left to do: it is over, its messages are out, no provider shows an open request
/// and its record is stored.
fn finished(rollout: &Rollout) -> bool {
    rollout
        .status
        .as_ref()
        .is_some_and(|j| j.state.ended() && j.outbox.is_empty() && !j.has_tickets() && j.recorded)
}

enum Pass {
    /// Something was written: look at what it did.
    Again,
    /// Nothing more to do now.
    Wait(Option<Duration>),
}

async fn pass(context: &Arc<Context>, key: &Key, rollout: &mut Rollout) -> Pass {
    let view = match view(rollout) {
        Ok(v) => v,
        Err(why) => {
            tracing::error!(
                rollout = rollout.name_any(),
                why,
                "cannot work on this Rollout"
            );
            return Pass::Wait(None);
        }
    };
    let stored = rollout.status.clone().unwrap_or_default();
    let facts = context.calls.facts(&view.uid);
    if !urgent(context, &view, &stored, &facts) {
        context.pace.take(CALLS_OF_A_LOOK).await;
    }
    // Who stands in line is alone from the look to the write.
    let mut alone = match stored.slot_wanted_at {
        Some(_) if line::stands(&context.policy(), &view, &stored) => {
            Some(context.line.lock().await)
        }
        Some(_) | None => None,
    };
    let mut look = match look(context, &view, &stored, &facts).await {
        Ok(look) => look,
        Err(wait) => return Pass::Wait(Some(wait)),
    };
    if alone.is_none() && look.in_line && look.decision.journal.slot_wanted_at.is_some() {
        alone = Some(context.line.lock().await);
        look = match self::look(context, &view, &stored, &facts).await {
            Ok(look) => look,
            Err(wait) => return Pass::Wait(Some(wait)),
        };
    }
    let Look {
        journal,
        seen,
        decision,
        ..
    } = look;
    let broken = invariants::broken(&view, &journal, &seen, &decision);
    if !broken.is_empty() {
        tracing::error!(
            rollout = view.name,
            ?broken,
            "decision refused: it breaks an invariant"
        );
        return Pass::Wait(Some(AFTER_REFUSAL));
    }
    let epoch = match context.writer.epoch(&view.name, stored.epoch) {
        Ok(epoch) => epoch,
        Err(fault) => return deposed(context, &view.name, &fault),
    };
    let takes_over = epoch != stored.epoch && !stored.state.ended();
    if takes_over && stored.state.begun() {
        // First the workloads, then the Rollout: as long as this does not go through, the journal
        // does not say that this leader has taken over.
        match fence_off(context, &view, &seen, epoch, true).await {
            Ok(false) => {}
            Ok(true) => return Pass::Again,
            // Who may not write there now could not before either: the journal is to say so.
            Err(fault @ ClusterFault::Refused { .. }) => {
                tracing::warn!(rollout = view.name, %fault, "no epoch on its workloads");
            }
            Err(fault) => return not_written(context, &view.name, fault),
        }
    }
    if takes_over || worth_writing(&stored, &decision) {
        match commit(&context.writer, rollout, &decision.journal).await {
            Ok(updated) => {
                told(&view.name, &stored, &decision);
                context.own.wrote(ROLLOUT, &updated);
                *rollout = updated;
                context.calls.stored(&view.uid, &facts);
                answer_requests(context, &view, &stored, &decision.journal).await;
            }
            Err(ClusterFault::Conflict { .. }) => return Pass::Wait(Some(AFTER_CONFLICT)),
            Err(ClusterFault::Gone { .. }) => {
                context.calls.forget(&view.uid);
                return Pass::Wait(None);
            }
            Err(fault) => return Pass::Wait(Some(failed(&view.name, &fault))),
        }
    } else {
        context.calls.stored(&view.uid, &facts);
    }
    drop(alone);
    outbox::deliver(context, key, &view, &decision.journal);
    approvals::attend(context, key, &view, &decision.journal, &seen).await;
    if decision.journal.state.begun() {
        match fence_off(context, &view, &seen, epoch, false).await {
            Ok(false) => {}
            Ok(true) => return Pass::Again,
            Err(fault) => return not_written(context, &view.name, fault),
        }
    }
    act(context, key, &view, decision).await
}

/// What was seen and decided, before anything is written.
struct Look {
    /// The stored journal with the facts that wait.
    journal: Journal,
    seen: Observation,
    decision: Decision,
    /// Whether the policy that was decided by limits how many are under way.
    in_line: bool,
}

/// Observes and decides, or says when to look again.
async fn look(
    context: &Context,
    view: &RolloutView,
    stored: &Journal,
    facts: &[(String, Fact)],
) -> Result<Look, Duration> {
    let policy = context.policy();
    let siblings = siblings::siblings(context, view).await?;
    let in_line = line::stands(&policy, view, stored);
    let others = if in_line {
        line::others(context, view).await?
    } else {
        Vec::new()
    };
    let now = context.now();
    let mut journal = stored.clone();
    for (_, fact) in facts {
        journal = absorb(view, &journal, fact, now);
    }
    let mut seen = observe::observe(context, view, &journal).await;
    seen.siblings = siblings;
    seen.others = others;
    seen.stop = context.world.stop(&policy, now);
    let decision = decide(view, &journal, &seen, &policy, now);
    Ok(Look {
        journal,
        seen,
        decision,
        in_line,
    })
}

/// What must not wait behind the crowd: a rollback, an answer that may begin one, a person's wish.
fn urgent(
    context: &Context,
    view: &RolloutView,
    stored: &Journal,
    facts: &[(String, Fact)],
) -> bool {
    let wish = |r: &Arc<Request>| r.is_open();
    matches!(stored.state, State::RollingBack(_))
        || !facts.is_empty()
        || context
            .world
            .requests_of(&view.namespace, &view.name)
            .iter()
            .any(wish)
}

/// A new leader puts its epoch on the workloads of a Rollout that is under way, before it decides
/// about them: what the leader before still has in hand is refused from then on (F4). True: it
/// wrote, so everything must be looked at again. When it takes over, the target is also stamped where
/// nobody has claimed it: the claim of the leader before may be on its way, whatever the new one
/// decides.
async fn fence_off(
    context: &Context,
    view: &RolloutView,
    seen: &Observation,
    epoch: u64,
    takes_over: bool,
) -> Result<bool, ClusterFault> {
    if epoch == 0 {
        return Ok(false);
    }
    let ours = |w: &WorkloadSeen, free: bool| {
        let claimed = w.claimed_by.as_ref().map_or(free, |by| *by == view.uid);
        w.epoch < epoch && (claimed || w.made_by(&view.uid))
    };
    let mut wrote = false;
    let members = seen.members.iter();
    let members = members.flat_map(|m| [(&m.target, takes_over), (&m.canary, false)]);
    let own = [(&seen.target, takes_over), (&seen.canary, false)];
    for (workload, free) in own.into_iter().chain(members) {
        if let Some(w) = workload.present().filter(|w| ours(w, free)) {
            stamp(&context.writer, &w.guard()).await?;
            wrote = true;
        }
    }
    // A switch or a share that the leader before has on its way must find another version, too.
    if seen
        .target
        .present()
        .is_some_and(|t| ours(t, false) || t.epoch >= epoch)
    {
        for object in routed(view) {
            if let Seen::Present(found) = seen.object(&object)
                && found.epoch < epoch
                // The Ingress that a Pipeline names is never written.
                && (object.kind != ObjectKind::Ingress || found.created_by.as_ref() == Some(&view.uid))
            {
                stamp(&context.writer, &found.guard(&object)).await?;
                wrote = true;
            }
        }
    }
    Ok(wrote)
}

/// The objects, beside the workloads, through which this Rollout leads traffic.
fn routed(view: &RolloutView) -> Vec<ObjectRef> {
    if !view.spec.strategy.router.isolates() {
        return Vec::new();
    }
    let journal = Journal::default();
    let written = |o: &ObjectRef| {
        matches!(
            o.kind,
            ObjectKind::Service | ObjectKind::HttpRoute | ObjectKind::Ingress
        )
    };
    let mut out = looks_at(view, &journal);
    out.retain(written);
    out
}

/// When to look again after a write of a workload that did not go through.
fn not_written(context: &Context, name: &str, fault: ClusterFault) -> Pass {
    match fault {
        ClusterFault::Conflict { object } => {
            tracing::debug!(object, "changed meanwhile; looks again");
            Pass::Wait(Some(AFTER_CONFLICT))
        }
        ClusterFault::Deposed { .. } => deposed(context, name, &fault),
        ClusterFault::Gone { .. }
        | ClusterFault::Refused { .. }
        | ClusterFault::Unsure { .. }
        | ClusterFault::Malformed { .. } => Pass::Wait(Some(failed(name, &fault))),
    }
}

fn deposed(context: &Context, name: &str, fault: &ClusterFault) -> Pass {
    tracing::error!(rollout = name, %fault, "stops writing");
    context.deposed();
    Pass::Wait(Some(AFTER_REFUSAL))
}

/// Carries out the effects in order. The first that does not go through ends the pass: what comes
/// after it was decided in the belief that it would.
async fn act(context: &Arc<Context>, key: &Key, view: &RolloutView, decision: Decision) -> Pass {
    let mut wrote = false;
    for effect in &decision.effects {
        if let Effect::Ask { call, question } = effect {
            ask::ask(context, key, view, call, question);
            continue;
        }
        let spec = &view.spec;
        let pipeline = (
            view.namespace.as_str(),
            spec.pipeline.as_str(),
            spec.environment.as_str(),
        );
        match execute(&context.writer, effect, pipeline).await {
            Ok(()) => wrote = true,
            Err(fault) => return not_written(context, &view.name, fault),
        }
    }
    if wrote {
        return Pass::Again;
    }
    Pass::Wait(decision.wake_at.map(|t| until(context.now(), t)))
}

/// A journal is written when it says something new. An intent that is done is not news: the next
/// real change carries its removal.
fn worth_writing(stored: &Journal, decision: &Decision) -> bool {
    if decision.journal == *stored {
        return false;
    }
    let acts = decision.effects.iter().any(|e| !e.is_question());
    if acts && decision.journal.intent != stored.intent {
        return true;
    }
    Journal {
        intent: stored.intent.clone(),
        ..decision.journal.clone()
    } != *stored
}

fn told(name: &str, stored: &Journal, decision: &Decision) {
    if stored.message != decision.journal.message {
        tracing::info!(
            rollout = name,
            phase = decision.journal.phase,
            why = decision.why.code(),
            "{}",
            decision.journal.message
        );
    }
}

/// Tells people what became of their wishes about this Rollout.
async fn answer_requests(context: &Context, view: &RolloutView, before: &Journal, after: &Journal) {
    for handled in after.handled.iter().filter(|h| !before.handled.contains(h)) {
        let request = context
            .world
            .requests_of(&view.namespace, &view.name)
            .into_iter()
            .find(|r| r.uid().as_deref() == Some(handled.uid.as_str()));
        let Some(request) = request else { continue };
        let status = match &handled.refused {
            None => RequestStatus {
                state: RequestState::Accepted,
                message: "taken up".into(),
                rollout: Some(view.name.clone()),
                ..RequestStatus::default()
            },
            Some(why) => RequestStatus {
                state: RequestState::Refused,
                message: why.clone(),
                rollout: Some(view.name.clone()),
                ..RequestStatus::default()
            },
        };
        answer(context, &request, status).await;
    }
}

/// A wish about a Rollout that is over gets an answer too: whoever waits for it must not wait for ever.
async fn refuse_late_requests(context: &Context, rollout: &Rollout) {
    let namespace = rollout.namespace().unwrap_or_default();
    let message = rollout
        .status
        .as_ref()
        .map(|j| j.message.clone())
        .unwrap_or_default();
    for request in context.world.requests_of(&namespace, &rollout.name_any()) {
        if request.is_open() {
            let status = RequestStatus {
                state: RequestState::Refused,
                message: format!("the Rollout is over: {message}"),
                rollout: Some(rollout.name_any()),
                ..RequestStatus::default()
            };
            answer(context, &request, status).await;
        }
    }
}

/// Writes the answer to a wish. A courtesy: a failure is logged and nothing depends on it.
pub(crate) async fn answer(context: &Context, request: &Request, status: RequestStatus) {
    if let Err(fault) = answer_request(&context.writer, request, status).await {
        tracing::warn!(%fault, "the answer to a Request was not stored");
    }
}

/// The fixed part of a Rollout object.
///
/// # Errors
/// The object has no uid, which the API server never leaves out.
pub fn view(rollout: &Rollout) -> Result<RolloutView, String> {
    Ok(RolloutView {
        namespace: rollout.namespace().unwrap_or_default(),
        name: rollout.name_any(),
        uid: rollout.uid().ok_or("the object has no uid")?,
        created_at: created(rollout),
        spec: rollout.spec.body.clone(),
    })
}

fn failed(name: &str, fault: &ClusterFault) -> Duration {
    let wait = backoff::wait(2);
    tracing::warn!(
        rollout = name,
        error = %chain(fault),
        retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        "no sure answer from the cluster; reads again before it decides"
    );
    wait
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.chars().take(500).collect()
}

fn until(now: jiff::Timestamp, t: jiff::Timestamp) -> Duration {
    Duration::try_from(t.duration_since(now)).unwrap_or(Duration::ZERO)
}
