//! Taking messages to notifiers and the record to its sink. Beside the loop: whatever they do, no
//! Rollout waits for them (requirement G18).

use std::sync::Arc;
use std::time::Duration;

use sluice_core::plugin::{PluginAnswer, PluginCall};
use sluice_core::record::record;
use sluice_core::rollout::{Delivery, Fact, Journal, RolloutView, notification};

use crate::backoff;
use crate::context::Context;
use crate::queue::Key;
use crate::rollout::votes_of;

/// A message that nobody took for so long is old news; the timeline says that it was not delivered.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// A fault that no repetition mends is given a few chances all the same: settings can be corrected.
const TRIES_WHEN_HOPELESS: u32 = 5;
/// The journal allows no more tries than this in 24 hours at the longest wait.
const TRIES: u32 = 2880;

pub(super) fn deliver(context: &Arc<Context>, key: &Key, view: &RolloutView, journal: &Journal) {
    let notifiers = u32::try_from(view.spec.notify.len()).unwrap_or(0);
    for n in 0..notifiers {
        // In order, one at a time for each notifier: the second needs the first one's thread.
        if let Some(next) = journal.outbox.iter().find(|d| d.waiting.contains(&n)) {
            start(context, key, view, journal, next, n);
        }
    }
    if journal.state.ended() && !journal.recorded {
        store_record(context, key, view, journal);
    }
}

fn start(
    context: &Arc<Context>,
    key: &Key,
    view: &RolloutView,
    journal: &Journal,
    delivery: &Delivery,
    notifier: u32,
) {
    let seq = delivery.seq;
    let Some(call) = notification(view, journal, delivery, notifier) else {
        return;
    };
    let queued_at = delivery.queued_at;
    let context_ = context.clone();
    let id = format!("notify-{notifier}-{seq}");
    context
        .calls
        .start(&view.uid, &id, &context.queue, key, async move {
            let mut tries = 0;
            loop {
                match tell(&context_, call.clone()).await {
                    Ok(thread) => {
                        return Fact::Delivered {
                            seq,
                            notifier,
                            thread,
                            given_up: None,
                        };
                    }
                    Err((why, retryable)) => {
                        tries += 1;
                        let age = context_.now().duration_since(queued_at);
                        let old = Duration::try_from(age).is_ok_and(|a| a > GIVE_UP_AFTER);
                        if old || tries >= TRIES || (!retryable && tries >= TRIES_WHEN_HOPELESS) {
                            let given_up = Some(why);
                            return Fact::Delivered {
                                seq,
                                notifier,
                                thread: None,
                                given_up,
                            };
                        }
                        tokio::time::sleep(backoff::wait(tries + 2)).await;
                    }
                }
            }
        });
}

async fn tell(context: &Context, call: PluginCall) -> Result<Option<String>, (String, bool)> {
    match context.ports.plugins.call(call).await {
        PluginAnswer::Notified(thread) => Ok(thread),
        PluginAnswer::Failed(f) => Err((format!("[{}] {}", f.code, f.message), f.retryable)),
        PluginAnswer::Report(_)
        | PluginAnswer::Measurement(_)
        | PluginAnswer::Plan(_)
        | PluginAnswer::Judgement(_)
        | PluginAnswer::Approval(_)
        | PluginAnswer::Withdrawn
        | PluginAnswer::ApprovalCallback(_)
        | PluginAnswer::Settings(_) => Err(("answered another question".into(), false)),
    }
}

fn store_record(context: &Arc<Context>, key: &Key, view: &RolloutView, journal: &Journal) {
    let votes = votes_of(&context.world, &view.namespace, &view.uid);
    let text = record(view, journal, &votes).to_string();
    let (context_, uid) = (context.clone(), view.uid.clone());
    context
        .calls
        .start(&view.uid, "record", &context.queue, key, async move {
            let mut failures = 0;
            loop {
                match context_.ports.sink.store(&uid, &text).await {
                    Ok(()) => return Fact::Recorded,
                    Err(why) => {
                        failures += 1;
                        tracing::warn!(uid, why, "the record is not stored yet; tries again");
                        tokio::time::sleep(backoff::wait(failures)).await;
                    }
                }
            }
        });
}
