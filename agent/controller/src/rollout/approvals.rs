//! Asking approval providers and recording what they decided. Beside the loop, like messages to
//! notifiers: whatever they do, no Rollout waits for them (requirement G18).
//!
//! What is asked follows from the journal and from what people would see (`core`). Here is only the
//! pace: looks and repetitions after a fault are timers of this process, so that waiting costs no
//! write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use sluice_cluster::vote::{approval, record_vote};
use sluice_core::plugin::{PluginAnswer, PluginCall};
use sluice_core::rollout::{
    Errand, Fact, Journal, Known, Observation, ProviderQuestion, RolloutView, facts,
    provider_questions, provider_votes,
};
use tokio::time::Instant;

use super::{chain, votes_of};
use crate::backoff;
use crate::context::Context;
use crate::queue::Key;

/// A provider that answers by poll only is asked so often: a person decides in minutes.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Doublings that a first failure is ahead: a provider is somebody else's server, four seconds at
/// first.
const PATIENCE: u32 = 4;
/// A message about a closed request that cannot be taken back for so long stays as it is.
const WITHDRAW_FOR: Duration = Duration::from_secs(3600);
/// A fault that no repetition mends is given a few chances all the same: grants can be corrected.
const TRIES_WHEN_HOPELESS: u32 = 5;
/// Lines that are forgotten after: longer than any wait between two questions.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// When each provider was asked last.
#[derive(Clone, Default)]
pub(crate) struct AskPace {
    lines: Arc<Mutex<HashMap<(String, String), Last>>>,
}

#[derive(Clone, Copy)]
struct Last {
    asked: Instant,
    failures: u32,
}

impl AskPace {
    fn lines(&self) -> MutexGuard<'_, HashMap<(String, String), Last>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is time for this errand.
    fn due(&self, line: &(String, String), errand: Errand) -> bool {
        let lines = self.lines();
        let Some(last) = lines.get(line) else {
            return true;
        };
        let patience = match last.failures {
            0 => Duration::ZERO,
            n => backoff::wait(n.saturating_add(PATIENCE)),
        };
        let wait = match errand {
            Errand::Look => patience.max(LOOK_EVERY),
            Errand::Ask | Errand::Update | Errand::Withdraw => patience,
        };
        last.asked.elapsed() >= wait
    }

    fn answered(&self, line: (String, String), failed: bool) {
        let mut lines = self.lines();
        lines.retain(|_, last| last.asked.elapsed() < FORGOTTEN_AFTER);
        let failures = lines.get(&line).map_or(0, |last| last.failures);
        let last = Last {
            asked: Instant::now(),
            failures: if failed {
                failures.saturating_add(1)
            } else {
                0
            },
        };
        lines.insert(line, last);
    }
}

/// Puts the questions that are due, and records decisions that have no vote yet.
pub(super) async fn attend(
    context: &Arc<Context>,
    key: &Key,
    view: &RolloutView,
    journal: &Journal,
    seen: &Observation,
) {
    if view.spec.approvals.is_empty() {
        return;
    }
    record(context, view, journal).await;
    let votes = if journal.state.ended() {
        // Nothing is observed of what is over.
        votes_of(&context.world, &view.namespace, &view.uid)
    } else {
        seen.votes.clone()
    };
    let pipeline = context.world.pipeline(&view.namespace, &view.spec.pipeline);
    let known = Known {
        votes: &votes,
        pipeline: pipeline.as_ref().and_then(|p| p.status.as_ref()),
        stop: seen.stop.as_ref(),
    };
    let now = context.now();
    let facts = facts(view, journal, &context.policy(), &known, now);
    for question in provider_questions(view, journal, &facts, now) {
        start(context, key, view, question);
    }
}

fn start(context: &Arc<Context>, key: &Key, view: &RolloutView, question: ProviderQuestion) {
    let ProviderQuestion {
        call,
        line,
        errand,
        question,
    } = question;
    let paced = (view.uid.clone(), line.clone());
    if !context.calls.providers.due(&paced, errand) {
        return;
    }
    let context_ = context.clone();
    context
        .calls
        .start(&view.uid, &line, &context.queue, key, async move {
            let answer = match errand {
                Errand::Withdraw => withdraw(&context_, question).await,
                Errand::Ask | Errand::Update | Errand::Look => {
                    let answer = context_.ports.plugins.call(question).await;
                    let failed = matches!(answer, PluginAnswer::Failed(_));
                    context_.calls.providers.answered(paced, failed);
                    answer
                }
            };
            Fact::Answered { call, answer }
        });
}

/// Tries until it is done or hopeless; the last answer tells which.
async fn withdraw(context: &Context, question: PluginCall) -> PluginAnswer {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        let answer = context.ports.plugins.call(question.clone()).await;
        let PluginAnswer::Failed(fault) = &answer else {
            return answer;
        };
        tries += 1;
        let hopeless = !fault.retryable && tries >= TRIES_WHEN_HOPELESS;
        if hopeless || begun.elapsed() >= WITHDRAW_FOR {
            return answer;
        }
        tokio::time::sleep(backoff::wait(tries.saturating_add(PATIENCE))).await;
    }
}

/// Makes votes of what providers decided, where the policy gives them a role. What does not go
/// through is tried at the next look: until then the vote is missing.
async fn record(context: &Context, view: &RolloutView, journal: &Journal) {
    let votes = provider_votes(view, journal, &context.policy());
    if votes.is_empty() {
        return;
    }
    let Some(rollout) = context.world.rollout(&view.namespace, &view.name) else {
        return;
    };
    let there = context.world.approvals_of(&view.namespace, &view.uid);
    for vote in votes {
        let approval = approval(&rollout, &vote);
        if there.iter().any(|a| a.name_any() == approval.name_any()) {
            continue;
        }
        match record_vote(&context.writer, &approval).await {
            Ok(()) => tracing::info!(
                rollout = view.name,
                plugin = vote.plugin,
                "records the provider's decision: {}",
                vote.said
            ),
            Err(fault) => tracing::warn!(
                rollout = view.name,
                plugin = vote.plugin,
                error = %chain(&fault),
                "the provider's decision is not recorded yet"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (String, String) {
        ("uid".into(), "provider-0".into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_waits_a_minute_and_an_update_does_not() {
        let pace = AskPace::default();
        assert!(pace.due(&line(), Errand::Ask));
        pace.answered(line(), false);
        assert!(pace.due(&line(), Errand::Update));
        assert!(!pace.due(&line(), Errand::Look));
        tokio::time::advance(LOOK_EVERY).await;
        assert!(pace.due(&line(), Errand::Look));
    }

    #[tokio::test(start_paused = true)]
    async fn after_faults_every_errand_waits_longer_up_to_a_limit() {
        let pace = AskPace::default();
        pace.answered(line(), true);
        assert!(!pace.due(&line(), Errand::Ask));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(pace.due(&line(), Errand::Ask));
        for _ in 0..50 {
            pace.answered(line(), true);
        }
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!pace.due(&line(), Errand::Update));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pace.due(&line(), Errand::Update));
        pace.answered(line(), false);
        assert!(pace.due(&line(), Errand::Update));
    }

    #[tokio::test(start_paused = true)]
    async fn old_lines_are_forgotten() {
        let pace = AskPace::default();
        pace.answered(line(), true);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        pace.answered(("another".into(), "provider-0".into()), false);
        assert_eq!(pace.lines().len(), 1);
    }
}
