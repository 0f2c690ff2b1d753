//! What falls out, and what stays.

use super::*;
use crate::plugin::SeriesRole;
use crate::rollout::fixture::t;

fn record(step: u32, n: usize, summary: &str) -> MeasurementRecord {
    MeasurementRecord {
        step,
        watch: false,
        name: format!("{n:0>63}"),
        outcome: Outcome::Pass,
        passes: 1,
        failures: u32::MAX,
        inconclusive: u32::MAX,
        summary: summary.into(),
        candidate: Some(Numbers {
            events: u64::MAX,
            total: u64::MAX,
            value: None,
        }),
        stable: None,
        at: t(1),
        waived: false,
    }
}

#[test]
fn an_analysis_has_one_entry_in_a_step() {
    let mut j = Journal::default();
    j.keep_measurement(record(0, 1, "one"));
    j.keep_measurement(record(0, 1, "two"));
    j.keep_measurement(record(1, 1, "three"));
    let told: Vec<_> = j.measurements.iter().map(|m| m.summary.as_str()).collect();
    assert_eq!(told, ["two", "three"]);
    let watch = MeasurementRecord {
        watch: true,
        ..record(1, 1, "four")
    };
    j.keep_measurement(watch);
    assert_eq!(j.measurements.len(), 3, "the watch is another place");
}

#[test]
fn earlier_steps_fall_out_and_this_one_stays() {
    let mut j = Journal::default();
    for step in 0..32 {
        for n in 0..8 {
            j.keep_measurement(record(step, n, &"x".repeat(300)));
        }
        let here = j.measurements.iter().filter(|m| m.step == step).count();
        assert_eq!(here, 8, "step {step}");
        assert!(bytes(&j.measurements) <= MEASUREMENTS_BYTES);
    }
    assert_eq!(
        usize::try_from(j.measurements_cut).unwrap() + j.measurements.len(),
        32 * 8
    );
}

#[test]
fn what_is_no_number_is_not_kept() {
    let series = |value| Series {
        role: SeriesRole::Candidate,
        events: 0,
        total: 0,
        value,
    };
    assert_eq!(Numbers::of(&series(Some(f64::NAN))), None);
    assert_eq!(Numbers::of(&series(None)), None);
    assert_eq!(Numbers::of(&series(Some(0.5))).unwrap().number(), Some(0.5));
    let counted = Series {
        events: 1,
        total: 4,
        ..series(Some(f64::INFINITY))
    };
    assert_eq!(Numbers::of(&counted).unwrap().number(), Some(0.25));
}
