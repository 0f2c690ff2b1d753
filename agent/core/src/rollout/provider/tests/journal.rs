//! What lies in the journal: bounded, and enough for whoever starts anew.

use super::*;
use crate::rollout::journal::bytes;

/// What the journal has room for, with what else may lie in it (`rollout::tests::size`).
const ROOM: usize = 10 * 1024;

fn many(c: &mut Case) {
    c.view.spec.approvals = (0..4).map(|n| use_of(&format!("p{n}"))).collect();
}

#[test]
fn a_restart_knows_what_was_asked() {
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending("one"));
    let json = serde_json::to_string(&c.journal).unwrap();
    c.journal = serde_json::from_str(&json).unwrap();
    assert_eq!(errands(&c), ["0 look", "1 look"]);
    let hash = hash(&c);
    let look = questions(&c).remove(1);
    fold(&mut c, &look, decided(true, &hash));
    let json = serde_json::to_string(&c.journal).unwrap();
    c.journal = serde_json::from_str(&json).unwrap();
    assert_eq!(recorded(&c).len(), 1, "a decision survives");
}

#[test]
fn tickets_have_a_kilobyte_each_whatever_comes() {
    let mut c = mk_asking();
    many(&mut c);
    for n in 0..5 {
        all_answer(&mut c, |q| match q.errand {
            Errand::Withdraw => outage(),
            Errand::Ask | Errand::Update | Errand::Look => pending(&format!("{n}").repeat(1024)),
        });
        assert_eq!(c.journal.asked.len(), 4, "all four fit");
        assert!(bytes(&c.journal.asked) <= ROOM);
        change(&mut c);
    }
}

#[test]
fn what_finds_no_room_is_refused_and_says_so() {
    let mut c = mk_asking();
    many(&mut c);
    all_answer(&mut c, |_| pending(&"\"".repeat(2048)));
    assert!(
        bytes(&c.journal.asked) <= ROOM,
        "{}",
        bytes(&c.journal.asked)
    );
    let troubled: Vec<&Asked> = c
        .journal
        .asked
        .iter()
        .filter(|a| a.trouble.is_some())
        .collect();
    assert!(!troubled.is_empty() && troubled.iter().all(|a| a.ticket.is_none()));
    assert_eq!(c.journal.asked.len(), 4);
    // Older ones make room first.
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending(&"x".repeat(4096)));
    change(&mut c);
    let asks: Vec<_> = questions(&c)
        .into_iter()
        .filter(|q| q.errand == Errand::Ask)
        .collect();
    for ask in asks {
        fold(&mut c, &ask, pending(&"y".repeat(4096)));
    }
    let open = hash(&c);
    assert!(
        c.journal
            .asked
            .iter()
            .all(|a| a.hash == open && a.ticket.is_some())
    );
    assert!(c.journal.timeline.iter().any(|m| m.kind == "not-withdrawn"));
    // And one byte too many for any journal.
    let mut c = mk_asking();
    all_answer(&mut c, |_| pending(&"x".repeat(4097)));
    assert!(
        c.journal
            .asked
            .iter()
            .all(|a| a.ticket.is_none() && a.trouble.is_some())
    );
}

#[test]
fn a_stray_key_changes_nothing() {
    let c = mk_asking();
    for key in [
        "provider-ask-9-h-t",
        "provider-look-0-h-t",
        "provider-ask-x-h-t",
        "provider-sing-0-h-t",
        "provider-ask-0-h-t-u",
        "provider",
    ] {
        let mut other = c.clone();
        other.answer(key, decided(true, &hash(&c)));
        assert_eq!(other.journal, c.journal, "{key}");
    }
}
