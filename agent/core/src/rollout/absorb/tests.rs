//! Messages on their way, and facts that come late, twice or astray.

use super::*;
use crate::pipeline::PluginUse;
use crate::rollout::fixture::*;

fn delivered(seq: u32, notifier: u32, given_up: Option<&str>) -> Fact {
    Fact::Delivered {
        seq,
        notifier,
        thread: Some(format!("thread-{notifier}")),
        given_up: given_up.map(str::to_owned),
    }
}

/// Two notifiers, one message on its way to both.
fn mk_sending() -> Case {
    let mut c = mk_holding(0);
    c.view.spec.notify.push(PluginUse {
        plugin: "mail".into(),
        settings: serde_json::json!({}),
    });
    c.request(crate::rollout::Action::Pause, "carol").then(20)
}

fn fold(c: &Case, fact: &Fact) -> Journal {
    absorb(&c.view, &c.journal, fact, c.now)
}

#[test]
fn a_message_leaves_when_every_notifier_has_it() {
    let mut c = mk_sending();
    let seq = c.journal.outbox[0].seq;
    assert_eq!(c.journal.outbox[0].waiting, [0, 1]);
    c.journal = fold(&c, &delivered(seq, 0, None));
    assert_eq!(c.journal.outbox[0].waiting, [1]);
    assert_eq!(c.journal.threads["0"], "thread-0");
    c.journal = fold(&c, &delivered(seq, 1, None));
    assert!(c.journal.outbox.is_empty());
}

#[test]
fn one_that_is_given_up_is_noted_once() {
    let mut c = mk_sending();
    let seq = c.journal.outbox[0].seq;
    let before = c.journal.timeline.len();
    c.journal = fold(&c, &delivered(seq, 1, Some("channel_not_found")));
    c.journal = fold(&c, &delivered(seq, 1, Some("channel_not_found")));
    assert_eq!(c.journal.timeline.len(), before + 1);
    let last = c.journal.timeline.last().unwrap();
    assert_eq!(last.kind, "notifier-failed");
    assert!(
        last.text.contains("mail") && last.text.contains("channel_not_found"),
        "{last:?}"
    );
}

#[test]
fn answers_about_nothing_change_nothing() {
    let c = mk_sending();
    let seq = c.journal.outbox[0].seq;
    for stray in [
        delivered(seq + 1, 0, Some("late")),
        delivered(seq, 2, Some("nobody")),
        delivered(seq, u32::MAX, None),
        Fact::Recorded,
    ] {
        assert_eq!(fold(&c, &stray), c.journal, "{stray:?}");
    }
}

#[test]
fn a_record_is_stored_after_the_end() {
    let mut c = mk_queued();
    c.seen.environment = crate::rollout::Seen::Absent;
    let mut c = c.then(5);
    assert!(c.journal.state.ended() && !c.journal.recorded);
    c.journal = fold(&c, &Fact::Recorded);
    assert!(c.journal.recorded);
}

#[test]
fn a_thread_goes_with_the_next_message_and_keeps_its_identity() {
    let mut c = mk_sending();
    let seq = c.journal.outbox[0].seq;
    c.journal = fold(&c, &delivered(seq, 0, None));
    let c = c.request(crate::rollout::Action::Resume, "carol").then(30);
    let next = c.journal.outbox.last().unwrap();
    let call = crate::rollout::notification(&c.view, &c.journal, next, 0).unwrap();
    let crate::plugin::PluginCall::Notify {
        plugin,
        event,
        invocation,
    } = call
    else {
        panic!("not a notification");
    };
    assert_eq!(plugin, "notes");
    assert_eq!(event.thread.as_deref(), Some("thread-0"));
    assert_eq!(event.id, invocation.idempotency_key);
    assert_eq!(event.id, format!("{UID}/{}", next.seq));
    assert_eq!(
        crate::rollout::notification(&c.view, &c.journal, next, 9),
        None
    );
}
