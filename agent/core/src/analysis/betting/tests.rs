use super::*;

fn after(windows: &str) -> SignTest {
    let mut test = SignTest::default();
    for window in windows.chars() {
        test.look(window == '+');
    }
    test
}

#[test]
fn rejects_after_as_many_windows_as_promised() {
    for (windows, alpha, rejected) in [
        ("++++++++", 0.01, false),
        ("+++++++++", 0.01, true),
        ("++++", 0.05, false),
        ("++++++", 0.05, true),
        ("+++-+++++++++", 0.01, false),
        ("+++-++++++++++", 0.01, true),
        ("+-+-+-+-+-+-+-+-+-+-+-+-", 0.2, false),
        ("------------------------", 0.2, false),
        ("--------++++++++++++++++++++++++++", 0.01, false),
        ("--------+++++++++++++++++++++++++++", 0.01, true),
        ("", 0.2, false),
    ] {
        assert_eq!(
            after(windows).rejects(alpha),
            rejected,
            "{windows} at {alpha}"
        );
    }
}

/// Over all ways that twelve windows can go, with a fair coin: the wealth that is expected is at
/// most 1, and it ever reaches the level in at most a share `alpha` of them.
#[test]
fn a_fair_coin_wins_nothing_and_rarely_reaches_the_level() {
    const WINDOWS: u32 = 12;
    for alpha in [0.01, 0.05, 0.2] {
        let (mut wealth, mut ever) = (0.0, 0_u32);
        for ways in 0..1_u32 << WINDOWS {
            let mut test = SignTest::default();
            let mut reached = false;
            for k in 0..WINDOWS {
                test.look(ways >> k & 1 == 1);
                reached |= test.rejects(alpha);
            }
            let json = serde_json::to_string(&test.evidence).unwrap();
            wealth += (json.parse::<f64>().unwrap() / 1e9).exp();
            ever += u32::from(reached);
        }
        let all = f64::from(1 << WINDOWS);
        assert!(
            (0.99..=1.0 + 1e-12).contains(&(wealth / all)),
            "{}",
            wealth / all
        );
        assert!(f64::from(ever) / all <= alpha, "{ever} of {all} at {alpha}");
        assert!(ever > 0, "the level can be reached");
    }
}

#[test]
fn no_stake_is_all_of_the_wealth_and_none_is_negative() {
    let mut test = after(&"+".repeat(1_000));
    assert!((16..=32).contains(&test.recent) && test.recent_above == test.recent);
    let before = test.evidence;
    test.look(false);
    // Much is lost, and can be won back.
    assert!(test.evidence < before && test.rejects(0.01));
    assert_eq!(
        after("--------").evidence,
        after("-").evidence,
        "no bet on what is seldom"
    );
}

#[test]
fn worse_is_beyond_the_margin_on_the_bad_side() {
    for (candidate, stable, margin, more_is_worse, expected) in [
        (220.0, 200.0, 0.1, true, Some(false)),
        (220.1, 200.0, 0.1, true, Some(true)),
        (180.0, 200.0, 0.1, true, Some(false)),
        (200.0, 200.0, 0.0, true, Some(false)),
        (179.9, 200.0, 0.1, false, Some(true)),
        (180.1, 200.0, 0.1, false, Some(false)),
        (250.0, 200.0, 0.1, false, Some(false)),
        (0.0, 0.0, 0.1, true, Some(false)),
        (0.1, 0.0, 0.1, true, Some(true)),
        // A margin is room on the bad side of negative values too.
        (-190.0, -200.0, 0.1, true, Some(false)),
        (-170.0, -200.0, 0.1, true, Some(true)),
        (f64::NAN, 200.0, 0.1, true, None),
        (200.0, f64::NAN, 0.1, true, None),
        (200.0, f64::INFINITY, 0.1, true, None),
    ] {
        assert_eq!(
            worse(candidate, stable, margin, more_is_worse),
            expected,
            "{candidate} {stable} {margin} {more_is_worse}"
        );
    }
}
