//! The document that outlives everything else.

use serde_json::json;

use super::*;
use crate::approval::Decision as Ballot;
use crate::rollout::fixture::*;
use crate::rollout::{End, State};

#[test]
fn it_holds_who_asked_who_agreed_and_what_came_of_it() {
    let mut c = mk_holding(2);
    c.view.spec.cause.requester = Some(mk_person("carol"));
    c.vote("alice", Ballot::Approve, 5);
    c.journal.started_at = Some(t(10));
    c.journal.ended_at = Some(t(130));
    c.set_state(State::Ended(End {
        kind: crate::pipeline::OutcomeKind::Succeeded,
        message: "v1.1.0 serves".into(),
        at: t(130),
    }));
    let r = record(&c.view, &c.journal, &c.seen.votes);
    assert_eq!(r["recordVersion"], 1);
    assert_eq!(r["phase"], "Succeeded");
    assert_eq!(r["seconds"], json!({"waiting": 10.0, "rollingOut": 120.0}));
    assert_eq!(r["cause"]["requester"]["username"], "carol@example.com");
    assert_eq!(r["votes"][0]["approver"]["username"], "alice@example.com");
    assert_eq!(r["votes"][0]["hash"], r["approval"]["hash"]);
    assert_eq!(r["replaces"]["tag"], "v1.0.0");
    assert_eq!(r["checks"].as_array().unwrap().len(), 3);
    assert_eq!(r["plan"]["steps"].as_array().unwrap().len(), 3);
    assert_eq!(r["image"]["digest"], mk_digest('b'));
}

#[test]
fn one_that_never_began_has_no_durations() {
    let c = mk_queued();
    let r = record(&c.view, &c.journal, &[]);
    assert_eq!(r["seconds"], json!({"waiting": null, "rollingOut": null}));
}
