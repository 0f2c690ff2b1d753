//! An independent, small answer to "may this Rollout change its target now?": written from the rules,
//! sharing no code with the engine, the policy or the vote counting.

use std::sync::OnceLock;

use jiff::Timestamp;

use crate::approval::{Decision as Ballot, Vote};
use crate::policy::Policy;
use crate::rollout::fixture::{POLICY, mk_policy};

/// A policy as both sides know it: the text for the engine, the meaning for the reference.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    /// Who may fill which slot. None: the environment is closed.
    slots: Option<Vec<&'static [&'static str]>>,
    frozen: bool,
}

/// The policies that a history moves between. The first is the calm one.
pub(super) fn rules() -> &'static [Rules] {
    static RULES: OnceLock<Vec<Rules>> = OnceLock::new();
    RULES.get_or_init(read)
}

fn read() -> Vec<Rules> {
    let base = POLICY.replace(", firstStepAtMost: 10%", "").replace(
        "environments:",
        "  - {name: carol, kubernetes: carol@example.com}\nenvironments:",
    );
    let two: Vec<&[&str]> = vec![&["alice"], &["bob"]];
    let open = |text: &str, slots: Vec<&'static [&'static str]>| Rules {
        policy: mk_policy(text),
        slots: Some(slots),
        frozen: false,
    };
    let three = base
        .replace(
            "people: [bob]}",
            "people: [bob]}\n  owner: {people: [alice, carol]}",
        )
        .replace("{role: tech-lead}]", "{role: tech-lead}, {role: owner}]");
    let other = base.replace("tech-lead: {people: [bob]}", "tech-lead: {people: [carol]}");
    let frozen = format!(
        "{base}    windows: [{{freeze: '2026-01-01T00:00/2027-12-01T00:00', reason: audit}}]\n"
    );
    vec![
        open(&base, two.clone()),
        open(&three, vec![&["alice"], &["bob"], &["alice", "carol"]]),
        Rules {
            frozen: true,
            ..open(&frozen, two.clone())
        },
        Rules {
            policy: Policy::absent(),
            slots: None,
            frozen: false,
        },
        open(&other, vec![&["alice"], &["carol"]]),
        open(
            &format!("{base}    limits: {{progressDeadline: 5m}}\n"),
            two.clone(),
        ),
        open(&format!("{base}    newer: supersede\n"), two),
    ]
}

impl Rules {
    /// Whether the target may be changed now, towards the candidate.
    pub(super) fn open(
        &self,
        votes: &[Vote],
        hash: &str,
        requester: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let Some(slots) = &self.slots else {
            return false;
        };
        let said = |name: &str, ballot: Ballot| {
            votes.iter().any(|v| {
                v.approver.username == format!("{name}@example.com")
                    && v.decision == ballot
                    && v.hash == hash
                    && v.at <= now
            })
        };
        let may_decide = ["alice", "bob", "carol"]
            .into_iter()
            .filter(|n| slots.iter().any(|slot| slot.contains(n)));
        if may_decide.clone().any(|n| said(n, Ballot::Reject)) || self.frozen {
            return false;
        }
        let yes: Vec<&str> = may_decide
            .filter(|n| said(n, Ballot::Approve) && requester != Some(n))
            .collect();
        seats(slots, &yes)
    }
}

/// Whether distinct people fill all slots, by trying everything.
fn seats(slots: &[&[&str]], people: &[&str]) -> bool {
    let Some((first, rest)) = slots.split_first() else {
        return true;
    };
    people.iter().filter(|p| first.contains(p)).any(|p| {
        let others: Vec<&str> = people.iter().copied().filter(|o| o != p).collect();
        seats(rest, &others)
    })
}
