//! Two candidates and one Lease, moment by moment.

use proptest::prelude::*;

use super::*;

/// The API server's side: compare-and-swap on one object.
#[derive(Default)]
struct Shelf {
    record: Option<Record>,
    version: u64,
}

impl Shelf {
    fn put(&mut self, holder: &str, epoch: u64, expected: Option<&str>, now: u64) -> bool {
        let at = self.record.as_ref().map(|r| r.resource_version.as_str());
        if at != expected {
            return false;
        }
        self.version += 1;
        self.record = Some(Record {
            holder: holder.to_owned(),
            duration_ms: DURATION_MS,
            transitions: epoch,
            renewed: now.to_string(),
            resource_version: self.version.to_string(),
        });
        true
    }

    /// One look of a candidate, its write included. True: it has to end.
    fn look(&mut self, who: &mut Candidacy, floor: u64, now: u64) -> bool {
        let me = who.me.clone();
        let step = who.next(self.record.as_ref(), floor, now);
        let (epoch, expected) = match &step {
            Step::Create { epoch } => (*epoch, None),
            Step::Take {
                epoch,
                resource_version,
            }
            | Step::Renew {
                epoch,
                resource_version,
            } => (*epoch, Some(resource_version.as_str())),
            Step::Wait => return false,
            Step::StepDown => return true,
        };
        if self.put(&me, epoch, expected, now) {
            who.written(epoch, now);
        }
        false
    }
}

#[test]
fn the_first_one_leads_and_keeps_leading() {
    let (mut shelf, mut a, mut b) = (
        Shelf::default(),
        Candidacy::new("a", Timing::default()),
        Candidacy::new("b", Timing::default()),
    );
    for now in (0..120_000).step_by(2000) {
        assert!(!shelf.look(&mut a, 0, now));
        assert!(!shelf.look(&mut b, 0, now + 1));
        assert_eq!(a.term(now + 1).map(|t| t.epoch), Some(1));
        assert_eq!(b.term(now + 1), None);
    }
}

#[test]
fn a_leader_that_sleeps_is_followed_by_one_with_a_higher_epoch_and_ends_when_it_wakes() {
    let (mut shelf, mut a, mut b) = (
        Shelf::default(),
        Candidacy::new("a", Timing::default()),
        Candidacy::new("b", Timing::default()),
    );
    shelf.look(&mut a, 0, 0);
    let mut taken = None;
    for now in (1000..40_000).step_by(1000) {
        shelf.look(&mut b, 0, now);
        if taken.is_none() && b.term(now).is_some() {
            taken = Some(now);
        }
    }
    assert_eq!(taken, Some(16_000), "one duration after it was first seen");
    assert_eq!(b.term(39_000).map(|t| t.epoch), Some(2));
    assert_eq!(a.term(10_000), None, "no writes past the renew deadline");
    assert!(shelf.look(&mut a, 0, 40_000), "it steps down when it wakes");
}

#[test]
fn a_lease_that_was_given_back_is_taken_at_once() {
    let (mut shelf, mut b) = (Shelf::default(), Candidacy::new("b", Timing::default()));
    shelf.put("", 7, None, 0);
    shelf.look(&mut b, 0, 1);
    assert_eq!(b.term(1).map(|t| t.epoch), Some(8));
}

#[test]
fn a_lost_lease_does_not_lower_the_epoch() {
    let (mut shelf, mut b) = (Shelf::default(), Candidacy::new("b", Timing::default()));
    shelf.look(&mut b, 41, 0);
    assert_eq!(b.term(0).map(|t| t.epoch), Some(42));
    // Nor does one that somebody wrote by hand.
    let mut c = Candidacy::new("c", Timing::default());
    shelf.record = None;
    shelf.put("", 3, None, 0);
    shelf.look(&mut c, 42, 1);
    assert_eq!(c.term(1).map(|t| t.epoch), Some(43));
}

#[test]
fn a_lease_that_another_took_is_noticed_even_within_the_deadline() {
    let (mut shelf, mut a) = (Shelf::default(), Candidacy::new("a", Timing::default()));
    shelf.look(&mut a, 0, 0);
    let version = shelf.record.as_ref().map(|r| r.resource_version.clone());
    shelf.put("b", 2, version.as_deref(), 1000);
    assert!(shelf.look(&mut a, 0, 2000));
    assert_eq!(a.term(2001), None);
}

proptest! {
    /// Whatever pauses the processes make: never two that may write, and epochs only rise.
    #[test]
    fn never_two_leaders_at_an_instant(gaps in prop::collection::vec((0_usize..3, 1_u64..30_000), 1..200)) {
        let mut shelf = Shelf::default();
        let mut who = [Candidacy::new("a", Timing::default()), Candidacy::new("b", Timing::default()), Candidacy::new("c", Timing::default())];
        let mut born = 3;
        let (mut now, mut highest) = (0, 0);
        for (i, gap) in gaps {
            now += gap;
            if shelf.look(&mut who[i], 0, now) {
                born += 1;
                who[i] = Candidacy::new(&format!("p{born}"), Timing::default());
            }
            let leading: Vec<u64> = who.iter().filter_map(|c| c.term(now)).map(|t| t.epoch).collect();
            prop_assert!(leading.len() <= 1, "{leading:?}");
            for epoch in leading {
                prop_assert!(epoch >= highest);
                highest = epoch;
            }
        }
    }
}
