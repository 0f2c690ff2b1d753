//! Thousands of random histories: a storm of events and crashes, then calm weather, in which every
//! Rollout must come to a right end.

use std::collections::BTreeMap;

use super::world::{Candidate, World};
use crate::pipeline::OutcomeKind;
use crate::rollout::*;

/// Looks in calm weather until an end must have come: the longest waits are a few deadlines of ten
/// minutes each, seen every half minute at least.
const CALM: u32 = 900;
/// `SLUICE_HISTORIES` asks for more; a second is more than a hundred.
fn histories() -> u64 {
    let asked = std::env::var("SLUICE_HISTORIES").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(1500)
}

fn play(seed: u64) -> World {
    let mut w = World::new(seed);
    let storm = w.rng.below(60);
    w.crash = w.rng.pick(&[0, 3, 10]);
    let wild = w.rng.chance(80);
    for n in 0..storm {
        if w.stored.state.ended() {
            break;
        }
        w.turn();
        if wild {
            w.event();
        } else {
            w.calm_people();
        }
        w.pass(wild);
        if n % 4 == 0 {
            stays_small(&w);
        }
    }
    for n in 0..CALM {
        if w.stored.state.ended() && w.stored.recorded && w.stored.outbox.is_empty() {
            break;
        }
        assert!(
            n + 1 < CALM,
            "seed {seed}: stuck in calm weather: {:#?}",
            w.stored
        );
        w.calm();
        w.turn();
        w.pass(false);
    }
    at_the_end(&mut w);
    w
}

impl World {
    /// People do their part while nothing is broken.
    fn calm_people(&mut self) {
        let crash = self.crash;
        self.calm();
        self.crash = crash;
    }
}

fn stays_small(w: &World) {
    let json = serde_json::to_string(&w.stored).unwrap();
    assert!(
        json.len() < 64 * 1024,
        "seed {}: {} bytes",
        w.seed,
        json.len()
    );
    let back: Journal = serde_json::from_str(&json).unwrap();
    assert_eq!(back, w.stored, "seed {}", w.seed);
}

fn at_the_end(w: &mut World) {
    let seed = w.seed;
    let State::Ended(end) = w.stored.state.clone() else {
        panic!("seed {seed}: not ended");
    };
    let ours = w.target.as_ref().is_some_and(|d| d.uid == "target-1");
    let made = w.oracle.writes > 0;
    // Whatever happened: no canary is left.
    assert!(
        w.canary.is_none(),
        "seed {seed}: a canary is left after {end:?}"
    );
    match end.kind {
        OutcomeKind::Succeeded => {
            // It may have been deleted since; what was recorded is judged when it is decided.
            if let Some(d) = w.target.as_ref().filter(|_| ours) {
                assert_eq!(d.hash, w.candidate_hash(), "seed {seed}");
            }
            // A person may go on without measurements, and answers for that.
            let waived =
                w.candidate == Candidate::Failing && w.stored.measurements.iter().any(|m| m.waived);
            assert!(
                w.candidate == Candidate::Good || waived,
                "seed {seed}: promoted {:?}",
                w.candidate
            );
            if let Some(e) = &w.environment {
                assert_eq!(e.stable.as_ref().unwrap().template_hash, w.candidate_hash());
                assert!(w.templates.contains_key(&e.stable.as_ref().unwrap().name));
            }
        }
        OutcomeKind::RolledBack | OutcomeKind::Superseded if ours => {
            let d = w.target.as_ref().unwrap();
            let claimed = d.claimed_by.as_deref() == Some(crate::rollout::fixture::UID);
            if claimed {
                let stable = w.oracle.stable.clone().unwrap_or_else(|| w.stable_hash());
                assert_eq!(d.hash, stable, "seed {seed}: {end:?}");
            }
        }
        OutcomeKind::Failed => assert!(!ours || made, "seed {seed}: {end:?}"),
        OutcomeKind::RolledBack | OutcomeKind::Superseded => {}
        OutcomeKind::Refused
        | OutcomeKind::Rejected
        | OutcomeKind::Expired
        | OutcomeKind::Cancelled
        | OutcomeKind::Planned => {
            let ours = w.target.as_ref().and_then(|d| d.claimed_by.as_deref())
                == Some(crate::rollout::fixture::UID);
            assert!(!ours, "seed {seed}: {end:?} although it changed the target");
        }
    }
    if let Some(e) = &w.environment {
        let entries = e
            .history
            .iter()
            .filter(|o| o.rollout == w.view.name)
            .count();
        assert_eq!(entries, 1, "seed {seed}");
        let quarantined = e
            .quarantined
            .iter()
            .any(|q| q.digest == w.view.spec.image.digest);
        let blamed = end.kind == OutcomeKind::Succeeded && quarantined;
        assert!(!blamed, "seed {seed}: quarantined although it serves");
    }
    // And quiet from now on.
    let before = (w.stored.clone(), w.environment.clone(), w.oracle.writes);
    for _ in 0..10 {
        w.turn();
        w.pass(false);
    }
    let after = (w.stored.clone(), w.environment.clone(), w.oracle.writes);
    assert!(before == after, "seed {seed}: writes after the end");
}

/// Seeds of histories that once failed.
const REGRESSIONS: &[u64] = &[7018];

#[test]
fn every_history_comes_to_a_right_end() {
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for seed in REGRESSIONS.iter().copied().chain(0..histories()) {
        let w = play(seed);
        *ends.entry(w.stored.phase.clone()).or_default() += 1;
    }
    println!(
        "{} histories: {ends:?}",
        REGRESSIONS.len() as u64 + histories()
    );
    // A world in which nothing but one end ever comes would prove little.
    for phase in [
        "Succeeded",
        "RolledBack",
        "Refused",
        "Rejected",
        "Cancelled",
        "Failed",
    ] {
        assert!(
            ends.contains_key(phase),
            "no history ends as {phase}: {ends:?}"
        );
    }
}

/// In fair weather the end is the candidate's own: good ones are promoted, others rolled back.
#[test]
fn without_a_storm_only_the_candidate_decides() {
    let mut n = 0;
    for seed in 0..400 {
        let mut w = World::new(seed);
        let asker = w.view.spec.cause.requester.is_some() && !w.returns();
        let returned_bad = w.returns();
        if asker {
            continue;
        }
        w.crash = 5;
        for _ in 0..CALM {
            if w.stored.state.ended() {
                break;
            }
            w.calm_people();
            w.turn();
            w.pass(false);
        }
        let expected = match (w.candidate, returned_bad) {
            (Candidate::Good, _) => "Succeeded",
            (Candidate::Bad | Candidate::NeverReady | Candidate::Failing, _) => "RolledBack",
        };
        assert_eq!(
            w.stored.phase, expected,
            "seed {seed}: {:?} {:#?}",
            w.candidate, w.stored
        );
        let e = w.environment.as_ref().unwrap();
        let blamed = e
            .quarantined
            .iter()
            .any(|q| q.digest == w.view.spec.image.digest);
        assert_eq!(
            blamed,
            expected == "RolledBack" && !w.returns(),
            "seed {seed}"
        );
        n += 1;
    }
    println!("{n} histories in fair weather");
}
