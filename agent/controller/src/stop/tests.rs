use kube::runtime::reflector::store;
use kube::runtime::watcher::Event;
use sluice_core::approval::Channel;
use sluice_core::policy::{Identity, IdentityProvider};

use super::*;

const POLICY: &str = "
apiVersion: sluice.dev/v1alpha1
kind: Policy
roles:
  sre: {people: [alice]}
people: [{name: alice, kubernetes: alice@example.com}]
permissions: {stop: [sre], start: [sre]}
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [manual]
    images: {repositories: ['**']}
";

fn policy() -> Policy {
    Policy::parse(POLICY).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A wish of alice's, made at this second.
fn wish(action: RequestAction, second: i64) -> Request {
    let alice = Identity::kubernetes("alice@example.com", Vec::new());
    let mut body = sluice_cluster::crd::RequestBody::new(action, &alice, Channel::Kubernetes);
    body.reason = Some("the database is down".into());
    let word = format!("{action:?}").to_lowercase();
    let mut request = Request::new(&format!("{word}-{second}"), body);
    request.metadata.namespace = Some("delivery".into());
    request.metadata.uid = Some(format!("{word}-{second}"));
    request.metadata.creation_timestamp = Some(
        k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(second)),
    );
    request
}

fn answered(mut request: Request, state: RequestState) -> Request {
    request.status = Some(sluice_cluster::crd::RequestStatus {
        state,
        ..Default::default()
    });
    request
}

fn accepted(action: RequestAction, second: i64) -> Request {
    answered(wish(action, second), RequestState::Accepted)
}

fn until(mut request: Request, second: i64) -> Request {
    request.spec.until = Some(at(second));
    request
}

fn world(requests: &[Request]) -> World {
    let (pipelines, rollouts, approvals) = (store().0, store().0, store().0);
    let (reader, mut writer) = store();
    for request in requests {
        writer.apply_watcher_event(&Event::Apply(request.clone()));
    }
    World {
        pipelines,
        rollouts,
        approvals,
        requests: reader,
    }
}

use RequestAction::{Start, Stop as Halt};

#[test]
fn a_stop_counts_before_its_answer_and_a_start_after_it() {
    let stops = |requests: &[Request]| world(requests).stop(&policy(), at(100)).is_some();
    assert!(!stops(&[]));
    assert!(stops(&[wish(Halt, 1)]));
    assert!(stops(&[accepted(Halt, 1)]));
    assert!(!stops(&[answered(wish(Halt, 1), RequestState::Refused)]));
    assert!(stops(&[accepted(Halt, 1), wish(Start, 2)]));
    assert!(!stops(&[accepted(Halt, 1), accepted(Start, 2)]));
    assert!(stops(&[
        accepted(Halt, 1),
        answered(wish(Start, 2), RequestState::Refused)
    ]));
    assert!(stops(&[until(accepted(Halt, 1), 101)]));
    assert!(!stops(&[until(accepted(Halt, 1), 100)]));
}

#[test]
fn who_stopped_and_why_is_told_in_a_bounded_way() {
    let mut long = accepted(Halt, 1);
    long.spec.reason = Some(format!(" {}", "ä".repeat(2000)));
    let stop = world(&[long]).stop(&policy(), at(100)).unwrap();
    assert_eq!(stop.by, "alice", "as the policy calls her");
    assert_eq!(stop.reason.chars().count(), REASON_SHOWN + 1);
    assert!(stop.reason.ends_with("ä…"));
    let stop = world(&[accepted(Halt, 1)]).stop(&policy(), at(100));
    assert_eq!(stop.unwrap().reason, "the database is down");
}

