//! Votes by chat: one secret vouches for all of them, so only so many count (reliability.md A12,
//! attack 10), and nobody is two people by coming through two doors (attack 11).

use super::*;

/// Everybody is known in Slack, too.
fn known() -> (Policy, EnvironmentPolicy) {
    let (mut policy, environment) = leads();
    for person in &mut policy.people {
        person.slack = Some(format!("U-{}", person.name));
    }
    (policy, environment)
}

fn by_chat(name: &str, second: i64) -> Vote {
    Vote {
        channel: Channel::Slack,
        ..vote(
            &format!("{name}-chat-{second}"),
            Identity::of(IdentityProvider::Slack, format!("U-{name}")),
            Decision::Approve,
            second,
        )
    }
}

fn count(at_most: Option<u32>, votes: &[Vote]) -> Tally {
    let (policy, mut environment) = known();
    environment.approvals.chat_votes_at_most = at_most;
    count_votes(&environment, &policy, &[], votes, HASH, ts(100))
}

#[test]
fn a_stolen_secret_is_not_enough() {
    let forged = [by_chat("bob", 1), by_chat("carol", 2), by_chat("alice", 3)];
    let found = count(None, &forged);
    assert!(!found.is_complete(), "{found:?}");
    assert_eq!(found.opened_at, None);
    assert_eq!(found.filled.len(), 1);
    let why: Vec<IgnoredWhy> = found.ignored.iter().map(|i| i.why).collect();
    assert!(why.contains(&IgnoredWhy::TooManyByChat), "{found:?}");
    // One vote by another door is.
    let mut votes = forged.to_vec();
    votes.push(approve("carol", 9));
    let found = count(None, &votes);
    assert!(found.is_complete(), "{found:?}");
    assert_eq!(found.opened_at, Some(ts(9)));
}

#[test]
fn the_policy_may_let_chat_decide_alone_or_not_at_all() {
    let votes = [by_chat("bob", 1), by_chat("carol", 2)];
    assert!(count(Some(2), &votes).is_complete());
    let none = count(Some(0), &votes);
    assert!(none.filled.is_empty(), "{none:?}");
    assert!(
        none.ignored
            .iter()
            .all(|i| i.why == IgnoredWhy::TooManyByChat)
    );
}

#[test]
fn one_person_through_two_doors_is_one() {
    let found = count(Some(2), &[by_chat("alice", 1), approve("alice", 2)]);
    assert_eq!(found.filled.len(), 1);
    assert_eq!(found.missing.len(), 1);
    // And their better door counts: bob may come by chat then.
    let found = count(
        Some(1),
        &[by_chat("alice", 1), approve("alice", 2), by_chat("bob", 3)],
    );
    assert!(found.is_complete(), "{found:?}");
}

#[test]
fn a_no_by_chat_is_a_no() {
    let no = Vote {
        decision: Decision::Reject,
        ..by_chat("bob", 1)
    };
    assert!(count(Some(0), &[no]).rejected_by.is_some());
}

/// A name of one provider is nobody at another (I1), and a machine's vote is none (issue: it may
/// propose and never approve).
#[test]
fn names_belong_to_their_provider() {
    for (provider, name, channel) in [
        (IdentityProvider::Slack, "bob@example.com", Channel::Slack),
        (IdentityProvider::Kubernetes, "U-bob", Channel::Kubernetes),
        (IdentityProvider::Caller, "bob@example.com", Channel::Web),
        (
            IdentityProvider::Kubernetes,
            "bob@example.com",
            Channel::Webhook,
        ),
        (IdentityProvider::Plugin, "bob@example.com", Channel::Plugin),
    ] {
        let forged = Vote {
            channel,
            ..vote("x", Identity::of(provider, name), Decision::Approve, 1)
        };
        let found = count(None, &[forged]);
        assert!(found.filled.is_empty(), "{provider:?} {name}: {found:?}");
    }
}

proptest! {
    /// Against brute force: a set of votes opens exactly when distinct people fill every slot with at
    /// most so many who came by chat alone.
    #[test]
    fn the_limit_is_exact(
        doors in proptest::collection::vec(0_u8..3, 4),
        at_most in 0_u32..4,
        counts in (1_u32..3, 0_u32..3),
    ) {
        let (policy, _) = known();
        let names = ["alice", "bob", "carol", "dave"];
        let mut policy = policy;
        policy.roles.get_mut("devops-lead").unwrap().people.push("dave".into());
        let list: Vec<(&str, u32)> = [("devops-lead", counts.0), ("tech-lead", counts.1)]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        let mut environment = environment(&list);
        environment.approvals.chat_votes_at_most = Some(at_most);
        let mut votes = Vec::new();
        for (index, (name, door)) in names.iter().zip(&doors).enumerate() {
            let second = i64::try_from(index).unwrap();
            match door {
                1 => votes.push(approve(name, second)),
                2 => votes.push(by_chat(name, second)),
                _ => {}
            }
        }
        let slots: Vec<&str> = list
            .iter()
            .flat_map(|(role, count)| std::iter::repeat_n(*role, *count as usize))
            .collect();
        // Every way to give each slot one of the four.
        let opens = (0..4_usize.pow(u32::try_from(slots.len()).unwrap())).any(|mut way| {
            let chosen: Vec<usize> = slots.iter().map(|_| { let who = way % 4; way /= 4; who }).collect();
            let distinct = chosen.iter().collect::<BTreeSet<_>>().len() == chosen.len();
            let chat = chosen.iter().filter(|who| doors[**who] == 2).count();
            let fit = chosen.iter().zip(&slots).all(|(who, role)| {
                doors[*who] != 0 && policy.roles[*role].people.iter().any(|p| p == names[*who])
            });
            distinct && fit && chat <= at_most as usize
        });
        let found = count_votes(&environment, &policy, &[], &votes, HASH, ts(100));
        prop_assert_eq!(found.is_complete(), opens, "{:?}", found);
        prop_assert_eq!(found.opened_at.is_some(), opens);
    }
}
