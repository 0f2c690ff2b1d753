//! The 24 attacks. A row says how its attack ends, and how it is repeated while others are served.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::port::BoxFuture;

use crate::ground::{Ground, Setting};

mod answers;
mod limits;
mod loads;
mod network;
mod slow;

/// What is repeated, on that ground.
pub(crate) type Blow = fn(Arc<Ground>) -> BoxFuture<'static, ()>;

/// One attack.
pub(crate) struct Row {
    /// Its number in plugins.md section 10.
    pub(crate) number: u8,
    /// What it is.
    pub(crate) attack: &'static str,
    /// Plays every variant once and says how it ended; panics where a pass condition does not hold.
    pub(crate) verdict: fn() -> BoxFuture<'static, String>,
    /// Where it is repeated.
    pub(crate) ground: fn() -> BoxFuture<'static, Ground>,
    /// One repetition.
    pub(crate) blow: Blow,
}

/// The row of an attack of the hostile smoke test that needs nothing but limits.
macro_rules! row {
    ($number:literal, $attack:literal, $verdict:path, $ground:expr, $blow:expr) => {
        Row {
            number: $number,
            attack: $attack,
            verdict: || Box::pin($verdict()),
            ground: || Box::pin($ground),
            blow: |ground| Box::pin(async move { $blow(&ground).await }),
        }
    };
}

#[rustfmt::skip]
pub(crate) const ROWS: [Row; 24] = [
    row!(1, "infinite loops", limits::loops, bare(json!({})), async |g: &Ground| g.blow(mode("loop")).await),
    row!(2, "memory.fill without end", limits::fills, bare(json!({})), async |g: &Ground| g.blow(mode("fill")).await),
    row!(3, "bombs of memories, tables, instances", limits::bombs, bare(json!({"cpu-ms": 1000})), async |g: &Ground| g.blow(mode("memory")).await),
    row!(4, "recursion in the guest and through the host", limits::recursion, bare(json!({})), async |g: &Ground| g.blow(mode("recursion")).await),
    row!(5, "a string of 2 GiB, a list of 10^9", limits::payloads, bare(json!({})), async |g: &Ground| g.blow(mode("huge-log")).await),
    row!(6, "floods of logs, requests, handles", limits::floods, bare(json!({"cpu-ms": 1000})), async |g: &Ground| g.blow(mode("logs")).await),
    row!(7, "slow servers", slow::servers, slow::ground(), async |g: &Ground| g.blow(mode("fetch")).await),
    row!(8, "sleep for ever", limits::sleeps, bare(json!({"wall-ms": 200})), async |g: &Ground| g.blow(mode("sleep")).await),
    row!(9, "addresses spelled otherwise", network::spellings, bare(json!({})), async |g: &Ground| network::spelled(g).await),
    row!(10, "DNS rebinding", network::rebinding, network::rebound(), async |g: &Ground| g.blow(network::to_echo()).await),
    row!(11, "a redirect to the metadata", network::redirects, network::redirecting(), async |g: &Ground| g.blow(mode("fetch")).await),
    row!(12, "metadata, kubelet, API server", network::forbidden, network::to_metadata(), async |g: &Ground| g.blow(network::to_echo()).await),
    row!(13, "theft of a secret", network::theft, network::echoing(), async |g: &Ground| g.blow(network::scan()).await),
    row!(14, "request smuggling", network::smuggling, network::echoing(), async |g: &Ground| g.blow(json!({"attack": "smuggle", "target": "echo"})).await),
    row!(15, "malformed files", loads::malformed, bare(json!({})), async |g: &Ground| loads::broken_file(g).await),
    row!(16, "compile bombs", loads::compile_bombs, loads::compiling(), async |g: &Ground| loads::bomb(g).await),
    row!(17, "decompression bombs", network::compressed, network::compressing(), async |g: &Ground| g.blow(mode("fetch")).await),
    row!(18, "tampered code, links, races", loads::tampered, Ground::cached(), async |g: &Ground| loads::tamper(g).await),
    row!(19, "forged log lines and reports", answers::forged_text, bare(json!({})), async |g: &Ground| g.blow(mode("forge")).await),
    row!(20, "a lying approver, a forged callback", answers::approver, bare(json!({})), async |g: &Ground| answers::forge(g).await),
    row!(21, "plans that are unstable or out of range", answers::strategist, bare(json!({})), async |g: &Ground| answers::plan_again(g).await),
    row!(22, "one plugin takes what it can get", limits::hog, bare(json!({})), async |g: &Ground| limits::crowd(g).await),
    row!(23, "reload races", loads::races, bare(json!({})), async |g: &Ground| loads::another_version(g).await),
    row!(24, "timing probes", limits::clocks, bare(json!({})), async |g: &Ground| g.blow(mode("clocks")).await),
];

async fn bare(limits: Value) -> Ground {
    Ground::new(Setting::limits(limits)).await
}

fn mode(attack: &str) -> Value {
    json!({ "attack": attack })
}

/// Attempts at an ending that comes in time.
const ATTEMPTS: usize = 20;

/// How long after `limit` something ended, at best of some attempts: a busy machine only ever adds.
/// Panics where it never is within `bound`, or ends otherwise than with `expected`.
async fn overrun<F: Future<Output = String>>(
    limit: Duration,
    bound: Duration,
    expected: &str,
    attempt: impl Fn() -> F,
) -> String {
    let mut best = Duration::MAX;
    for _ in 0..ATTEMPTS {
        let begun = Instant::now();
        assert_eq!(attempt().await, expected);
        best = best.min(begun.elapsed().saturating_sub(limit));
        if best <= bound {
            return format!("{:.1} ms late", best.as_secs_f64() * 1e3);
        }
    }
    panic!("at best {best:?} late; {bound:?} may be");
}