#[test]
fn what_makes_no_sense_or_is_not_theirs_is_refused_and_holds_nobody() {
    let mut cases: Vec<(Request, &str)> = Vec::new();
    let mut silent = wish(Halt, 1);
    silent.spec.reason = Some("  ".into());
    cases.push((silent, "a stop needs a reason"));
    cases.push((until(wish(Halt, 1), 100), "has passed already"));
    let mut stranger = wish(Halt, 1);
    stranger.spec.requester = "bob@example.com".into();
    cases.push((stranger, "holders of sre may"));
    let mut machine = wish(Halt, 1);
    machine.spec.provider = IdentityProvider::Caller;
    machine.spec.channel = Channel::Webhook;
    cases.push((machine, "a machine may propose a version and nothing else"));
    let mut narrow = wish(Halt, 1);
    narrow.spec.pipeline = Some("storefront".into());
    cases.push((narrow, "leave out pipeline"));
    cases.push((wish(RequestAction::Deploy, 1), "names neither"));
    for (request, why) in cases {
        let world = world(std::slice::from_ref(&request));
        assert_eq!(world.stop(&policy(), at(100)), None, "{why}");
        let said = answer(&world, &request, &policy(), at(100)).unwrap_err();
        assert!(said.contains(why), "{said:?} has no {why:?}");
    }
}

#[test]
fn the_answer_to_a_start_says_what_it_lifts() {
    let said = |before: &[Request], start: &Request| {
        let mut all = before.to_vec();
        all.push(start.clone());
        answer(&world(&all), start, &policy(), at(100))
    };
    assert_eq!(said(&[], &wish(Start, 5)), Err("nothing is stopped".into()));
    let lifts = said(&[accepted(Halt, 1)], &wish(Start, 5)).unwrap();
    assert_eq!(lifts, "the stop by alice is lifted");
    let same = said(&[accepted(Halt, 5)], &wish(Start, 5)).unwrap_err();
    assert!(same.contains("no earlier than this wish"), "{same}");
    let later = said(&[accepted(Halt, 1), wish(Halt, 7)], &wish(Start, 5)).unwrap();
    assert!(later.contains("holds on"), "{later}");
    let past = said(&[until(accepted(Halt, 1), 50)], &wish(Start, 5));
    assert_eq!(past, Err("nothing is stopped".into()));
    let dated = said(&[accepted(Halt, 1)], &until(wish(Start, 5), 200)).unwrap_err();
    assert!(dated.contains("goes with a stop"), "{dated}");
}

#[test]
fn stops_in_force_are_bounded() {
    let most = i64::try_from(AT_ONCE).unwrap();
    let mut all: Vec<Request> = (1..=most).map(|n| accepted(Halt, n)).collect();
    let one_more = wish(Halt, most + 1);
    all.push(one_more.clone());
    let said = answer(&world(&all), &one_more, &policy(), at(100)).unwrap_err();
    assert!(said.contains("limit"), "{said}");
    // Those that were lifted do not count.
    all.push(accepted(Start, most));
    assert!(answer(&world(&all), &one_more, &policy(), at(100)).is_ok());
}

/// What is removed changes nothing: whatever the order in which it goes, and however far that comes.
#[test]
fn only_what_has_no_effect_is_spent() {
    let all = vec![
        accepted(Halt, 1),
        accepted(Start, 2),
        answered(wish(Halt, 3), RequestState::Refused),
        until(accepted(Halt, 4), 50),
        accepted(Halt, 5),
        accepted(Start, 6),
        wish(Start, 7),
        until(accepted(Halt, 8), 200),
        accepted(Halt, 9),
    ];
    let spent = world(&all).spent_requests(&policy(), at(100));
    let names: Vec<String> = spent.iter().map(|r| r.name_any()).collect();
    assert_eq!(
        names,
        ["stop-1", "start-2", "stop-3", "stop-4", "stop-5"],
        "the newest start stays, as do what holds and what has no answer"
    );
    let before = world(&all).stop(&policy(), at(100));
    assert!(before.is_some());
    for subset in 0..(1_u32 << names.len()) {
        let gone = |r: &Request| {
            let n = names.iter().position(|name| *name == r.name_any());
            n.is_some_and(|n| subset & (1 << n) != 0)
        };
        let kept: Vec<Request> = all.iter().filter(|r| !gone(r)).cloned().collect();
        assert_eq!(world(&kept).stop(&policy(), at(100)), before);
    }
    // The same where nothing is stopped.
    let lifted = &all[..7];
    for subset in 0..(1_u32 << names.len()) {
        let gone = |r: &Request| {
            let n = names.iter().position(|name| *name == r.name_any());
            n.is_some_and(|n| subset & (1 << n) != 0)
        };
        let kept: Vec<Request> = lifted.iter().filter(|r| !gone(r)).cloned().collect();
        assert_eq!(world(&kept).stop(&policy(), at(100)), None);
    }
}
