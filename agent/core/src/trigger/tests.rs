//! What triggers propose: never below what serves, and upstream only what was promoted there.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pipeline::{PipelineSpec, PipelineStatus};
use crate::rollout::fixture::{REPOSITORY, mk_revision, t};
use crate::tags::TagPolicy;

fn semver() -> TagFilter {
    TagPolicy {
        semver: Some(">=1.0.0 <3.0.0".into()),
        ..TagPolicy::default()
    }
    .compile()
    .unwrap()
}

fn serving(tag: Option<&str>) -> EnvironmentStatus {
    let mut revision = mk_revision('a', "");
    revision.tag = tag.map(str::to_owned);
    EnvironmentStatus {
        stable: Some(revision),
        ..EnvironmentStatus::default()
    }
}

fn tags(list: &[&str]) -> Vec<String> {
    list.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn the_newest_first_and_nothing_older() {
    let list = tags(&[
        "v1.0.0",
        "v1.2.0",
        "latest",
        "v1.10.0",
        "v1.1.0",
        "v4.0.0",
        "v1.2.0-rc.1",
    ]);
    let newer = |serves| newer_tags(&semver(), &list, &serving(serves));
    assert_eq!(newer(Some("v1.1.0")), ["v1.10.0", "v1.2.0", "v1.1.0"]);
    assert_eq!(
        newer(Some("v1.10.0")),
        ["v1.10.0"],
        "its digest may have moved"
    );
    assert_eq!(newer(Some("v2.9.0")), Vec::<String>::new());
    // What serves is no release by the pipeline's tags: everything is newer.
    assert_eq!(
        newer(Some("latest")),
        ["v1.10.0", "v1.2.0", "v1.1.0", "v1.0.0"]
    );
    assert_eq!(newer(None).len(), 4);
    let empty: Vec<String> = Vec::new();
    assert_eq!(newer_tags(&semver(), &empty, &serving(None)), empty);
}

#[test]
fn a_moving_tag_is_proposed_always() {
    let filter = TagPolicy {
        mutable: Some("latest".into()),
        ..TagPolicy::default()
    };
    let newer = newer_tags(
        &filter.compile().unwrap(),
        &tags(&["latest", "v1"]),
        &serving(Some("latest")),
    );
    assert_eq!(newer, ["latest"]);
}

fn mk_view(staging: EnvironmentStatus, canary: EnvironmentStatus) -> PipelineView {
    let target =
        |n: &str| json!({"namespace": n, "deployment": "storefront", "service": "storefront"});
    let spec: PipelineSpec = serde_json::from_value(json!({
        "image": {"repository": REPOSITORY, "tags": {"mutable": "latest"}},
        "environments": [
            {"name": "production", "after": ["staging", "eu"], "target": target("shop"),
             "triggers": [{"upstream": {}}], "strategy": {"plugin": "canary"}},
        ],
    }))
    .unwrap();
    let environments: BTreeMap<_, _> =
        [("staging".to_owned(), staging), ("eu".to_owned(), canary)].into();
    let status = PipelineStatus {
        environments,
        ..PipelineStatus::default()
    };
    PipelineView {
        name: "storefront".into(),
        spec,
        status,
    }
}

#[test]
fn upstream_is_what_was_promoted_everywhere_before() {
    let promoted = EnvironmentStatus {
        stable: Some(mk_revision('b', "v1.1.0")),
        ..EnvironmentStatus::default()
    };
    let proposes = |view: &PipelineView| {
        upstream(view, view.spec.environment("production").unwrap()).map(|r| r.digest)
    };
    let both = mk_view(promoted.clone(), promoted.clone());
    assert_eq!(proposes(&both), Some(mk_revision('b', "").digest));
    let one = mk_view(promoted.clone(), EnvironmentStatus::default());
    assert_eq!(proposes(&one), None);
    // A baseline that was only found there was not released there.
    let mut adopted = promoted.clone();
    adopted.stable.as_mut().unwrap().promoted_by = None;
    assert_eq!(proposes(&mk_view(adopted, promoted)), None);
}

#[test]
fn missed_instants_collapse_into_the_latest() {
    let schedule = Schedule::parse("0 9 * * *", "UTC").unwrap();
    let day = 24 * 3600;
    // t(0) is nine o'clock.
    assert_eq!(due(&schedule, t(-10), t(5)), Some(t(0)));
    assert_eq!(due(&schedule, t(1), t(5)), None);
    assert_eq!(due(&schedule, t(-10), t(200 * day + 5)), Some(t(200 * day)));
    assert_eq!(
        due(&schedule, t(5), t(-5)),
        None,
        "a clock that went back owes nothing"
    );
    assert_ne!(
        schedule_key("0 9 * * *", "UTC"),
        schedule_key("0 9 * * *", "Europe/Berlin")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn never_below_what_serves(
        list in prop::collection::vec((0..4_u32, 0..4_u32, 0..4_u32), 0..20),
        serves in (0..4_u32, 0..4_u32, 0..4_u32),
    ) {
        let tag = |v: &(u32, u32, u32)| format!("v{}.{}.{}", v.0, v.1, v.2);
        let all: Vec<String> = list.iter().map(tag).collect();
        let filter = semver();
        let newer = newer_tags(&filter, &all, &serving(Some(&tag(&serves))));
        prop_assert!(newer.len() <= CANDIDATE_TAGS);
        let followed = (1..3).contains(&serves.0);
        let key = |t: &String| list.iter().find(|v| tag(v) == *t).copied().unwrap();
        for pair in newer.windows(2) {
            prop_assert!(key(&pair[0]) > key(&pair[1]), "newest first: {newer:?}");
        }
        for t in &newer {
            prop_assert!((1..3).contains(&key(t).0));
            prop_assert!(!followed || key(t) >= serves, "{t} is below {serves:?}");
        }
        let newest = list.iter().filter(|v| (1..3).contains(&v.0)).max();
        if let Some(best) = newest.filter(|v| !followed || **v >= serves) {
            prop_assert_eq!(newer.first(), Some(&tag(best)));
        }
    }
}
