//! What is let in runs: no panic, and no error but those of values.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;

/// Trees of parts that fit together now and then.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("rollout.reason".to_owned()),
        Just("rollout.skipCanary".to_owned()),
        Just("rollout.checks".to_owned()),
        Just("rollout.image.annotations".to_owned()),
        Just("rollout.image.annotations.team".to_owned()),
        Just("now".to_owned()),
        Just("x".to_owned()),
        Just("timestamp('2026-01-01T00:00:00Z')".to_owned()),
        Just("duration('90s')".to_owned()),
        Just("[]".to_owned()),
        Just("true".to_owned()),
        Just("'team'".to_owned()),
        Just("''".to_owned()),
        (0..4_i64).prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let operator = prop_oneof![
            Just("&&"),
            Just("||"),
            Just("=="),
            Just("!="),
            Just("<"),
            Just(">="),
            Just("in"),
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("%"),
        ];
        let function = prop_oneof![Just("contains"), Just("startsWith"), Just("endsWith"),];
        let part = prop_oneof![
            Just("size"),
            Just("getHours"),
            Just("getDayOfWeek"),
            Just("getSeconds"),
        ];
        let each = prop_oneof![
            Just("all"),
            Just("exists"),
            Just("exists_one"),
            Just("map"),
            Just("filter"),
        ];
        let one = prop_oneof![
            Just("size"),
            Just("int"),
            Just("string"),
            Just("!"),
            Just("-")
        ];
        prop_oneof![
            3 => (two.clone(), operator).prop_map(|((a, b), o)| format!("({a} {o} {b})")),
            1 => (two.clone(), function).prop_map(|((a, b), f)| format!("{a}.{f}({b})")),
            1 => (inner.clone(), part).prop_map(|(a, f)| format!("{a}.{f}()")),
            2 => (two.clone(), each).prop_map(|((a, b), f)| format!("{a}.{f}(x, {b})")),
            1 => two.clone().prop_map(|(a, b)| format!("{a}[{b}]")),
            1 => two.clone().prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (two, inner.clone()).prop_map(|((a, b), c)| format!("({a} ? {b} : {c})")),
            1 => (inner.clone(), one).prop_map(|(a, f)| format!("{f}({a})")),
            1 => inner.clone().prop_map(|a| format!("{a}.matches('^t.*m$')")),
            1 => inner.prop_map(|a| format!("has({a}.team)")),
        ]
    })
}

/// The errors that values may cause.
fn of_values(why: &str) -> bool {
    [
        "there is no annotation",
        "an index is outside",
        "a division by zero",
        "a number is too large",
        "int cannot read",
    ]
    .iter()
    .any(|known| why.contains(known))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_let_in_fails_by_its_values_alone(text in expression()) {
        let read = Expression::parse(&text).or_else(|_| {
            // Most trees are no question: compared with itself, each that fits becomes one.
            Expression::parse(&format!("{text} == {text}"))
        });
        if let Ok(read) = read {
            for variables in [release(), Variables::default()] {
                let first = read.evaluate(&variables, friday_evening());
                if let Err(why) = &first {
                    prop_assert!(of_values(why), "{}: {}", read, why);
                }
                prop_assert_eq!(&first, &read.evaluate(&variables, friday_evening()));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\\n]{0,60}|[\\PC]{0,30}") {
        if let Err(why) = Expression::parse(&text) {
            prop_assert!(!why.is_empty() && !why.contains('\n'), "{:?}: {:?}", text, why);
        }
    }
}

#[test]
fn the_trees_are_let_in_often_enough() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut let_in = 0;
    for _ in 0..2000 {
        let text = expression().new_tree(&mut runner).unwrap().current();
        let read =
            Expression::parse(&text).or_else(|_| Expression::parse(&format!("{text} == {text}")));
        let_in += usize::from(read.is_ok());
    }
    assert!(let_in > 40, "{let_in} of 2000");
}
