//! What is remembered, how long, and what is never forgotten silently.

use proptest::prelude::*;

use super::*;
use crate::rollout::fixture::{mk_revision, t};

fn outcome(n: u32, kind: OutcomeKind) -> Outcome {
    Outcome {
        rollout: format!("rollout-{n}"),
        digest: format!("sha256:{n:064x}"),
        tag: Some(format!("v{n}")),
        kind,
        drill: false,
        at: t(i64::from(n)),
    }
}

fn quarantine(n: u32) -> Quarantine {
    Quarantine {
        digest: format!("sha256:{n:064x}"),
        tag: None,
        reason: "http-smoke failed".into(),
        rollout: format!("rollout-{n}"),
        at: t(i64::from(n)),
    }
}

#[test]
fn an_outcome_is_folded_in_once() {
    let e = EnvironmentStatus::default().with_outcome(
        outcome(1, OutcomeKind::Succeeded),
        Some(mk_revision('a', "v1")),
        None,
    );
    assert!(e.has_outcome("rollout-1") && e.succeeded(&outcome(1, OutcomeKind::Succeeded).digest));
    assert_eq!(e.stable, Some(mk_revision('a', "v1")));
    assert!(e.tried.is_empty(), "what succeeded may come again");
    let again = e.clone().with_outcome(
        outcome(1, OutcomeKind::RolledBack),
        Some(mk_revision('b', "v2")),
        Some(quarantine(1)),
    );
    assert_eq!(again, e);
}

#[test]
fn success_makes_a_stable_one_and_keeps_the_ones_before() {
    let mut e = EnvironmentStatus::default();
    for (n, letter) in (0_u32..).zip(['a', 'b', 'a', 'c']) {
        e = e.with_outcome(
            outcome(n, OutcomeKind::Succeeded),
            Some(mk_revision(letter, "v")),
            None,
        );
    }
    let names: Vec<_> = e.earlier.iter().map(|r| r.digest.clone()).collect();
    assert_eq!(
        e.stable.as_ref().unwrap().digest,
        mk_revision('c', "v").digest
    );
    assert_eq!(
        names,
        [mk_revision('a', "v").digest, mk_revision('b', "v").digest],
        "newest first, each once, and never the stable one"
    );
}

#[test]
fn only_what_failed_is_marked_as_tried() {
    for kind in [
        OutcomeKind::RolledBack,
        OutcomeKind::Refused,
        OutcomeKind::Rejected,
        OutcomeKind::Expired,
        OutcomeKind::Superseded,
        OutcomeKind::Cancelled,
        OutcomeKind::Failed,
    ] {
        let e = EnvironmentStatus::default().with_outcome(outcome(1, kind), None, None);
        let digest = outcome(1, kind).digest;
        assert!(e.tried.contains(&digest), "{kind:?}");
        assert!(!e.succeeded(&digest), "{kind:?}");
        let retried = e.with_retry(&digest);
        assert!(!retried.tried.contains(&digest));
        assert_eq!(retried.attempt, 1, "its next Rollout has another name");
    }
}

#[test]
fn lifting_a_quarantine_lets_it_in_again() {
    let e = EnvironmentStatus::default().with_outcome(
        outcome(1, OutcomeKind::RolledBack),
        None,
        Some(quarantine(1)),
    );
    let digest = quarantine(1).digest;
    assert!(e.quarantine(&digest).is_some());
    let lifted = e.with_lifted(&digest);
    assert!(lifted.quarantine(&digest).is_none() && !lifted.tried.contains(&digest));
}

#[test]
fn a_quarantine_is_never_forgotten_by_a_newer_one() {
    let mut e = EnvironmentStatus::default();
    let limit = u32::try_from(QUARANTINE_LIMIT).unwrap();
    for n in 0..limit + 10 {
        e = e.with_outcome(
            outcome(n, OutcomeKind::RolledBack),
            None,
            Some(quarantine(n)),
        );
    }
    for n in 0..limit + 10 {
        assert!(e.quarantine(&quarantine(n).digest).is_some(), "{n}");
    }
}

#[test]
fn a_refusal_keeps_its_instant_while_it_is_the_same() {
    let refusal = |reason: &str, second| Refusal {
        digest: "sha256:1".into(),
        tag: None,
        reasons: vec![reason.into()],
        at: t(second),
    };
    let e = EnvironmentStatus::default().with_refusal(refusal("too new", 1));
    let same = e.clone().with_refusal(refusal("too new", 2));
    assert_eq!(same, e, "nothing is written again");
    let other = e.with_refusal(refusal("unsigned", 3));
    assert_eq!(other.refused.as_ref().unwrap().at, t(3));
    assert_eq!(other.with_stable(mk_revision('a', "v1")).refused, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn memory_is_bounded(ends in prop::collection::vec((0..8_usize, any::<bool>()), 0..200)) {
        const KINDS: [OutcomeKind; 8] = [
            OutcomeKind::Succeeded, OutcomeKind::RolledBack, OutcomeKind::Refused,
            OutcomeKind::Rejected, OutcomeKind::Expired, OutcomeKind::Superseded,
            OutcomeKind::Cancelled, OutcomeKind::Failed,
        ];
        let mut e = EnvironmentStatus::default();
        for (n, (kind, bad)) in (0_u32..).zip(ends) {
            let mut revision = mk_revision('a', "v1");
            revision.name = format!("storefront-{n}");
            let promoted = (KINDS[kind] == OutcomeKind::Succeeded).then_some(revision);
            e = e.with_outcome(outcome(n, KINDS[kind]), promoted, bad.then(|| quarantine(n)));
        }
        prop_assert!(e.history.len() <= HISTORY_LIMIT);
        prop_assert!(e.tried.len() <= HISTORY_LIMIT);
        prop_assert!(e.earlier.len() < REVISION_LIMIT);
        prop_assert!(e.quarantined.len() <= 2 * QUARANTINE_LIMIT);
        let stable = e.stable.as_ref().map(|r| r.name.clone());
        prop_assert!(e.earlier.iter().all(|r| Some(&r.name) != stable.as_ref()));
    }
}
