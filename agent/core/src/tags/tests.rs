use proptest::prelude::*;

use super::*;

fn policy(json: serde_json::Value) -> TagPolicy {
    serde_json::from_value(json).unwrap()
}

fn semver(range: &str) -> TagFilter {
    policy(serde_json::json!({"semver": range}))
        .compile()
        .unwrap()
}

fn with_pre(range: &str) -> TagFilter {
    policy(serde_json::json!({"semver": range, "preReleases": true}))
        .compile()
        .unwrap()
}

fn tags(list: &[&str]) -> Vec<String> {
    list.iter().map(|tag| (*tag).to_owned()).collect()
}

#[test]
fn a_range_takes_the_newest_release() {
    let filter = semver(">=1.0.0 <2.0.0");
    let list = tags(&[
        "v1.9.0",
        "1.10.0",
        "v2.0.0",
        "latest",
        "v1.11.0-rc.1",
        "1.2",
        "v0.9.9",
    ]);
    assert_eq!(filter.newest(&list), Some("1.10.0"));
    assert_eq!(filter.newest(&tags(&["latest", "v2.0.0"])), None);
    assert_eq!(filter.newest(&[]), None);
    assert_eq!(filter.compare("v1.9.0", "1.10.0"), Some(Ordering::Less));
    assert_eq!(filter.compare("v1.9.0", "1.9.0"), Some(Ordering::Equal));
    assert_eq!(filter.compare("v1.9.0", "v2.0.0"), None);
    assert!(!filter.is_mutable());
}

#[test]
fn ranges_mean_what_kubernetes_users_expect() {
    for (range, inside, outside) in [
        ("1.2.3", "1.2.3", "1.2.4"), // Cargo would read ^1.2.3
        ("v1.2.3", "v1.2.3", "1.3.0"),
        ("1.2", "1.2.9", "1.3.0"),
        ("1.x", "1.9.9", "2.0.0"),
        ("1.2.*", "1.2.9", "1.3.0"),
        ("*", "99.0.0", "latest"),
        ("~1.4", "1.4.9", "1.5.0"),
        ("^1.4.2", "1.9.0", "2.0.0"),
        ("^0.2.3", "0.2.9", "0.3.0"),
        (">= 1.0.0 < 2.0.0", "1.5.0", "2.0.0"),
        (">=1.0.0, <2.0.0", "1.5.0", "0.9.0"),
        (">=1.0.0,<2.0.0", "1.5.0", "2.0.0"),
        ("<=1.5.0", "1.5.0", "1.5.1"),
        (">1.5.0", "1.5.1", "1.5.0"),
        ("1.2.3 || >=3.0.0", "3.1.0", "2.0.0"),
        ("1.2.3||3.x", "1.2.3", "1.2.4"),
    ] {
        let filter = semver(range);
        assert!(filter.matches(inside), "{range} should hold {inside}");
        assert!(
            !filter.matches(outside),
            "{range} should not hold {outside}"
        );
    }
}

#[test]
fn pre_releases_only_when_asked() {
    assert!(!semver(">=1.0.0").matches("1.5.0-rc.1"));
    let filter = with_pre(">=1.0.0 <2.0.0");
    assert!(filter.matches("1.5.0-rc.1"));
    assert!(
        !filter.matches("2.0.0-rc.1"),
        "the next major must not come in by its pre-release"
    );
    assert!(!filter.matches("1.0.0-rc.1"), "it comes before 1.0.0");
    assert!(with_pre(">=1.0.0-rc.1 <2.0.0").matches("1.0.0-rc.2"));
    assert!(!with_pre(">=1.0.0-rc.2").matches("1.0.0-rc.1"));
    assert!(with_pre("1.2.3-rc.1").matches("v1.2.3-rc.1"));
    assert!(with_pre("*").matches("0.1.0-alpha"));
    assert_eq!(
        filter.newest(&tags(&["1.5.0-rc.2", "1.5.0-rc.10"])),
        Some("1.5.0-rc.10")
    );
    assert_eq!(
        filter.newest(&tags(&["1.5.0-rc.10", "1.5.0"])),
        Some("1.5.0")
    );
    let problem = policy(serde_json::json!({"semver": ">=1.0.0-rc.1"}))
        .compile()
        .unwrap_err();
    assert!(
        problem.to_string().contains("preReleases: true"),
        "{problem}"
    );
}

