use expect_test::{Expect, expect};

use super::*;

mod limits;
mod sound;

/// A release of the shop, asked for by alice on a Friday evening.
fn release() -> Variables {
    Variables {
        pipeline: "storefront".into(),
        environment: "production".into(),
        namespace: "shop".into(),
        deployment: "storefront".into(),
        trigger: "manual".into(),
        requester: RequesterVariables {
            name: "alice".into(),
            groups: vec!["devops-leads".into(), "engineers".into()],
        },
        reason: "SHOP-1204: new checkout".into(),
        skip_canary: false,
        break_glass: false,
        strategy: "canary".into(),
        checks: vec!["http-smoke".into()],
        image: ImageVariables {
            repository: "registry.example.com/shop/storefront".into(),
            tag: "v1.8.2".into(),
            digest: format!("sha256:{}", "a1".repeat(32)),
            revision: "8c3f1e2".into(),
            source: "https://git.example.com/shop/storefront".into(),
            annotations: [("team", "checkout"), ("example.com/risk", "low")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            signed_by: vec!["release-key".into()],
        },
    }
}

fn friday_evening() -> Timestamp {
    "2026-12-04T17:30:00Z".parse().unwrap()
}

fn ask(text: &str) -> Result<bool, String> {
    Expression::parse(text)
        .unwrap_or_else(|why| panic!("{text}: {why}"))
        .evaluate(&release(), friday_evening())
}

#[test]
fn answers_questions_about_a_rollout() {
    for text in [
        "rollout.pipeline == 'storefront' && rollout.environment == \"production\"",
        "rollout.namespace + '/' + rollout.deployment == 'shop/storefront'",
        "rollout.trigger in ['manual', 'webhook']",
        "rollout.requester.name == 'alice' && 'engineers' in rollout.requester.groups",
        "rollout.requester.groups.exists(g, g.startsWith('devops'))",
        "rollout.requester.groups.all(g, g.size() > 4) && size(rollout.requester.groups) == 2",
        "rollout.requester.groups.exists_one(g, g.endsWith('leads'))",
        "rollout.requester.groups.map(g, g + '!').filter(g, g.contains('eng'))[0] == 'engineers!'",
        "rollout.reason.matches('^[A-Z]+-[0-9]+: ')",
        "!rollout.skipCanary && !rollout.breakGlass",
        "rollout.strategy == 'canary' && rollout.checks == ['http-smoke']",
        "rollout.image.repository.contains('/shop/') && rollout.image.tag.startsWith('v')",
        "rollout.image.digest.size() == 71 && rollout.image.revision != ''",
        "rollout.image.source == 'https://git.example.com/shop/storefront'",
        "has(rollout.image.annotations.team) && rollout.image.annotations.team == 'checkout'",
        "!has(rollout.image.annotations.owner) && !('owner' in rollout.image.annotations)",
        "rollout.image.annotations['example.com/risk'] == 'low'",
        "rollout.image.annotations.map(key, key) == ['example.com/risk', 'team']",
        "'release-key' in rollout.image.signedBy",
        "int('3') + 4 * 2 - 1 == 10 && 7 % 4 == 3 && 7 / 2 == 3 && -1 < 0 && string(12) == '12'",
        "(rollout.breakGlass ? 2 : 1) == 1",
    ] {
        assert_eq!(ask(text), Ok(true), "{text}");
    }
    assert_eq!(ask("rollout.requester.name == 'bob'"), Ok(false));
}

#[test]
fn tells_the_time_in_every_zone() {
    for text in [
        "now == timestamp('2026-12-04T17:30:00Z') && now >= timestamp('2026-12-04T17:00:00+01:00')",
        "now.getFullYear() == 2026 && now.getMonth() == 11 && now.getDate() == 4",
        "now.getDayOfMonth() == 3 && now.getDayOfYear() == 337 && now.getDayOfWeek() == 5",
        "now.getHours() == 17 && now.getMinutes() == 30 && now.getSeconds() == 0",
        "now.getHours('Europe/Berlin') == 18 && now.getHours('Asia/Tokyo') == 2",
        "now.getDayOfWeek('Asia/Tokyo') == 6 && now.getMinutes('Asia/Kolkata') == 0",
        "now - timestamp('2026-12-04T16:00:00Z') == duration('1h30m')",
        "now + duration('1h') - duration('30m') > now && now - duration('-1s') > now",
        "duration('25h').getHours() == 25 && duration('1m30s').getMinutes() == 1",
        "(duration('1m') + duration('30s')).getSeconds() == 90",
    ] {
        assert_eq!(ask(text), Ok(true), "{text}");
    }
}

#[test]
fn what_cannot_be_told_is_an_error_and_no_answer() {
    let told: Vec<String> = [
        "rollout.image.annotations.owner == 'x'",
        "rollout.checks[1] == 'x'",
        "1 / (size(rollout.checks) - 1) == 0",
        "9223372036854775807 + size(rollout.checks) > 0",
        "int(rollout.image.tag) > 1",
        "now + duration('365d') > timestamp('9999-12-30T00:00:00Z') || int('x') == 1",
    ]
    .iter()
    .map(|text| ask(text).unwrap_err())
    .collect();
    expect![[r#"
        there is no annotation `owner`; ask with `in` or `has` first
        an index is outside its list; ask with `size` first
        a division by zero
        a number is too large
        int cannot read the text that it was given
        int cannot read the text that it was given"#]]
    .assert_eq(&told.join("\n"));
    // The other side of `||` and `&&` decides where it can, as everywhere in CEL.
    assert_eq!(ask("rollout.checks[1] == 'x' || true"), Ok(true));
    assert_eq!(ask("rollout.checks[1] == 'x' && false"), Ok(false));
}

fn problems(texts: &[&str], told: Expect) {
    let lines: Vec<String> = texts
        .iter()
        .map(|text| match Expression::parse(text) {
            Ok(_) => panic!("{text} is allowed"),
            Err(why) => format!("{text}\n    {why}\n"),
        })
        .collect();
    told.assert_eq(&lines.concat());
}

#[test]
fn mistakes_are_found_when_the_policy_is_read() {
    problems(
        &[
            "",
            "rollout.image.tagg == 'v1'",
            "rollout.requester == 'alice'",
            "rolout.pipeline == 'x'",
            "user == 'alice'",
            "rollout.image.annotations.a.b == 'x'",
            "rollout.image.tag.major == '1'",
            "rollout.reason.startWith('x')",
            "launch(1)",
            "rollout.skipCanary == 'yes'",
            "rollout.image.tag",
            "rollout.image.tag > 3",
            "rollout.reason && true",
            "'a' + 1 == 'b'",
            "['a', 1] == []",
            "rollout.image.tag in rollout.image.tag",
            "has(rollout.reason)",
            "rollout.image.tag.matches(rollout.reason)",
            "rollout.image.tag.matches('(')",
            "rollout.image.tag.matches('(\\\\w{50}){50}')",
            "rollout.image.tag == null",
            "1.5 > 1.0",
            "{'a': 1}.size() == 1",
            "optional.of(1).hasValue()",
            "rollout.?image == rollout",
            "type(1) == int",
            "now > '2026-01-01T00:00:00Z'",
            "now > timestamp('tomorrow')",
            "now.getHours('Mars/Olympus') > 1",
            "now - now > duration('soon')",
            "rollout.checks.all(rollout, true)",
            "rollout.reason.all(x, true)",
            "rollout.checks.all(a, rollout.checks.all(b, rollout.checks.all(c, true)))",
            "1 +",
            "(1 == 1",
            "a b",
            "'open",
            "x ==\n @ 1",
        ],
        expect![[r#"

                the expression is empty
            rollout.image.tagg == 'v1'
                at character 14: there is no variable `rollout.image.tagg`; did you mean rollout.image.tag?
            rollout.requester == 'alice'
                at character 8: rollout.requester is a group: write one of rollout.requester.name, rollout.requester.groups
            rolout.pipeline == 'x'
                at character 7: there is no variable `rolout.pipeline`; did you mean rollout.pipeline?
            user == 'alice'
                at character 1: there is no variable `user`; the variables are now and those of rollout, such as rollout.image.tag
            rollout.image.annotations.a.b == 'x'
                at character 28: rollout.image.annotations has no field `a.b`; write a key with dots as annotations['KEY']
            rollout.image.tag.major == '1'
                at character 18: rollout.image.tag has no field `major`
            rollout.reason.startWith('x')
                at character 25: there is no function `startWith`; did you mean startsWith?
            launch(1)
                at character 7: there is no function `launch`; there are all, contains, duration, endsWith, exists, exists_one, filter, getDate, getDayOfMonth, getDayOfWeek, getDayOfYear, getFullYear, getHours, getMinutes, getMonth, getSeconds, has, int, map, matches, size, startsWith, string, timestamp
            rollout.skipCanary == 'yes'
                at character 20: == does not work with yes or no and text
            rollout.image.tag
                the expression gives text; a rule is a question with the answer yes or no
            rollout.image.tag > 3
                at character 19: > does not work with text and a number
            rollout.reason && true
                at character 16: && does not work with text and yes or no
            'a' + 1 == 'b'
                at character 5: + does not work with text and a number
            ['a', 1] == []
                at character 7: the items of a list are of one kind
            rollout.image.tag in rollout.image.tag
                at character 19: in does not work with text and text
            has(rollout.reason)
                at character 4: only annotations can be missing: write has(rollout.image.annotations.NAME), or 'NAME' in rollout.image.annotations
            rollout.image.tag.matches(rollout.reason)
                at character 26: matches takes a text in quotes
            rollout.image.tag.matches('(')
                at character 26: the pattern `(` is no regular expression: unclosed group
            rollout.image.tag.matches('(\\w{50}){50}')
                at character 26: the pattern `(\w{50}){50}` is too large
            rollout.image.tag == null
                at character 22: there is no null: what is not known is empty
            1.5 > 1.0
                at character 1: write whole numbers, or text in quotes
            {'a': 1}.size() == 1
                at character 1: maps and structures are not allowed
            optional.of(1).hasValue()
                at character 1: there is no variable `optional`; the variables are now and those of rollout, such as rollout.image.tag
            rollout.?image == rollout
                at character 8: `.?` cannot stand here
            type(1) == int
                at character 5: there is no function `type`; there are all, contains, duration, endsWith, exists, exists_one, filter, getDate, getDayOfMonth, getDayOfWeek, getDayOfYear, getFullYear, getHours, getMinutes, getMonth, getSeconds, has, int, map, matches, size, startsWith, string, timestamp
            now > '2026-01-01T00:00:00Z'
                at character 5: > does not work with an instant and text
            now > timestamp('tomorrow')
                at character 16: an instant is written such as 2026-12-24T10:00:00Z
            now.getHours('Mars/Olympus') > 1
                at character 13: `Mars/Olympus` is not a time zone: write an IANA name such as Europe/Berlin or UTC
            now - now > duration('soon')
                at character 21: `soon` is not a duration: write numbers with the units d, h, m, s or ms from large to small, such as 30s, 2m or 1h30m
            rollout.checks.all(rollout, true)
                at character 19: choose another name for the item, such as x
            rollout.reason.all(x, true)
                at character 19: a list is needed here, and this is text
            rollout.checks.all(a, rollout.checks.all(b, rollout.checks.all(c, true)))
                at character 63: more than 2 of all, exists, map and filter in one another
            1 +
                at character 4: something is missing at the end
            (1 == 1
                at character 8: something is missing at the end
            a b
                at character 3: `b` cannot stand here
            'open
                at character 1: `'open` cannot stand here
            x ==
             @ 1
                at line 2, character 2: `@` cannot stand here
        "#]],
    );
}

#[test]
fn is_text_in_files() {
    let expression = Expression::parse("rollout.skipCanary").unwrap();
    let json = serde_json::to_string(&expression).unwrap();
    assert_eq!(json, "\"rollout.skipCanary\"");
    assert_eq!(
        serde_json::from_str::<Expression>(&json).unwrap(),
        expression
    );
    assert_eq!(
        format!("{expression} {expression:?}"),
        "rollout.skipCanary Expression(\"rollout.skipCanary\")"
    );
    let why = serde_json::from_str::<Expression>("\"rollout.skipCanry\"").unwrap_err();
    assert!(
        why.to_string().contains("did you mean rollout.skipCanary?"),
        "{why}"
    );
    assert_ne!(
        expression,
        Expression::parse(" rollout.skipCanary").unwrap()
    );
}

#[test]
fn variables_are_named_as_they_are_written() {
    let json = serde_json::to_value(release()).unwrap();
    for (path, get) in variables::TABLE {
        let pointer = path.strip_prefix("rollout").unwrap().replace('.', "/");
        let value = json.pointer(&pointer).unwrap_or_else(|| panic!("{path}"));
        let kind = match value {
            serde_json::Value::String(_) => check::Shape::Text,
            serde_json::Value::Bool(_) => check::Shape::Bool,
            serde_json::Value::Array(_) => check::Shape::List(Some(Box::new(check::Shape::Text))),
            _ => check::Shape::Annotations,
        };
        assert_eq!(get(&release()).shape(), kind, "{path}");
    }
}
