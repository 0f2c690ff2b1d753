//! The rows, one after the other, and what they come to.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use crate::bystander::{Bystander, median};
use crate::ground::Ground;
use crate::rows::{ROWS, Row};

/// Pairs of phases, alone and under attack.
const PAIRS: usize = 5;
/// Length of one phase.
const PHASE: Duration = Duration::from_millis(120);
/// What an attack needs to be under way.
const RUN_UP: Duration = Duration::from_millis(30);
/// Between two calls of the attacker: a plugin is called when the agent needs it, and cannot call
/// itself. An attack that uses up its budget is under way all the time all the same.
const PAUSE: Duration = Duration::from_millis(10);
/// Calls of the attacker at once: as many as one plugin may have (`SLOTS_PER_PLUGIN`).
const ATTACKERS: usize = 2;
/// The others' p99 may grow by so much, in percent.
const GROWTH: u32 = 20;
/// What the scheduler adds in any case: where two threads meet on a core, one waits for up to a
/// slice of the other, and Linux gives slices of 0.7 to 3 ms. A call here takes less than one.
const FLOOR: Duration = Duration::from_millis(1);

struct Measured {
    alone: Duration,
    during: Duration,
    /// What the phases without attack differ by among themselves: what the machine does by itself. On
    /// one that does nothing else it is a fraction of a millisecond.
    noise: Duration,
}

impl Measured {
    fn of(mut alone: Vec<Duration>, during: Vec<Duration>) -> Measured {
        alone.sort();
        Measured {
            noise: alone[alone.len() - 1] - alone[0],
            alone: median(alone),
            during: median(during),
        }
    }

    fn within(&self) -> bool {
        self.during <= self.alone * (100 + GROWTH) / 100 + FLOOR + self.noise
    }
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
                "attack {} ({}): the neighbour's p99 went from {:?} to {:?}",
                row.number, row.attack, measured.alone, measured.during
            ));
        }
        println!(
            "attack {:>2}  {:<44} {outcome}, {} ms; neighbour's p99 {:.2} ms alone (+- {:.2}), {:.2} ms during{mark}",
            row.number,
            row.attack,
            took.as_millis(),
            measured.alone.as_secs_f64() * 1e3,
            measured.noise.as_secs_f64() * 1e3,
            measured.during.as_secs_f64() * 1e3,
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The bystander's p99 without and with the attack, in turns.
async fn neighbours(row: &Row) -> Measured {
    let ground = Arc::new((row.ground)().await);
    let bystander = Bystander::start(&ground.host);
    // The first calls find cold caches.
    bystander.phase(PHASE).await;
    let (mut alone, mut during) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        alone.push(bystander.phase(PHASE).await);
        let attack = Attack::start(row, &ground);
        tokio::time::sleep(RUN_UP).await;
        during.push(bystander.phase(PHASE).await);
        attack.end().await;
    }
    drop(bystander);
    Measured::of(alone, during)
}

#[test]
fn noise_excuses_no_more_than_itself() {
    let ms = Duration::from_millis;
    let quiet = vec![ms(10); 5];
    assert!(Measured::of(quiet.clone(), vec![ms(13); 5]).within());
    assert!(!Measured::of(quiet, vec![ms(14); 5]).within());
    let noisy = [10, 11, 12, 13, 14].map(ms).to_vec();
    assert!(Measured::of(noisy.clone(), vec![ms(19); 5]).within());
    assert!(!Measured::of(noisy, vec![ms(20); 5]).within());
}

/// An attack that is repeated until it is ended.
struct Attack {
    over: Arc<AtomicBool>,
    attackers: tokio::task::JoinSet<()>,
}

impl Attack {
    fn start(row: &Row, ground: &Arc<Ground>) -> Attack {
        let over = Arc::new(AtomicBool::new(false));
        let mut attackers = tokio::task::JoinSet::new();
        for _ in 0..ATTACKERS {
            let (over, ground, blow) = (over.clone(), ground.clone(), row.blow);
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