#[test]
fn a_tag_is_a_whole_version_or_none() {
    let filter = semver("*");
    for tag in [
        "1",
        "1.2",
        "v",
        "vv1.2.3",
        "01.2.3",
        "1.2.3.4",
        "99999999999999999999.0.0",
        "V1.0.0",
    ] {
        assert!(!filter.matches(tag), "{tag}");
    }
    assert!(
        filter.matches("1.2.3_build.7"),
        "a tag cannot hold +, so _ stands for it"
    );
    assert!(
        !filter.matches("1.2.3+build.7"),
        "no registry has such a tag"
    );
    assert!(!filter.matches(&format!("1.0.0_{}", "a".repeat(130))));
}

#[test]
fn bad_ranges_name_the_field() {
    for range in [
        "",
        "  ",
        "||",
        ">=1.0.0 ||",
        "one",
        ">=",
        ">=1.0.0 - 2.0.0",
        "=>1.0.0",
    ] {
        let problem = policy(serde_json::json!({"semver": range}))
            .compile()
            .unwrap_err();
        assert_eq!(problem.field, "semver", "{range:?}");
        assert!(problem.hint.is_some());
    }
    assert!(
        policy(serde_json::json!({"semver": ">=1 ".repeat(100)}))
            .compile()
            .is_err()
    );
}

fn main_branch() -> TagFilter {
    policy(serde_json::json!({
        "pattern": "^main-(?P<ts>[0-9]+)-[0-9a-f]{7}$", "order": {"numerical": "ts"}
    }))
    .compile()
    .unwrap()
}

#[test]
fn numbers_order_by_value_at_any_length() {
    let filter = main_branch();
    let list = tags(&[
        "main-9-abcdef0",
        "main-10-abcdef0",
        "main-007-abcdef0",
        "dev-99-abcdef0",
    ]);
    assert_eq!(filter.newest(&list), Some("main-10-abcdef0"));
    let (big, bigger) = (
        format!("main-{}8-abcdef0", "9".repeat(60)),
        format!("main-{}9-abcdef0", "9".repeat(60)),
    );
    assert_eq!(filter.compare(&big, &bigger), Some(Ordering::Less));
    assert_eq!(
        filter.compare("main-0-abcdef0", "main-000-abcdef0"),
        Some(Ordering::Equal)
    );
    let loose = policy(serde_json::json!({"pattern": "(?P<n>.*)", "order": {"numerical": "n"}}))
        .compile()
        .unwrap();
    assert!(!loose.matches("abc"), "not a number");
}

#[test]
fn text_orders_by_bytes() {
    let filter = policy(serde_json::json!({
        "pattern": "(?P<day>[0-9]{8}T[0-9]{6}Z)", "order": {"alphabetical": "day"}
    }))
    .compile()
    .unwrap();
    let list = tags(&["20260102T000000Z", "20261231T235959Z", "20260101T000000Z"]);
    assert_eq!(filter.newest(&list), Some("20261231T235959Z"));
}

#[test]
fn patterns_are_anchored_whatever_they_say() {
    let filter = policy(
        serde_json::json!({"pattern": "(?P<n>[0-9]+)|x(?P<m>y)", "order": {"numerical": "n"}}),
    )
    .compile()
    .unwrap();
    assert!(filter.matches("12"));
    assert!(!filter.matches("a12"));
    assert!(!filter.matches("12a"));
    assert!(!filter.matches("xy"), "the ordering group took no part");
    for broken in ["a)|(b", "(", "[", "(?P<n>a"] {
        let made =
            policy(serde_json::json!({"pattern": broken, "order": {"numerical": "n"}})).compile();
        let problem = made.unwrap_err();
        assert_eq!(problem.field, "pattern");
        assert!(!problem.to_string().contains('\n'));
    }
}

