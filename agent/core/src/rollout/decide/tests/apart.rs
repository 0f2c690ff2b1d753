//! Candidates that stand apart: blue-green by the Service's selector, shares by HTTPRoute and by
//! ingress-nginx. The live Service always has ready pods behind it.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::pipeline::{
    Course, HttpRouteRouter, IngressNginxRouter, OutcomeKind, RouterSpec, ServiceRouter,
};
use crate::plugin::{Outcome, PlanStep};
use crate::rollout::fixture::*;
use crate::rollout::{Action, ObjectKind, Seen, State, Why};

mod walk;

use walk::{Walk, service, walk};

fn blue_green() -> Walk {
    blue_green_kept(None)
}

/// The old colour is kept for that long.
fn blue_green_kept(window: Option<&str>) -> Walk {
    let preview = PlanStep {
        weight_bp: 0,
        ..mk_step("preview", 0, 0)
    };
    walk(
        RouterSpec::Service(ServiceRouter::default()),
        &[preview, mk_step("switch", 10_000, 0)],
        Course {
            rollback_window: window.map(|w| w.parse().unwrap()),
            ..Course::default()
        },
    )
}

fn route() -> serde_json::Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": "shop", "name": "storefront"},
        "spec": {"rules": [
            {"name": "other", "backendRefs": [{"name": "cart", "port": 80}]},
            {"name": "web", "matches": [{"path": {"value": "/"}}],
             "filters": [{"type": "RequestHeaderModifier"}],
             "backendRefs": [{"name": "storefront", "port": 80}]},
        ]},
    })
}

fn by_route() -> Walk {
    let mut w = walk(
        RouterSpec::HttpRoute(HttpRouteRouter {
            name: "storefront".into(),
            rule: Some("web".into()),
            label: None,
        }),
        &mk_proposal(),
        Course::default(),
    );
    w.put(&route());
    w
}

fn by_ingress() -> Walk {
    let mut w = walk(
        RouterSpec::IngressNginx(IngressNginxRouter {
            ingress: "storefront".into(),
            label: None,
        }),
        &mk_proposal(),
        Course::default(),
    );
    w.put(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"namespace": "shop", "name": "storefront"},
        "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["shop.example.com"]}], "rules": [
            {"host": "shop.example.com", "http": {"paths": [
                {"path": "/cart", "pathType": "Prefix", "backend": {"service": {"name": "cart"}}},
                {"path": "/", "pathType": "Prefix",
                 "backend": {"service": {"name": "storefront", "port": {"number": 80}}}},
            ]}},
        ]},
    }));
    w
}

#[track_caller]
fn did(w: &Walk, expected: Expect) {
    expected.assert_eq(&format!("{}\n", w.done.join("\n")));
}

fn ends_as(state: &State) -> OutcomeKind {
    match state {
        State::Ended(end) => end.kind,
        other => panic!("{other:?}"),
    }
}

/// Walks to the end and looks after every turn whether the live Service has as many ready pods as usual.
fn never_empty(w: &mut Walk) -> OutcomeKind {
    while !w.case.journal.state.ended() {
        w.turn();
        assert!(w.behind() >= 9, "{}: {}", w.behind(), w.done.join("\n"));
    }
    ends_as(&w.case.journal.state)
}

