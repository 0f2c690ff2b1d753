use proptest::prelude::*;

use super::*;

fn counts(events: u64, total: u64) -> Counts {
    Counts { events, total }
}

/// Probability of so many events.
fn binomial(seen: Counts, p: f64) -> f64 {
    let ways = (1..=seen.events).fold(1.0, |ways, k| {
        ways * number(seen.total - seen.events + k) / number(k)
    });
    let power = |base: f64, n: u64| base.powi(i32::try_from(n).unwrap());
    ways * power(p, seen.events) * power(1.0 - p, seen.total - seen.events)
}

/// The expectation of `factor`, given as a logarithm, over all outcomes of a block.
fn expectation(n: (u64, u64), at: Point, factor: impl Fn(Counts, Counts) -> f64) -> f64 {
    let mut sum = 0.0;
    for i in 0..=n.0 {
        for j in 0..=n.1 {
            let (stable, candidate) = (counts(i, n.0), counts(j, n.1));
            sum += binomial(stable, at.a)
                * binomial(candidate, at.b)
                * factor(stable, candidate).exp();
        }
    }
    sum
}

/// Points of the null hypothesis: on its edge, at its corners and inside.
fn good(margin: f64) -> Vec<Point> {
    let steps = [0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0];
    let mut all = Vec::new();
    for a in steps {
        let edge = f64::min(a + margin, 1.0);
        for part in [1.0, 0.9, 0.5, 0.0] {
            all.push(Point { a, b: edge * part });
        }
    }
    all
}

const MARGINS: [f64; 4] = [0.0, 0.005, 0.1, 0.6];
const SIZES: [(u64, u64); 4] = [(9, 1), (5, 5), (1, 12), (30, 4)];

/// What [`CountTest`] may have seen before a block.
fn histories() -> Vec<CountTest> {
    let mut all = Vec::new();
    for (stable, candidate) in [
        ((1, 90), (1, 10)),
        ((0, 9), (1, 1)),
        ((0, 1_000_000), (900_000, 1_000_000)),
        ((50, 100), (49, 50)),
        ((3, 100), (0, 100)),
    ] {
        let mut one = CountTest::default();
        one.look(
            counts(stable.0, stable.1),
            counts(candidate.0, candidate.1),
            0.0,
        );
        all.push(one);
    }
    all
}

/// The claim itself, by adding up all outcomes: whoever bets against a good candidate wins nothing.
#[test]
fn no_factor_expects_to_win_against_a_good_candidate() {
    let mut most: f64 = 0.0;
    for before in histories().into_iter().chain([CountTest::default()]) {
        for margin in MARGINS {
            for n in SIZES {
                for at in good(margin) {
                    let e = expectation(n, at, |stable, candidate| {
                        before.log_factor(&Block {
                            stable,
                            candidate,
                            margin,
                        })
                    });
                    assert!(e <= 1.0 + 1e-9, "{before:?} {margin} {n:?} {at:?}: {e}");
                    if before.log_factor(&Block {
                        stable: counts(0, n.0),
                        candidate: counts(n.1, n.1),
                        margin,
                    }) > 0.0
                    {
                        most = most.max(e);
                    }
                }
            }
        }
    }
    // No power is given away either: on the edge the expectation of a real bet comes close to 1.
    assert!(most > 0.99, "{most}");
}

/// The same for two blocks of which the second depends on the first.
#[test]
fn nor_do_two_blocks_after_one_another() {
    for margin in [0.0, 0.1] {
        for a in [0.01, 0.2, 0.5, 0.85] {
            let at = Point { a, b: a + margin };
            let e = expectation((6, 3), at, |stable, candidate| {
                let mut test = CountTest::default();
                test.look(stable, candidate, margin);
                let second = expectation((3, 6), at, |stable, candidate| {
                    test.log_factor(&Block {
                        stable,
                        candidate,
                        margin,
                    })
                });
                let first = CountTest::default();
                first.log_factor(&Block {
                    stable,
                    candidate,
                    margin,
                }) + second.ln()
            });
            assert!(e <= 1.0 + 1e-9, "{margin} {at:?}: {e}");
        }
    }
}

/// What is taken off makes any point do, and without it a wrong one would not: the test above can
/// fail.
#[test]
fn the_nearest_point_is_the_best_and_any_other_is_made_good() {
    let (n, margin) = ((5, 5), 0.1);
    let size = Point { a: 5.0, b: 5.0 };
    let expected = Point { a: 0.2, b: 0.6 };
    let best = nearest(size, expected, margin);
    assert!(excess(size, expected, best, margin) < 1e-12);
    let expect = |chosen: Point, off: f64, at: Point| {
        expectation(n, at, |stable, candidate| {
            stable.log_ratio(expected.a, chosen.a) + candidate.log_ratio(expected.b, chosen.b) - off
        })
    };
    for wrong in [0.25, 0.3, 0.45] {
        let chosen = Point {
            a: wrong,
            b: wrong + margin,
        };
        let off = excess(size, expected, chosen, margin);
        assert!(off > 0.01, "{wrong}: {off}");
        let raw = good(margin)
            .into_iter()
            .map(|at| expect(chosen, 0.0, at))
            .fold(0.0, f64::max);
        assert!(raw > 1.01, "{wrong}: {raw}");
        for at in good(margin) {
            assert!(expect(chosen, off, at) <= 1.0 + 1e-9, "{wrong} {at:?}");
        }
        // Under what is expected, the nearest point wins more, in the logarithm.
        let growth = |chosen: Point, off: f64| {
            5.0 * (divergence(expected.a, chosen.a) + divergence(expected.b, chosen.b)) - off
        };
        assert!(growth(best, 0.0) > growth(chosen, off), "{wrong}");
    }
}