#[test]
fn patterns_have_bounds() {
    let compile = |pattern: String| {
        policy(serde_json::json!({"pattern": pattern, "order": {"numerical": "n"}})).compile()
    };
    assert!(compile(format!("(?P<n>[0-9]+){}", "a".repeat(PATTERN_LIMIT))).is_err());
    assert!(compile(r"(?P<n>(\w{1000}){1000})".to_owned()).is_err());
}

#[test]
fn one_tag_that_moves() {
    let filter = policy(serde_json::json!({"mutable": "latest"}))
        .compile()
        .unwrap();
    assert!(filter.is_mutable());
    assert_eq!(filter.newest(&tags(&["v1.0.0", "latest"])), Some("latest"));
    assert_eq!(filter.newest(&tags(&["latest-debug"])), None);
    assert_eq!(filter.compare("latest", "latest"), Some(Ordering::Equal));
}

#[test]
fn mixed_or_empty_policies_are_refused() {
    for (json, field) in [
        (serde_json::json!({}), ""),
        (serde_json::json!({"semver": "*", "mutable": "latest"}), ""),
        (serde_json::json!({"pattern": "a", "mutable": "latest"}), ""),
        (serde_json::json!({"mutable": "la test"}), "mutable"),
        (
            serde_json::json!({"mutable": "latest", "preReleases": true}),
            "preReleases",
        ),
        (
            serde_json::json!({"semver": "*", "order": {"numerical": "n"}}),
            "order",
        ),
        (serde_json::json!({"pattern": "a"}), "order"),
        (serde_json::json!({"pattern": "a", "order": {}}), "order"),
        (
            serde_json::json!({"pattern": "(?P<n>a)", "order": {"numerical": "n", "alphabetical": "n"}}),
            "order",
        ),
        (
            serde_json::json!({"pattern": "(?P<n>a)", "order": {"numerical": "m"}}),
            "order.numerical",
        ),
    ] {
        assert_eq!(
            policy(json.clone()).compile().unwrap_err().field,
            field,
            "{json}"
        );
    }
}

proptest! {
    #[test]
    fn the_newest_is_followed_and_not_older_than_any(
        numbers in prop::collection::vec((0u64..4, 0u64..30, 0u64..30, any::<bool>()), 0..20),
    ) {
        let filter = semver(">=1.0.0 <3.0.0");
        let list: Vec<String> = numbers
            .iter()
            .map(|(a, b, c, v)| format!("{}{a}.{b}.{c}", if *v { "v" } else { "" }))
            .collect();
        let reference = numbers.iter().filter(|(a, ..)| (1..3).contains(a)).map(|(a, b, c, _)| (*a, *b, *c)).max();
        let newest = filter.newest(&list);
        let shown = reference.map(|(a, b, c)| format!("{a}.{b}.{c}"));
        prop_assert_eq!(newest.map(|tag| tag.trim_start_matches('v').to_owned()), shown);
        // The order of the list does not matter.
        let mut reversed = list.clone();
        reversed.reverse();
        prop_assert_eq!(newest, filter.newest(&reversed));
    }

    #[test]
    fn numbers_compare_as_numbers(a in any::<u64>(), b in any::<u64>(), zeros in 0usize..4) {
        let left = format!("main-{}{a}-abcdef0", "0".repeat(zeros));
        let right = format!("main-{b}-abcdef0");
        prop_assert_eq!(main_branch().compare(&left, &right), Some(a.cmp(&b)));
    }

    #[test]
    fn never_panics(range in "\\PC{0,30}|[0-9.<>=~^*x| v-]{0,30}", tag in "\\PC{0,40}|[0-9a-zA-Z._-]{0,140}") {
        for pre in [true, false] {
            if let Ok(filter) = policy(serde_json::json!({"semver": range, "preReleases": pre})).compile() {
                let _ = filter.compare(&tag, &tag);
            }
        }
        let _ = main_branch().matches(&tag);
    }
}
