use super::*;

#[test]
fn logarithms_are_those_of_the_standard_library() {
    let mut x = 1e-300;
    let mut looked = 0;
    while x < 1e300 {
        let (ours, theirs) = (ln(x), x.ln());
        assert!(
            (ours - theirs).abs() <= 4e-16 * theirs.abs().max(1.0),
            "{x}: {ours} {theirs}"
        );
        x *= 1.037;
        looked += 1;
    }
    assert!(looked > 30_000);
    for near in [
        1.0 - 1e-9,
        1.0 + 1e-9,
        1.0 + f64::EPSILON,
        0.999,
        1.001,
        1.414,
        1.415,
    ] {
        assert!((ln(near) - near.ln()).abs() <= 2e-16, "{near}");
    }
    assert_eq!(ln(1.0).to_bits(), 0);
    for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-320] {
        assert!(ln(odd).is_nan(), "{odd}");
    }
}

#[test]
fn factors_multiply_and_are_rounded_down() {
    let one = Evidence::default();
    assert_eq!(one.times(0.5), Evidence(500_000_000));
    assert_eq!(one.times(1.5e-9), Evidence(1));
    assert_eq!(one.times(-1.5e-9), Evidence(-2));
    assert_eq!(one.times(0.25).times(0.25), Evidence(500_000_000));
    assert_eq!(one.times(f64::NAN), one);
}

#[test]
fn it_ends_at_both_ends() {
    for (log, end) in [
        (f64::INFINITY, MOST),
        (1e300, MOST),
        (f64::NEG_INFINITY, -MOST),
        (-1e300, -MOST),
    ] {
        let there = Evidence(7).times(log);
        assert_eq!(there, Evidence(end));
        assert_eq!(there.times(log), Evidence(end));
    }
    assert_eq!(Evidence(-MOST).times(f64::INFINITY), Evidence(MOST));
}

#[test]
fn the_level_is_one_against_alpha() {
    let hundred = Evidence::default().times(100_f64.ln() + 2e-9);
    for (alpha, reached) in [(0.02, true), (0.01, true), (0.009_999, false), (0.0, false)] {
        assert_eq!(hundred.reaches(alpha), reached, "{alpha}");
    }
    assert!(!Evidence::default().times(100_f64.ln() - 2e-9).reaches(0.01));
    assert!(!Evidence(MOST).reaches(0.0));
    assert!(!Evidence(MOST).reaches(f64::NAN));
}

#[test]
fn is_a_whole_number_in_json() {
    let json = serde_json::to_string(&Evidence(-1_234_567_890)).unwrap();
    assert_eq!(json, "-1234567890");
    assert_eq!(
        serde_json::from_str::<Evidence>(&json).unwrap(),
        Evidence(-1_234_567_890)
    );
}
