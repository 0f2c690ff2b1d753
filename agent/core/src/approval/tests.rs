mod chat;
mod unguarded;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::policy::IdentityProvider;
use crate::policy::{ApprovalPolicy, PersonEntry, RequiredRole, Role, Targets};

const HASH: &str = "the-hash-that-is-voted-on";

fn ts(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn person(name: &str) -> Identity {
    Identity::kubernetes(format!("{name}@example.com"), Vec::new())
}

fn vote(id: &str, approver: Identity, decision: Decision, second: i64) -> Vote {
    Vote {
        believed: true,
        id: id.to_owned(),
        approver,
        channel: Channel::Kubernetes,
        decision,
        hash: HASH.to_owned(),
        at: ts(second),
        reason: "because".to_owned(),
    }
}

fn approve(name: &str, second: i64) -> Vote {
    vote(
        &format!("{name}-{second}"),
        person(name),
        Decision::Approve,
        second,
    )
}

fn reject(name: &str, second: i64) -> Vote {
    vote(
        &format!("{name}-no-{second}"),
        person(name),
        Decision::Reject,
        second,
    )
}

/// Roles with their holders among alice, bob, carol and dave.
fn policy(roles: &[(&str, &[&str])]) -> Policy {
    let mut policy = Policy::absent();
    for name in ["alice", "bob", "carol", "dave"] {
        policy.people.push(PersonEntry {
            name: name.to_owned(),
            kubernetes: Some(format!("{name}@example.com")),
            oidc: None,
            slack: None,
            authors: Vec::new(),
        });
    }
    for (role, people) in roles {
        let people = people.iter().map(|name| (*name).to_owned()).collect();
        policy.roles.insert(
            (*role).to_owned(),
            Role {
                people,
                groups: Vec::new(),
                via: None,
            },
        );
    }
    policy
}

fn environment(require: &[(&str, u32)]) -> EnvironmentPolicy {
    let json = serde_json::json!({"name": "production", "targets": {"namespaces": ["shop"]},
        "images": {"repositories": ["**"]}});
    let mut environment: EnvironmentPolicy = serde_json::from_value(json).unwrap();
    assert_eq!(
        environment.targets,
        Targets {
            namespaces: vec!["shop".to_owned()]
        }
    );
    environment.approvals = ApprovalPolicy {
        require: require
            .iter()
            .map(|(role, count)| RequiredRole {
                role: (*role).to_owned(),
                count: *count,
            })
            .collect(),
        ..ApprovalPolicy::default()
    };
    environment
}

fn leads() -> (Policy, EnvironmentPolicy) {
    (
        policy(&[
            ("devops-lead", &["alice", "bob"]),
            ("tech-lead", &["alice", "carol"]),
        ]),
        environment(&[("devops-lead", 1), ("tech-lead", 1)]),
    )
}

fn tally(votes: &[Vote], requesters: &[Identity]) -> Tally {
    let (policy, environment) = leads();
    count_votes(&environment, &policy, requesters, votes, HASH, ts(1000))
}

fn reasons(tally: &Tally) -> Vec<(&str, IgnoredWhy)> {
    tally
        .ignored
        .iter()
        .map(|ignored| (ignored.vote.as_str(), ignored.why))
        .collect()
}

#[test]
fn all_roles_by_distinct_people() {
    let first = tally(&[approve("alice", 1)], &[]);
    assert_eq!(first.missing, ["tech-lead"]);
    assert_eq!(first.opened_at, None);
    assert!(!first.is_complete());

    let both = tally(
        &[approve("alice", 1), approve("carol", 5)],
        &[person("dave")],
    );
    assert_eq!(both.opened_at, Some(ts(5)));
    assert!(both.is_complete());
    let who: Vec<_> = both
        .filled
        .iter()
        .map(|f| (f.role.as_str(), f.person.as_str()))
        .collect();
    assert_eq!(who, [("devops-lead", "alice"), ("tech-lead", "carol")]);
}

#[test]
fn one_person_fills_one_slot_even_with_two_roles() {
    let twice = tally(&[approve("alice", 1), approve("alice", 2)], &[]);
    assert_eq!(twice.missing, ["tech-lead"]);
    assert_eq!(reasons(&twice), [("alice-2", IgnoredWhy::Duplicate)]);
}

#[test]
fn an_earlier_voter_makes_room() {
    // Alice holds both roles and fills the first; bob holds only that one.
    let both = tally(&[approve("alice", 1), approve("bob", 2)], &[]);
    assert_eq!(both.opened_at, Some(ts(2)));
    let who: Vec<_> = both
        .filled
        .iter()
        .map(|f| (f.role.as_str(), f.person.as_str()))
        .collect();
    assert_eq!(who, [("devops-lead", "bob"), ("tech-lead", "alice")]);
}

#[test]
fn nobody_approves_what_they_asked_for() {
    let votes = [approve("alice", 1), approve("bob", 2), approve("carol", 3)];
    let own = tally(&votes, &[person("carol")]);
    assert_eq!(own.opened_at, Some(ts(2)));
    assert_eq!(reasons(&own), [("carol-3", IgnoredWhy::SelfApproval)]);
    let own = tally(&votes[1..], &[person("carol"), person("dave")]);
    assert_eq!(own.missing, ["tech-lead"]);

    let (policy, mut environment) = leads();
    environment.approvals.self_approval = true;
    let votes = [approve("bob", 2), approve("carol", 3)];
    let allowed = count_votes(
        &environment,
        &policy,
        &[person("carol")],
        &votes,
        HASH,
        ts(1000),
    );
    assert_eq!(allowed.opened_at, Some(ts(3)));
}

#[test]
fn another_spelling_is_no_other_person() {
    let (mut policy, environment) = leads();
    policy
        .roles
        .get_mut("tech-lead")
        .unwrap()
        .groups
        .push("tech-leads".to_owned());
    let shouting = Identity {
        provider: IdentityProvider::Kubernetes,
        username: "ALICE@example.com".to_owned(),
        groups: vec!["tech-leads".to_owned()],
    };
    let votes = [
        vote("one", person("alice"), Decision::Approve, 1),
        vote("two", shouting.clone(), Decision::Approve, 2),
    ];
    let counted = count_votes(&environment, &policy, &[], &votes, HASH, ts(1000));
    assert_eq!(counted.opened_at, None, "attack 11");
    assert_eq!(counted.missing, ["tech-lead"]);
    // Nor does another spelling get around self-approval.
    let counted = count_votes(
        &environment,
        &policy,
        &[person("alice")],
        &votes[1..],
        HASH,
        ts(9),
    );
    assert_eq!(reasons(&counted), [("two", IgnoredWhy::SelfApproval)]);
}

#[test]
fn groups_count_as_they_were_at_the_vote() {
    let (mut policy, environment) = leads();
    policy
        .roles
        .get_mut("tech-lead")
        .unwrap()
        .groups
        .push("tech-leads".to_owned());
    let with = |groups: &[&str]| Identity {
        provider: IdentityProvider::Kubernetes,
        username: "erin@example.com".to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let first = vote("before", with(&[]), Decision::Approve, 1);
    let second = vote("after", with(&["tech-leads"]), Decision::Approve, 2);
    let votes = [first, second, approve("bob", 3)];
    let counted = count_votes(&environment, &policy, &[], &votes, HASH, ts(1000));
    assert_eq!(counted.opened_at, Some(ts(3)));
    assert_eq!(reasons(&counted), [("before", IgnoredWhy::NoRole)]);
    assert_eq!(counted.filled[1].person, "kubernetes:erin@example.com");
}

#[test]
fn whom_the_policy_no_longer_names_loses_the_vote() {
    let (mut policy, environment) = leads();
    let votes = [approve("bob", 1), approve("carol", 2)];
    let count = |policy: &Policy| count_votes(&environment, policy, &[], &votes, HASH, ts(1000));
    assert!(count(&policy).is_complete());
    policy
        .roles
        .get_mut("tech-lead")
        .unwrap()
        .people
        .retain(|name| name != "carol");
    assert_eq!(count(&policy).missing, ["tech-lead"], "attack 13");
    policy.people.retain(|person| person.name != "bob");
    assert_eq!(count(&policy).missing, ["devops-lead", "tech-lead"]);
}

#[test]
fn a_vote_is_for_what_its_voter_saw() {
    let mut old = approve("carol", 2);
    old.hash = "an-older-hash".to_owned();
    let counted = tally(&[approve("bob", 1), old], &[]);
    assert_eq!(counted.missing, ["tech-lead"]);
    assert_eq!(reasons(&counted), [("carol-2", IgnoredWhy::Superseded)]);
    // Nor does an old rejection close the new request.
    let mut old = reject("carol", 2);
    old.hash = "an-older-hash".to_owned();
    assert_eq!(tally(&[old], &[]).rejected_by, None);
}

#[test]
fn one_rejection_ends_it() {
    let counted = tally(
        &[approve("bob", 1), reject("carol", 2), reject("alice", 3)],
        &[],
    );
    let rejection = counted.rejected_by.unwrap();
    assert_eq!(
        (rejection.person.as_str(), rejection.role.as_str()),
        ("carol", "tech-lead")
    );
    assert_eq!(
        (rejection.reason.as_str(), rejection.at),
        ("because", ts(2))
    );

    // Also after the set was complete, and also by somebody who approved before.
    let counted = tally(
        &[approve("bob", 1), approve("carol", 2), reject("bob", 3)],
        &[],
    );
    assert_eq!(counted.opened_at, Some(ts(2)));
    assert!(!counted.is_complete());

    // Dave holds no role: he may not stop it.
    let counted = tally(&[reject("dave", 1)], &[]);
    assert_eq!(counted.rejected_by, None);
    assert_eq!(reasons(&counted), [("dave-no-1", IgnoredWhy::NoRole)]);

    // Whoever asked may say no.
    assert!(
        tally(&[reject("carol", 1)], &[person("carol")])
            .rejected_by
            .is_some()
    );
    let twice = tally(&[reject("carol", 1), reject("carol", 2)], &[]);
    assert_eq!(reasons(&twice), [("carol-no-2", IgnoredWhy::Duplicate)]);
}

#[test]
fn late_and_future_votes() {
    let counted = tally(
        &[
            approve("bob", 1),
            approve("carol", 2),
            approve("alice", 3),
            approve("bob", 4),
        ],
        &[],
    );
    assert_eq!(counted.opened_at, Some(ts(2)));
    assert_eq!(
        reasons(&counted),
        [
            ("alice-3", IgnoredWhy::NotNeeded),
            ("bob-4", IgnoredWhy::Duplicate)
        ]
    );
    let counted = tally(&[approve("bob", 1), approve("carol", 2000)], &[]);
    assert_eq!(counted.missing, ["tech-lead"]);
    assert_eq!(reasons(&counted), [("carol-2000", IgnoredWhy::NotYet)]);
}

#[test]
fn several_of_one_role() {
    let policy = policy(&[("sre", &["alice", "bob", "carol"])]);
    let environment = environment(&[("sre", 2)]);
    let count = |votes: &[Vote]| count_votes(&environment, &policy, &[], votes, HASH, ts(1000));
    assert_eq!(count(&[]).missing, ["sre", "sre"]);
    assert_eq!(count(&[approve("alice", 1)]).missing, ["sre"]);
    let three = count(&[approve("alice", 1), approve("bob", 2), approve("carol", 3)]);
    assert_eq!(three.opened_at, Some(ts(2)));
    assert_eq!(reasons(&three), [("carol-3", IgnoredWhy::NotNeeded)]);
}

#[test]
fn where_nobody_is_required_nothing_is_missing() {
    let counted = count_votes(
        &environment(&[]),
        &policy(&[]),
        &[],
        &[approve("bob", 1)],
        HASH,
        ts(9),
    );
    assert!(counted.is_complete());
    assert_eq!(counted.opened_at, None);
    assert_eq!(reasons(&counted), [("bob-1", IgnoredWhy::NoRole)]);
}

#[test]
fn anonymous_votes_are_nobodys() {
    let (mut policy, environment) = leads();
    policy
        .roles
        .get_mut("tech-lead")
        .unwrap()
        .groups
        .push("tech-leads".to_owned());
    for username in ["", "system:anonymous"] {
        let nobody = Identity {
            provider: IdentityProvider::Kubernetes,
            username: username.to_owned(),
            groups: vec!["tech-leads".to_owned()],
        };
        let votes = [vote("x", nobody, Decision::Approve, 1)];
        let counted = count_votes(&environment, &policy, &[], &votes, HASH, ts(9));
        assert_eq!(reasons(&counted), [("x", IgnoredWhy::NoRole)]);
    }
}

/// An independent answer, by trying every assignment: how many slots can distinct voters fill?
fn most_filled(slots: &[usize], voters: &[u8], used: &mut Vec<usize>) -> usize {
    let Some((slot, rest)) = slots.split_first() else {
        return 0;
    };
    let mut best = most_filled(rest, voters, used);
    for (index, roles) in voters.iter().enumerate() {
        if roles & (1 << slot) != 0 && !used.contains(&index) {
            used.push(index);
            best = best.max(1 + most_filled(rest, voters, used));
            used.pop();
        }
    }
    best
}

/// P9: every way to give five people subsets of three roles, every requirement, every requester,
/// votes in both orders. People without a role stand for fewer people. Up to renaming of people.
#[test]
fn exhaustive_matrix_against_brute_force() {
    let names = ["p0", "p1", "p2", "p3", "p4"];
    let role_names = ["r0", "r1", "r2"];
    let requirements: [&[u32; 3]; 10] = [
        &[1, 0, 0],
        &[2, 0, 0],
        &[3, 0, 0],
        &[1, 1, 0],
        &[2, 1, 0],
        &[1, 2, 0],
        &[2, 2, 0],
        &[1, 1, 1],
        &[2, 1, 1],
        &[1, 2, 2],
    ];
    let mut held: BTreeSet<[u8; 5]> = BTreeSet::new();
    for code in 0..8u32.pow(5) {
        let mut roles = [0u8; 5];
        for (index, slot) in roles.iter_mut().enumerate() {
            *slot = u8::try_from(code / 8u32.pow(u32::try_from(index).unwrap()) % 8).unwrap();
        }
        roles.sort_unstable();
        held.insert(roles);
    }
    assert_eq!(held.len(), 792);
    let mut runs = 0;
    for roles in &held {
        let mut policy = Policy::absent();
        for name in names {
            policy.people.push(PersonEntry {
                name: name.to_owned(),
                kubernetes: Some(format!("{name}@example.com")),
                oidc: None,
                slack: None,
                authors: Vec::new(),
            });
        }
        for (index, role) in role_names.iter().enumerate() {
            let people = names
                .iter()
                .zip(roles)
                .filter(|(_, held)| **held & (1 << index) != 0);
            let people = people.map(|(name, _)| (*name).to_owned()).collect();
            policy.roles.insert(
                (*role).to_owned(),
                Role {
                    people,
                    groups: Vec::new(),
                    via: None,
                },
            );
        }
        for require in requirements {
            let list: Vec<(&str, u32)> = role_names
                .iter()
                .zip(require.iter())
                .filter(|(_, count)| **count > 0)
                .map(|(role, count)| (*role, *count))
                .collect();
            let environment = environment(&list);
            let slots: Vec<usize> = (0..3)
                .flat_map(|role| vec![role; require[role] as usize])
                .collect();
            let mask = (0..3)
                .filter(|role| require[*role] > 0)
                .map(|role| 1u8 << role)
                .sum::<u8>();
            // Roles that are not required change nothing. The first requirement shows it; the
            // others leave such rows out, which are the same rows again.
            if require != requirements[0] && roles.iter().any(|held| held & !mask != 0) {
                continue;
            }
            for requester in 0..=5 {
                for forwards in [true, false] {
                    runs += 1;
                    let order: Vec<usize> = if forwards {
                        (0..5).collect()
                    } else {
                        (0..5).rev().collect()
                    };
                    let votes: Vec<Vote> = order
                        .iter()
                        .enumerate()
                        .map(|(second, who)| approve(names[*who], i64::try_from(second).unwrap()))
                        .collect();
                    let asked: Vec<Identity> = names
                        .get(requester)
                        .map(|name| person(name))
                        .into_iter()
                        .collect();
                    let tally = count_votes(&environment, &policy, &asked, &votes, HASH, ts(1000));

                    // The reference: the shortest beginning of the votes that fills every slot.
                    let eligible: Vec<u8> = order
                        .iter()
                        .map(|who| {
                            if *who == requester {
                                0
                            } else {
                                roles[*who] & mask
                            }
                        })
                        .collect();
                    let opened = (1..=5).find(|n| {
                        most_filled(&slots, &eligible[..*n], &mut Vec::new()) == slots.len()
                    });
                    let expected = opened.map(|n| ts(i64::try_from(n).unwrap() - 1));
                    assert_eq!(
                        tally.opened_at, expected,
                        "{roles:?} {require:?} {requester}"
                    );
                    let filled = most_filled(&slots, &eligible, &mut Vec::new());
                    assert_eq!(tally.missing.len(), slots.len() - filled);
                    assert_eq!(tally.filled.len(), filled);
                    // Whoever fills a slot holds its role, asked for nothing, and fills no other.
                    let mut seen = BTreeSet::new();
                    for slot in &tally.filled {
                        let who = names.iter().position(|name| *name == slot.person).unwrap();
                        let role = role_names
                            .iter()
                            .position(|role| *role == slot.role)
                            .unwrap();
                        assert!(roles[who] & (1 << role) != 0 && who != requester);
                        assert!(seen.insert(who), "{} twice", slot.person);
                    }
                    assert_eq!(
                        tally.filled.len() + tally.ignored.len(),
                        5,
                        "no vote is lost"
                    );
                }
            }
        }
    }
    assert_eq!(runs, (792 + 2 * 6 + 4 * 56 + 3 * 792) * 6 * 2);
}

fn any_vote() -> impl Strategy<Value = Vote> {
    (
        prop::sample::select(vec!["alice", "bob", "carol", "dave", "ALICE"]),
        prop::bool::weighted(0.85),
        prop::bool::weighted(0.9),
        0i64..12,
        0u32..1000,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(name, yes, right, second, id, in_group)| {
            let decision = if yes {
                Decision::Approve
            } else {
                Decision::Reject
            };
            let mut made = vote(&format!("v{id}"), person(name), decision, second);
            if in_group {
                made.approver.groups.push("tech-leads".to_owned());
            }
            if !right {
                made.hash = "another".to_owned();
            }
            made
        })
}

proptest! {
    #[test]
    fn the_order_in_which_votes_are_read_does_not_matter(
        votes in prop::collection::vec(any_vote(), 0..10),
        seed in any::<u64>(),
    ) {
        // Ids are unique in a cluster.
        let mut votes = votes;
        let mut seen = BTreeSet::new();
        votes.retain(|vote| seen.insert(vote.id.clone()));
        let (mut policy, environment) = leads();
        policy.roles.get_mut("tech-lead").unwrap().groups.push("tech-leads".to_owned());
        let count = |votes: &[Vote]| {
            count_votes(&environment, &policy, &[person("dave")], votes, HASH, ts(10))
        };
        let expected = count(&votes);
        let mut shuffled = votes.clone();
        let mut state = seed | 1;
        for index in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        prop_assert_eq!(count(&shuffled), expected.clone());
        // Reading the same object twice changes nothing but the list of ignored votes.
        let doubled: Vec<Vote> = votes.iter().chain(&votes).cloned().collect();
        let doubled = count(&doubled);
        prop_assert_eq!(doubled.opened_at, expected.opened_at);
        prop_assert_eq!(&doubled.missing, &expected.missing);
        prop_assert_eq!(doubled.rejected_by.is_some(), expected.rejected_by.is_some());
    }
}
