//! The rows, one after the other, and what they come to.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use serde_json::json;
use sluice_core::port::BoxFuture;

use crate::bystander::{Bystander, median};
use crate::ground::Ground;
use crate::rows::{Blow, ROWS, Row};

/// Rounds of three phases: alone, beside an honest plugin, under attack.
const ROUNDS: usize = 5;
/// Length of one phase.
const PHASE: Duration = Duration::from_millis(120);
/// What an attack needs to be under way.
const RUN_UP: Duration = Duration::from_millis(30);
/// Between two calls of the attacker: a plugin is called when the agent needs it, and cannot call
/// itself. An attack that uses up its budget is under way all the time all the same.
const PAUSE: Duration = Duration::from_millis(10);
/// Calls of the attacker at once: as many as one plugin may have (`SLOTS_PER_PLUGIN`).
const ATTACKERS: usize = 2;
/// The others' p99 may be so much above what an honest plugin costs them, in percent.
const GROWTH: u32 = 20;
/// What the scheduler adds in any case: where two threads meet on a core, one waits for up to a
/// slice of the other, and Linux gives slices of 0.7 to 3 ms. A call here takes less than one.
const FLOOR: Duration = Duration::from_millis(1);
/// A guest may compute for a tick of 10 ms before it is looked at. Whoever waits for nearly as long
/// (8 to 12 ms) stands behind it on its thread; beside it, on another one, it is less than this.
const CEILING: Duration = Duration::from_millis(7);

/// The neighbour's p99.
///
/// Alone is what it is with the machine for itself. On two cores no scheduler can hold that beside
/// others who compute, so the measure of an attack is what a plugin costs that stays within its grant
/// and uses most of it: an attack must not get more out of the machine than it was given.
struct Measured {
    alone: Duration,
    honest: Duration,
    during: Duration,
    /// What the phases of a kind differ by among themselves, the two without attack together: what the
    /// machine does by itself.
    noise: Duration,
}

impl Measured {
    fn of(alone: Vec<Duration>, honest: Vec<Duration>, during: Vec<Duration>) -> Measured {
        Measured {
            noise: spread(&alone).max(spread(&honest)),
            alone: median(alone),
            honest: median(honest),
            during: median(during),
        }
    }

    fn within(&self) -> bool {
        let grown = |base: Duration| base * (100 + GROWTH) / 100 + self.noise;
        self.during <= grown(self.alone.max(self.honest)) + FLOOR
            && self.during <= grown(self.alone) + CEILING
    }
}

/// Between the quartiles: one bad moment of the machine is no excuse.
fn spread(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() * 3 / 4] - times[times.len() / 4]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_ends_as_it_must_and_its_neighbour_does_not_notice() {
    let only: Option<u8> = std::env::var("ATTACK")
        .ok()
        .and_then(|number| number.parse().ok());
    let mut failures = Vec::new();
    println!();
    for row in ROWS
        .iter()
        .filter(|row| only.is_none_or(|only| row.number == only))
    {
        let begun = Instant::now();
        let verdict = AssertUnwindSafe((row.verdict)()).catch_unwind().await;
        let took = begun.elapsed();
        let outcome = verdict.unwrap_or_else(|panic| {
            let why = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("it panicked");
            failures.push(format!("attack {} ({}): {why}", row.number, row.attack));
            format!(
                "FAILED: {}",
                why.lines().map(str::trim).collect::<Vec<_>>().join(" ")
            )
        });
        let measured = neighbours(row).await;
        let mark = if measured.within() { "" } else { "  TOO SLOW" };
        if !measured.within() {
            failures.push(format!(
                "attack {} ({}): the neighbour's p99 is {:?} alone, {:?} beside an honest plugin, {:?} under attack",
                row.number, row.attack, measured.alone, measured.honest, measured.during
            ));
        }
        println!(
            "attack {:>2}  {:<44} {outcome}, {} ms; neighbour's p99 {:.2} ms alone, {:.2} ms beside an honest plugin (noise {:.2}), {:.2} ms during{mark}",
            row.number,
            row.attack,
            took.as_millis(),
            measured.alone.as_secs_f64() * 1e3,
            measured.honest.as_secs_f64() * 1e3,
            measured.noise.as_secs_f64() * 1e3,
            measured.during.as_secs_f64() * 1e3,
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The bystander's p99 alone, beside an honest plugin and under attack, in turns.
async fn neighbours(row: &Row) -> Measured {
    let ground = Arc::new((row.ground)().await);
    let bystander = Bystander::start(&ground.host);
    // The first calls find cold caches.
    bystander.phase(PHASE).await;
    let (mut alone, mut honest, mut during) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(bystander.phase(PHASE).await);
        honest.push(beside(&bystander, work, &ground).await);
        during.push(beside(&bystander, row.blow, &ground).await);
    }
    drop(bystander);
    Measured::of(alone, honest, during)
}

/// One phase beside something that is repeated all the while.
async fn beside(bystander: &Bystander, blow: Blow, ground: &Arc<Ground>) -> Duration {
    let attack = Attack::start(blow, ground);
    tokio::time::sleep(RUN_UP).await;
    let p99 = bystander.phase(PHASE).await;
    attack.end().await;
    p99
}

fn work(ground: Arc<Ground>) -> BoxFuture<'static, ()> {
    Box::pin(async move { ground.blow(json!({ "attack": "work" })).await })
}

#[test]
fn neither_noise_nor_an_honest_neighbour_excuses_more_than_itself() {
    let ms = |times: [u64; 5]| times.map(Duration::from_millis).to_vec();
    let within =
        |alone, honest, during| Measured::of(ms(alone), ms(honest), ms([during; 5])).within();
    assert!(within([10; 5], [10; 5], 13) && !within([10; 5], [10; 5], 14));
    assert!(within([10; 5], [14; 5], 17) && !within([10; 5], [14; 5], 18));
    assert!(
        within([10, 11, 12, 13, 90], [10; 5], 17) && !within([10, 11, 12, 13, 90], [10; 5], 18)
    );
}

/// An attack that is repeated until it is ended.
struct Attack {
    over: Arc<AtomicBool>,
    attackers: tokio::task::JoinSet<()>,
}

impl Attack {
    fn start(blow: Blow, ground: &Arc<Ground>) -> Attack {
        let over = Arc::new(AtomicBool::new(false));
        let mut attackers = tokio::task::JoinSet::new();
        for _ in 0..ATTACKERS {
            let (over, ground) = (over.clone(), ground.clone());
            attackers.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    blow(ground.clone()).await;
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Attack { over, attackers }
    }

    async fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.attackers.join_next().await {
            ended.unwrap();
        }
    }
}

#[test]
fn the_document_has_a_row_for_every_attack() {
    let document = include_str!("../../../../docs/attacks.md");
    let (_, plugins) = document.split_once("## Plugins").unwrap();
    let told: BTreeSet<u8> = plugins
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| ")?.split_once(' ')?.0.parse().ok())
        .collect();
    let here: BTreeSet<u8> = ROWS.iter().map(|row| row.number).collect();
    assert_eq!(here, (1..=24).collect());
    assert_eq!(told, here);
}
