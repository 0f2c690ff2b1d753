//! The worst that the limits allow, measured.

use std::time::Instant as Clock;

use super::*;
use crate::policy::expression::variables::{ITEM_BYTES, LIST_ITEMS, MAP_ITEMS, TEXT_BYTES};

/// Longest evaluation, in a debug build on a busy machine. Seen: 9 ms.
const CEILING_MILLIS: u128 = 50;

/// Everything as large as it may be.
fn largest() -> Variables {
    let item = |index: usize| format!("{}{index:02}", "g".repeat(ITEM_BYTES - 2));
    let list: Vec<String> = (0..LIST_ITEMS).map(item).collect();
    let text = "a".repeat(TEXT_BYTES);
    Variables {
        reason: text.clone(),
        requester: RequesterVariables {
            name: text.clone(),
            groups: list.clone(),
        },
        checks: list,
        image: ImageVariables {
            annotations: (0..MAP_ITEMS)
                .map(|index| (item(index), text.clone()))
                .collect(),
            ..ImageVariables::default()
        },
        ..Variables::default()
    }
}

/// The most repetitions of a part that are let in.
fn most(make: impl Fn(&str) -> String, part: &str, separator: &str) -> Option<Expression> {
    let mut last = None;
    for count in 1..TEXT_LIMIT {
        match Expression::parse(&make(&vec![part; count].join(separator))) {
            Ok(expression) => last = Some(expression),
            Err(_) => break,
        }
    }
    last
}

#[test]
fn the_worst_expression_is_soon_done() {
    let inputs = largest();
    let groups = "rollout.requester.groups";
    let attacks = [
        // What stands around the part, the part, what joins two of them.
        (
            "rollout.requester.groups.all(x, rollout.requester.groups.all(y, #))",
            "x != ''",
            "&&",
        ),
        ("rollout.requester.groups.all(x, #)", "x != ''", "&&"),
        (
            "rollout.requester.groups.all(x, #)",
            "x in rollout.requester.groups",
            "&&",
        ),
        ("rollout.requester.groups.all(x, (#) != '')", "x", "+"),
        ("rollout.requester.groups.all(x, # > 0)", "1", "+"),
        (
            "rollout.requester.groups.all(x, size([#]) > 0)",
            "rollout.reason",
            ",",
        ),
        (
            "rollout.requester.groups.all(x, #)",
            "now.getHours('Europe/Berlin') >= 0",
            "&&",
        ),
        (
            "rollout.requester.groups.all(x, #)",
            "now > timestamp('1926-01-01T00:00:00Z')",
            "&&",
        ),
        ("[rollout.reason]#.size() > 0", ".map(x, x + x)", ""),
        ("rollout.requester.groups#.size() > 0", ".map(x, x + x)", ""),
        (
            "rollout.requester.groups#.size() > 0",
            ".map(x, [x, x])",
            "",
        ),
        ("# != ''", "rollout.reason", "+"),
        ("#", "!rollout.reason.contains(rollout.reason + 'b')", "&&"),
        ("#", "rollout.reason == rollout.reason", "&&"),
        (
            "#",
            "rollout.requester.groups == rollout.requester.groups",
            "&&",
        ),
        ("#", "size(rollout.reason) > 0", "&&"),
        ("#", "!rollout.reason.matches('(a?){30}b$')", "&&"),
        ("#", "!rollout.reason.matches('[ab]*a[ab]{60}c')", "&&"),
        ("#", "!rollout.reason.matches('(\\\\w*\\\\w*)x$')", "&&"),
        ("#", "!rollout.reason.matches('(.*a){40}c')", "&&"),
        ("#", "!rollout.reason.matches('([ab]{1,60}a){6}c')", "&&"),
        ("#", "!rollout.reason.matches('([ab]{1,40}a){3}c')", "&&"),
        ("#", "!rollout.reason.matches('([ab]{1,9}a){2}c')", "&&"),
        (
            "rollout.image.annotations.all(k, #)",
            "!rollout.image.annotations[k].contains('aaaaaaab')",
            "&&",
        ),
    ];
    let mut slowest = (0, String::new());
    for (around, part, separator) in attacks {
        let expression = most(|parts| around.replace('#', parts), part, separator)
            .unwrap_or_else(|| panic!("nothing of {part} is let in"));
        // The best of five: what the machine does meanwhile is not the expression's.
        let took = (0..5)
            .map(|_| {
                let before = Clock::now();
                let answer = expression.evaluate(&inputs, friday_evening());
                let took = before.elapsed().as_micros();
                assert!(answer.is_ok(), "{expression}: {answer:?}");
                took
            })
            .min()
            .unwrap();
        slowest = slowest.max((took, expression.to_string()));
    }
    let (took, expression) = slowest;
    println!("the slowest took {took} µs: {expression}");
    assert!(took / 1000 < CEILING_MILLIS, "{took} µs: {expression}");
    // One more level of lists in one another would take seconds.
    let deep = format!("{groups}.all(x, {groups}.all(y, {groups}.all(z, x != y)))");
    assert!(Expression::parse(&deep).is_err());
    let costly = format!("{groups}.all(x, {groups}.all(y, x + y + x + y != ''))");
    assert!(Expression::parse(&costly).unwrap_err().contains("steps"));
}