fn divergence(p: f64, q: f64) -> f64 {
    p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln()
}

#[test]
fn nothing_is_bet_without_both_versions() {
    let mut test = histories().remove(1);
    let before = test.evidence;
    test.look(counts(0, 0), counts(5, 5), 0.0);
    test.look(counts(0, 50), counts(0, 0), 0.0);
    test.look(counts(0, LARGEST + 1), counts(5, 5), 0.0);
    test.look(counts(0, 5), counts(5, 5), 1.0);
    test.look(counts(0, 5), counts(5, 5), f64::NAN);
    assert_eq!(test.evidence, before);
    assert_eq!(test.candidate, counts(21, 21));
    // Counts that cannot be are no events beyond all of them.
    test.look(counts(9, 5), counts(7, 5), 0.0);
    assert!(test.evidence.reaches(1.0) || test.evidence < Evidence::default());
}

#[test]
fn a_crash_is_noticed_in_the_first_window() {
    for (stable, candidate, rejected) in [
        (counts(0, 180), counts(20, 20), true),
        (counts(2, 180), counts(12, 20), true),
        (counts(20, 1_800), counts(30, 200), true),
        (counts(0, 90), counts(1, 10), false),
        (counts(18, 180), counts(2, 20), false),
        (counts(180, 180), counts(20, 20), false),
    ] {
        let mut test = CountTest::default();
        test.look(stable, candidate, 0.0);
        assert_eq!(test.rejects(0.01), rejected, "{stable:?} {candidate:?}");
    }
}

/// 1 % against 5 %, in blocks of 180 and 20. The same bits on every machine.
#[test]
fn the_same_blocks_give_the_same_evidence() {
    let mut test = CountTest::default();
    let mut seen = Vec::new();
    for k in 0..16_u64 {
        test.look(counts(1 + k % 3, 180), counts(k % 2 + 1, 20), 0.0);
        seen.push(test.evidence);
    }
    let json = serde_json::to_value(test).unwrap();
    assert_eq!(serde_json::from_value::<CountTest>(json).unwrap(), test);
    assert!(test.rejects(0.01) && !test.rejects(1e-9));
    expect_test::expect!["[-105360516,1684366288,1905908282,4043249394,4634532419,6241309079,7225951120,9241461839,9392770674,11790513110,12365170894,13978601612,14979993798,17021287178,17151370802,19602441372]"].assert_eq(&serde_json::to_string(&seen).unwrap());
}

/// What is old counts for less, so a late turn is seen in the expectation.
#[test]
fn expectations_forget() {
    let mut test = CountTest::default();
    for _ in 0..100 {
        test.look(counts(2, 180), counts(0, 20), 0.0);
    }
    assert_eq!(test.candidate, counts(0, 2_000));
    assert!((500..=1_000).contains(&test.recent_candidate.total));
    assert_eq!(test.stable, counts(200, 18_000));
    // The ratio of the two versions stays.
    assert!(
        test.recent_stable
            .total
            .abs_diff(9 * test.recent_candidate.total)
            < 20
    );
}

proptest! {
    /// Whatever is counted, the evidence stays a number, and rounding takes nothing that matters.
    #[test]
    fn any_counts_do(
        blocks in prop::collection::vec(
            (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), 0..64_u32, 0..64_u32), 1..20),
        margin in prop_oneof![Just(0.0), 0.0..1.0_f64],
    ) {
        let mut test = CountTest::default();
        for (i, n, j, m, x, y) in blocks {
            let (n, m) = (n >> x, m >> y);
            test.look(counts(i.checked_rem(n).unwrap_or(0), n), counts(j.checked_rem(m).unwrap_or(0), m), margin);
        }
        let json = serde_json::to_string(&test).unwrap();
        prop_assert_eq!(serde_json::from_str::<CountTest>(&json).unwrap(), test);
    }

    /// At the nearest point hardly anything is above zero, for blocks of any real size.
    #[test]
    fn the_nearest_point_is_found(
        a in 1e-6..0.98_f64, lift in 1e-6..1.0_f64, margin in prop_oneof![Just(0.0), 0.0..0.5_f64],
        n in 1..1_000_000_u64, m in 1..1_000_000_u64,
    ) {
        let b = a + margin + lift * (1.0 - a - margin);
        prop_assume!(b < 0.999_999 && a + margin < b);
        let (size, expected) = (Point { a: number(n), b: number(m) }, Point { a, b });
        let found = nearest(size, expected, margin);
        prop_assert!(found.a > 0.0 && found.b < 1.0);
        let off = excess(size, expected, found, margin);
        prop_assert!(off < 1e-3, "{off}");
    }
}
