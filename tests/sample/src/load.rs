//! The client: requests at a constant rate, whatever becomes of those before (an open loop), so that
//! a slow or missing answer does not hide the requests that users would have sent meanwhile.

mod ask;
mod control;
mod counts;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use control::control;
pub use counts::Counts;
pub use plan::Plan;

/// A client that is late by more than this skips requests and says so, instead of a burst.
const LATE: Duration = Duration::from_secs(1);

/// Asks until the plan's time is over or `stop` ends, waits for the last answers, and gives a line a
/// second and one with the total.
pub async fn run(
    plan: &Plan,
    counts: &Arc<Counts>,
    stop: impl Future<Output = ()>,
    mut line: impl FnMut(&Value),
) {
    let begin = Instant::now();
    let mut asked = JoinSet::new();
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await;
    let mut stop = std::pin::pin!(stop);
    let mut next = 0_u32;
    while next < plan.requests() {
        let due = begin + plan.due(next);
        tokio::select! {
            () = &mut stop => break,
            () = sleep_until(due) => {
                let late = due.elapsed();
                if late > LATE || asked.len() >= plan.most_open() {
                    counts.skip();
                } else {
                    let (plan, counts) = (plan.clone(), counts.clone());
                    asked.spawn(async move {
                        let mark = counts.sent();
                        let answer = ask::ask(&plan).await;
                        counts.answered(mark, answer);
                    });
                }
                next += 1;
            }
            Some(_) = asked.join_next(), if !asked.is_empty() => {}
            _ = tick.tick() => line(&counts.second()),
        }
    }
    // Each ends by itself: a request has a limit.
    while !asked.is_empty() {
        tokio::select! {
            _ = asked.join_next() => {}
            _ = tick.tick() => line(&counts.second()),
        }
    }
    line(&counts.second());
    line(&json!({ "total": counts.totals() }));
}