#[test]
fn reading_is_soon_done_whatever_the_text() {
    for part in [
        "(",
        "[",
        "!",
        "-",
        "a.",
        "a<",
        "f(",
        "true?",
        "true?true:",
        "true&&",
        "1+",
        "'\"",
        "\\",
        "a.b().c()",
        "[true?[",
        "{'a':",
        ".",
        "\u{1F980}",
        "a.all(x,",
        "\n",
        "0x",
        "b'",
        "r'''",
    ] {
        let text = part.repeat(TEXT_LIMIT / part.len());
        let before = Clock::now();
        let _ = Expression::parse(&text);
        let took = before.elapsed().as_millis();
        assert!(took < 1000, "{part:?} took {took} ms");
    }
}

#[test]
fn an_expression_has_bounds() {
    let long = format!("rollout.reason == '{}'", "a".repeat(TEXT_LIMIT));
    assert!(Expression::parse(&long).unwrap_err().contains("1024"));
    let parts = vec!["true"; 150].join("&&");
    assert!(Expression::parse(&parts).unwrap_err().contains("200 parts"));
    let nested = format!("{}true{}", "(".repeat(25), ")".repeat(25));
    assert!(Expression::parse(&nested).unwrap_err().contains("24"));
    let nested = format!("{}true{}", "(".repeat(24), ")".repeat(24));
    assert_eq!(ask(&nested), Ok(true));
}

/// A text that is cut would hide its end from the rule that looks there.
#[test]
fn inputs_that_are_too_large_are_an_error_where_they_are_looked_at() {
    let over = Variables {
        reason: format!("{}secret", "a".repeat(TEXT_BYTES)),
        checks: vec![String::new(); LIST_ITEMS + 1],
        requester: RequesterVariables {
            name: "alice".into(),
            groups: vec!["g".repeat(ITEM_BYTES + 1)],
        },
        image: ImageVariables {
            annotations: (0..=MAP_ITEMS)
                .map(|index| (index.to_string(), String::new()))
                .collect(),
            ..ImageVariables::default()
        },
        ..Variables::default()
    };
    let ask = |text: &str| {
        Expression::parse(text)
            .unwrap()
            .evaluate(&over, friday_evening())
    };
    assert_eq!(ask("rollout.requester.name == 'alice'"), Ok(true));
    let told: Vec<String> = [
        "rollout.reason.contains('secret')",
        "'x' in rollout.checks",
        "'x' in rollout.requester.groups",
        "'x' in rollout.image.annotations",
    ]
    .iter()
    .map(|text| ask(text).unwrap_err())
    .collect();
    expect![[r#"
        rollout.reason has 4102 bytes in one text, and rules look at 4096 at most
        rollout.checks has 65 entries, and rules look at 64 at most
        rollout.requester.groups has 257 bytes in one text, and rules look at 256 at most
        rollout.image.annotations has 65 entries, and rules look at 64 at most"#]]
    .assert_eq(&told.join("\n"));
    assert!(largest().reason.len() == TEXT_BYTES && ask("now < now").is_ok());
}