#[test]
fn blue_green_previews_switches_and_settles() {
    let mut w = blue_green();
    assert_eq!(never_empty(&mut w), OutcomeKind::Succeeded);
    did(
        &w,
        expect![[r#"
        claim shop/storefront target-1
        create shop/storefront-canary-lcdy32sopw
        scale shop/storefront-canary-lcdy32sopw 10
        create shop/storefront-candidate-rg4gltblhg
        patch Service shop/storefront app=storefront-b5ahpp4xt5
        set-template shop/storefront template-b
        patch Service shop/storefront app=storefront
        scale shop/storefront-canary-lcdy32sopw 0
        delete shop/storefront-canary-lcdy32sopw canary-1
        delete Service shop/storefront-candidate-rg4gltblhg uid-of-storefront-candidate-rg4gltblhg
        save-revision shop/storefront-upcclmh5ig template-b
        record storefront-production-abcdefgh23 Succeeded
    "#]],
    );
    assert_eq!(w.body(ObjectKind::Service, "storefront"), service());
}

#[test]
fn the_old_colour_is_kept_for_the_window_and_comes_back_at_once() {
    let mut w = blue_green_kept(Some("60m"));
    w.until(|w, _| matches!(w.case.journal.state, State::Watching(_)));
    let d = w.turn();
    assert!(
        matches!(d.why, Why::Watches { kept: true, .. }),
        "{}",
        d.why
    );
    assert!(d.effects.is_empty());
    assert_eq!(w.behind(), 10);
    w.done.clear();
    let switched = w.case.now;
    w.case = w.case.clone().request(Action::Rollback, "alice");
    assert_eq!(never_empty(&mut w), OutcomeKind::RolledBack);
    did(
        &w,
        expect![[r#"
        patch Service shop/storefront app=storefront
        scale shop/storefront-canary-lcdy32sopw 0
        delete shop/storefront-canary-lcdy32sopw canary-1
        delete Service shop/storefront-candidate-rg4gltblhg uid-of-storefront-candidate-rg4gltblhg
        record storefront-production-abcdefgh23 RolledBack
    "#]],
    );
    assert!(w.case.now.duration_since(switched).as_secs() < 10);
}

#[test]
fn a_preview_that_fails_never_had_a_visitor() {
    let mut w = blue_green();
    w.verdict = Outcome::Fail;
    assert_eq!(never_empty(&mut w), OutcomeKind::RolledBack);
    assert!(
        !w.done.iter().any(|line| line.contains("patch")),
        "{:?}",
        w.done
    );
    assert_eq!(w.body(ObjectKind::Service, "storefront"), service());
}

#[test]
fn a_candidate_that_never_gets_ready_is_not_switched_to() {
    let mut w = blue_green();
    w.candidate_sick = true;
    assert_eq!(never_empty(&mut w), OutcomeKind::RolledBack);
    assert_eq!(w.body(ObjectKind::Service, "storefront"), service());
}

#[test]
fn a_service_that_somebody_puts_back_holds_and_in_the_end_goes_back() {
    let mut w = blue_green_kept(Some("60m"));
    w.until(|w, _| matches!(w.case.journal.state, State::Watching(_)));
    w.put(&service());
    w.done.clear();
    let d = w.turn();
    assert!(matches!(d.why, Why::Drifted { .. }), "{}", d.why);
    assert_eq!(w.behind(), 10, "the old version serves");
    assert!(w.done.is_empty(), "{:?}", w.done);
    assert_eq!(never_empty(&mut w), OutcomeKind::RolledBack);
}

#[test]
fn a_service_made_anew_finds_the_targets_pods() {
    let mut w = blue_green();
    w.until(|w, _| matches!(w.case.journal.state, State::Promoting(_)) && w.behind() == 10);
    let key = "Service shop/storefront".to_owned();
    w.case.seen.objects.insert(key, Seen::Absent);
    let d = w.turn();
    assert!(!d.why.to_string().is_empty());
    // It was not tested yet with people on it, so it is switched once more.
    w.put(&service());
    assert_eq!(w.behind(), 10);
    assert_eq!(never_empty(&mut w), OutcomeKind::Succeeded);
}

/// What leads nobody to the candidate keeps nobody from going back.
#[test]
fn a_service_that_is_gone_does_not_keep_it_from_going_back() {
    for foreign in [false, true] {
        let mut w = blue_green_kept(Some("60m"));
        w.until(|w, _| matches!(w.case.journal.state, State::Watching(_)));
        if foreign {
            let mut other = service();
            other["spec"]["selector"] = json!({"app": "somebody-elses"});
            w.put(&other);
        } else {
            let key = "Service shop/storefront".to_owned();
            w.case.seen.objects.insert(key, Seen::Absent);
        }
        w.case = w.case.clone().request(Action::Rollback, "alice");
        w.until(|w, _| w.case.journal.state.ended());
        assert_eq!(ends_as(&w.case.journal.state), OutcomeKind::RolledBack);
        assert_eq!(w.case.seen.canary, Seen::Absent, "foreign: {foreign}");
    }
}

#[test]
fn shares_by_route_leave_everything_else_as_it_is() {
    let mut w = by_route();
    w.until(|_, d| matches!(d.why, Why::Holds { step: 1, .. }));
    let body = w.body(ObjectKind::HttpRoute, "storefront");
    expect![[r#"
        [
          {
            "name": "storefront",
            "port": 80,
            "weight": 9000
          },
          {
            "name": "storefront-candidate-rg4gltblhg",
            "port": 80,
            "weight": 1000
          }
        ]
    "#]]
    .assert_eq(&format!("{:#}\n", body["spec"]["rules"][1]["backendRefs"]));
    assert_eq!(body["spec"]["rules"][0], route()["spec"]["rules"][0]);
    assert_eq!(never_empty(&mut w), OutcomeKind::Succeeded);
    assert_eq!(
        w.body(ObjectKind::HttpRoute, "storefront")["spec"],
        route()["spec"]
    );
    did(
        &w,
        expect![[r#"
        claim shop/storefront target-1
        create shop/storefront-canary-lcdy32sopw
        scale shop/storefront-canary-lcdy32sopw 1
        create shop/storefront-candidate-rg4gltblhg
        patch HTTPRoute shop/storefront 10 %
        scale shop/storefront-canary-lcdy32sopw 5
        patch HTTPRoute shop/storefront 50 %
        set-template shop/storefront template-b
        patch HTTPRoute shop/storefront 0 %
        scale shop/storefront-canary-lcdy32sopw 0
        delete shop/storefront-canary-lcdy32sopw canary-1
        delete Service shop/storefront-candidate-rg4gltblhg uid-of-storefront-candidate-rg4gltblhg
        save-revision shop/storefront-upcclmh5ig template-b
        record storefront-production-abcdefgh23 Succeeded
    "#]],
    );
}

#[test]
fn a_bad_canary_loses_its_traffic_first() {
    let mut w = by_route();
    w.until(|_, d| matches!(d.why, Why::Holds { step: 1, .. }));
    w.done.clear();
    w.case = w.case.clone().request(Action::Abort, "alice");
    assert_eq!(never_empty(&mut w), OutcomeKind::RolledBack);
    did(
        &w,
        expect![[r#"
        patch HTTPRoute shop/storefront 0 %
        scale shop/storefront-canary-lcdy32sopw 0
        delete shop/storefront-canary-lcdy32sopw canary-1
        delete Service shop/storefront-candidate-rg4gltblhg uid-of-storefront-candidate-rg4gltblhg
        record storefront-production-abcdefgh23 RolledBack
    "#]],
    );
}

#[test]
fn a_route_that_others_edit_is_not_fought_over() {
    let mut w = by_route();
    w.until(|_, d| matches!(d.why, Why::Holds { step: 1, .. }));
    let mut edited = w.body(ObjectKind::HttpRoute, "storefront");
    edited["spec"]["rules"][1]["backendRefs"][0]["weight"] = json!(7);
    w.put(&edited);
    w.done.clear();
    let d = w.turn();
    assert!(matches!(d.why, Why::Drifted { .. }), "{}", d.why);
    assert!(w.done.is_empty());
    // Going back takes the candidate out, and leaves what they wrote.
    w.case = w.case.clone().request(Action::Abort, "alice");
    assert_eq!(never_empty(&mut w), OutcomeKind::RolledBack);
    let refs =
        w.body(ObjectKind::HttpRoute, "storefront")["spec"]["rules"][1]["backendRefs"].clone();
    assert_eq!(
        refs,
        json!([{"name": "storefront", "port": 80, "weight": 7}])
    );
}

#[test]
fn shares_by_ingress_never_write_the_named_one() {
    let mut w = by_ingress();
    let before = w.body(ObjectKind::Ingress, "storefront");
    w.until(|_, d| matches!(d.why, Why::Holds { step: 1, .. }));
    let key = w
        .case
        .seen
        .objects
        .keys()
        .find(|k| k.contains("storefront-canary"))
        .cloned()
        .unwrap();
    let name = key.rsplit_once('/').unwrap().1.to_owned();
    let canary = w.body(ObjectKind::Ingress, &name);
    expect![[r#"
        {
          "nginx.ingress.kubernetes.io/canary": "true",
          "nginx.ingress.kubernetes.io/canary-weight": "1000",
          "nginx.ingress.kubernetes.io/canary-weight-total": "10000"
        }
        {
          "ingressClassName": "nginx",
          "rules": [
            {
              "host": "shop.example.com",
              "http": {
                "paths": [
                  {
                    "backend": {
                      "service": {
                        "name": "storefront-candidate-rg4gltblhg",
                        "port": {
                          "number": 80
                        }
                      }
                    },
                    "path": "/",
                    "pathType": "Prefix"
                  }
                ]
              }
            }
          ]
        }
    "#]]
    .assert_eq(&format!(
        "{:#}\n{:#}\n",
        canary["metadata"]["annotations"], canary["spec"]
    ));
    assert_eq!(never_empty(&mut w), OutcomeKind::Succeeded);
    assert_eq!(w.body(ObjectKind::Ingress, "storefront"), before);
    assert!(w.body(ObjectKind::Ingress, &name).is_null());
    did(
        &w,
        expect![[r#"
        claim shop/storefront target-1
        create shop/storefront-canary-lcdy32sopw
        scale shop/storefront-canary-lcdy32sopw 1
        create shop/storefront-candidate-rg4gltblhg
        create shop/storefront-canary-ktpjgytkrq
        patch Ingress shop/storefront-canary-ktpjgytkrq 10 %
        scale shop/storefront-canary-lcdy32sopw 5
        patch Ingress shop/storefront-canary-ktpjgytkrq 50 %
        set-template shop/storefront template-b
        patch Ingress shop/storefront-canary-ktpjgytkrq 0 %
        scale shop/storefront-canary-lcdy32sopw 0
        delete shop/storefront-canary-lcdy32sopw canary-1
        delete Service shop/storefront-candidate-rg4gltblhg uid-of-storefront-candidate-rg4gltblhg
        delete Ingress shop/storefront-canary-ktpjgytkrq uid-of-storefront-canary-ktpjgytkrq
        save-revision shop/storefront-upcclmh5ig template-b
        record storefront-production-abcdefgh23 Succeeded
    "#]],
    );
}
