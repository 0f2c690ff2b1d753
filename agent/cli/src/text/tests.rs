//! Every text as a whole, so that a change of words is seen and meant.

pub(crate) mod story;

use sluice_cluster::crd::Rollout;
use sluice_core::approval::{Channel, Decision, Vote};
use sluice_core::pipeline::EnvironmentStatus;
use sluice_core::plan::outline::Place;
use sluice_core::policy::{Identity, Policy};
use sluice_core::rollout::{Facts, Known, RolloutView, facts};

use self::story::{NAME, canary, held, journal, now, pipeline, rolled_back, waiting};
use super::picture::Style;
use super::{explain, lists, pipeline as of_pipeline, progress, rollout, vote};
use crate::explain::{Explanation, Pods, Sight, Subject, Workload, explain as explained};

/// What an approver sees under the policy of the documents.
fn facts_of(rollout: &Rollout) -> Facts {
    let policy = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/samples/policy.yaml"
    ));
    let view = RolloutView {
        namespace: "delivery".into(),
        name: NAME.into(),
        uid: "u".into(),
        created_at: now(),
        spec: rollout.spec.body.clone(),
    };
    let pipeline = pipeline();
    let request = journal(rollout).approval.unwrap();
    let vote = Vote {
        id: "vote".into(),
        approver: Identity::kubernetes("alice@example.com", Vec::new()),
        channel: Channel::Kubernetes,
        decision: Decision::Approve,
        hash: request.hash,
        at: request.requested_at,
        reason: String::new(),
        believed: true,
    };
    let known = Known {
        votes: &[vote],
        pipeline: pipeline.status.as_ref(),
        ..Known::default()
    };
    let policy = Policy::parse(policy).unwrap();
    facts(&view, &journal(rollout), &policy, &known, now())
}

fn explanation(rollout: &Rollout, environment: &EnvironmentStatus) -> Explanation {
    let begun = journal(rollout).state.begun();
    let mut workloads = vec![Workload {
        name: "Deployment shop/storefront".into(),
        seen: Sight::Pods(Pods {
            wanted: 9,
            ready: 9,
            updated: 9,
        }),
    }];
    if begun {
        workloads.push(Workload {
            name: "Deployment shop/storefront-canary-x".into(),
            seen: Sight::Unknown("the API server refuses to get it: no right".into()),
        });
    }
    explained(Subject {
        namespace: "delivery",
        name: NAME,
        spec: &rollout.spec.body,
        journal: &journal(rollout),
        environment: Some(environment),
        workloads: if journal(rollout).state.ended() {
            Vec::new()
        } else {
            workloads
        },
        now: now(),
    })
}

#[test]
fn explains_a_rollout_that_waits() {
    let mut e = explanation(&waiting(), &story::environment(false));
    e.facts = Some(facts_of(&waiting()));
    insta::assert_snapshot!(explain::rollout(&e, now(), Style::Blocks));
}

#[test]
fn explains_a_canary_under_way() {
    let e = explanation(&canary(), &story::environment(false));
    insta::assert_snapshot!(explain::rollout(&e, now(), Style::Blocks));
    let places: Vec<Place> = e.next.iter().map(|n| n.place).collect();
    assert_eq!(
        places,
        [Place::Done, Place::Now, Place::Later, Place::Later]
    );
}

#[test]
fn explains_a_held_rollout() {
    let e = explanation(&held(), &story::environment(false));
    insta::assert_snapshot!(explain::rollout(&e, now(), Style::Blocks));
}

#[test]
fn explains_a_rollout_that_was_rolled_back() {
    let e = explanation(&rolled_back(), &story::environment(true));
    insta::assert_snapshot!(explain::rollout(&e, now(), Style::Blocks));
    assert!(e.can[0].contains("sluice lift"), "{:?}", e.can);
    let lifted = explanation(&rolled_back(), &story::environment(false));
    assert!(lifted.can[0].contains("sluice retry"), "{:?}", lifted.can);
}

#[test]
fn explains_a_pipeline() {
    let p = pipeline();
    insta::assert_snapshot!(of_pipeline::pipeline(&p, &[waiting()], None, now()));
    let one = of_pipeline::pipeline(&p, &[waiting()], Some("production"), now());
    assert!(!one.contains("staging ("), "{one}");
}

#[test]
fn the_explanation_for_programs_keeps_the_values() {
    let value = serde_json::to_value(explanation(&canary(), &story::environment(false))).unwrap();
    assert_eq!(value["why"]["code"], "CheckInconclusive");
    assert_eq!(value["now"][0]["pods"]["ready"], 9);
    assert_eq!(value["next"][1]["place"], "now");
}

#[test]
fn status_without_following() {
    insta::assert_snapshot!(rollout::status(&waiting(), now(), Style::Blocks));
    let mut fresh = waiting();
    fresh.status = None;
    let text = rollout::status(&fresh, now(), Style::Blocks);
    assert!(
        text.contains("the agent has not looked at it yet"),
        "{text}"
    );
}

#[test]
fn following_shows_what_happened_once_and_in_order() {
    let mut shown = progress::Progress::default();
    let mut lines = shown.lines(&journal(&waiting()), now());
    assert!(
        shown.lines(&journal(&waiting()), now()).is_empty(),
        "nothing new"
    );
    lines.extend(shown.lines(&journal(&canary()), now()));
    lines.push("-- joined late".into());
    lines.extend(progress::Progress::default().lines(&journal(&rolled_back()), now()));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn moments_that_fell_out_are_neither_shown_nor_counted_twice() {
    let mut shown = progress::Progress::default();
    let mut j = journal(&canary());
    shown.lines(&j, now());
    j.timeline.remove(1);
    j.timeline_cut = 1;
    j.timeline.push(sluice_core::rollout::Moment {
        at: now(),
        kind: "paused".into(),
        text: "paused by bob".into(),
    });
    let lines = shown.lines(&j, now());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with("paused by bob"), "{lines:?}");
}

#[test]
fn the_passing_line_says_where_it_is() {
    let line = progress::passing(&canary(), 5, now(), Style::Ascii);
    assert!(
        line.starts_with(
            "/ Progressing, step 2 of 3 12m [______----|---------#]: step 2: http-smoke"
        ),
        "{line}"
    );
}

#[test]
fn an_approver_sees_what_is_signed() {
    let around = vote::Surroundings {
        images: Ok(vote::ImageChange {
            containers: vec![
                (
                    "proxy".into(),
                    "envoy@sha256:cc".into(),
                    "envoy@sha256:cc".into(),
                ),
                (
                    "storefront".into(),
                    "registry.example.com/shop/storefront:v1.0.0".into(),
                    format!("registry.example.com/shop/storefront@{}", story::NEW),
                ),
            ],
        }),
    };
    let w = waiting();
    let j = journal(&w);
    let request = j.approval.clone().unwrap();
    let facts = facts_of(&w);
    insta::assert_snapshot!(vote::subject(
        &facts,
        &w.spec.body,
        &j,
        &request,
        &around,
        now(),
        Style::Ascii
    ));
}

#[test]
fn lists_show_one_line_each() {
    let rollouts = lists::rollouts(&[waiting(), rolled_back()], true, now());
    let pipelines = lists::pipelines(&[pipeline()], false, now());
    insta::assert_snapshot!(format!("{rollouts}\n\n{pipelines}"));
}
