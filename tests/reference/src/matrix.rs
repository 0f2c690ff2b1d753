//! People × roles × doors × required sets × who asked, all of it (reliability.md P9): the gate opens
//! exactly when distinct people can be found for every vote that is required, none of whom asked, and of
//! whom no more than the policy allows came by chat.
//!
//! Up to two people in every way there is. Three in every order, with every role and door. Four and five
//! up to what makes no difference: the order of people, roles that nobody requires, the names of roles.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::json;
use sluice_core::approval::{Vote, count_votes};
use sluice_core::policy::{EnvironmentPolicy, Identity, Policy};

const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];
const ROLES: [&str; 3] = ["one", "two", "three"];
/// kubectl with own credentials, the web page with a Kubernetes token and by single sign-on, Slack.
const DOORS: [(&str, &str); 4] = [
    ("kubernetes", "kubernetes"),
    ("web", "kubernetes"),
    ("web", "oidc"),
    ("slack", "slack"),
];
const SLACK: usize = 3;
/// Votes required of each role, up to the names of roles. Five people fill no more than five.
const REQUIRED: [[usize; 3]; 16] = [
    [1, 0, 0],
    [2, 0, 0],
    [3, 0, 0],
    [4, 0, 0],
    [5, 0, 0],
    [1, 1, 0],
    [2, 1, 0],
    [3, 1, 0],
    [4, 1, 0],
    [2, 2, 0],
    [3, 2, 0],
    [1, 1, 1],
    [2, 1, 1],
    [3, 1, 1],
    [2, 2, 1],
    [1, 2, 1],
];

/// Somebody who votes: their roles as bits, the doors that they vote through as bits.
type Voter = (usize, usize);

/// One case beside the voters.
#[derive(Clone, Copy, Debug)]
struct Around {
    required: usize,
    /// Who asked, and by which provider: an index into `DOORS`.
    asked: Option<(usize, usize)>,
    self_approval: bool,
    /// Votes by chat that count; none: what the policy has where it says nothing.
    chat: Option<usize>,
}

/// What both are made of once.
struct Setting {
    policy: Policy,
    votes: Vec<Vec<Vote>>,
    identities: Vec<Vec<Identity>>,
    /// The environment with these votes required, self approval and votes by chat.
    environments: BTreeMap<(usize, bool, Option<usize>), EnvironmentPolicy>,
}

impl Around {
    fn key(self) -> (usize, bool, Option<usize>) {
        (self.required, self.self_approval, self.chat)
    }
}

/// What came out.
#[derive(Debug, Default)]
pub struct Counts {
    cases: AtomicUsize,
    opened: AtomicUsize,
    wrongly_open: AtomicUsize,
    wrongly_closed: AtomicUsize,
}

impl Counts {
    /// Cases in which the gate opened or stayed shut against the rules.
    pub fn wrong(&self) -> usize {
        self.wrongly_open.load(Ordering::Relaxed) + self.wrongly_closed.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} cases, {} open, {} wrong openings, {} wrong refusals",
            n(&self.cases),
            n(&self.opened),
            n(&self.wrongly_open),
            n(&self.wrongly_closed)
        )
    }
}

fn identity(person: &str, provider: &str) -> serde_json::Value {
    let username = match provider {
        "oidc" => format!("https://id.example.com#{person}"),
        "slack" => format!("U0{}", person.to_uppercase()),
        _ => format!("{person}@example.com"),
    };
    json!({"provider": provider, "username": username})
}

fn setting() -> Setting {
    let people: Vec<_> = PEOPLE
        .map(|name| {
            let of = |provider| identity(name, provider)["username"].clone();
            json!({"name": name, "kubernetes": of("kubernetes"), "oidc": of("oidc"), "slack": of("slack")})
        })
        .into();
    let role = json!({"people": PEOPLE});
    let text = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Policy", "people": people,
        "roles": {"one": role, "two": role, "three": role},
        "environments": {"production": {
            "targets": {"namespaces": ["shop"]}, "triggers": ["manual"],
            "images": {"repositories": ["**"]},
            "approvals": {"require": [{"role": "one"}, {"role": "two"}, {"role": "three"}]},
        }},
    });
    let vote = |person: &str, (door, provider): (&str, &str), at: usize| -> Vote {
        serde_json::from_value(json!({
            "id": format!("{person}-{door}-{provider}"), "approver": identity(person, provider),
            "channel": door, "decision": "approve", "hash": "h", "reason": "", "believed": true,
            "at": Timestamp::from_second(1000 + i64::try_from(at).unwrap()).unwrap(),
        }))
        .unwrap()
    };
    Setting {
        environments: BTreeMap::new(),
        policy: Policy::parse(&text.to_string()).unwrap(),
        votes: PEOPLE
            .iter()
            .enumerate()
            .map(|(n, person)| {
                DOORS
                    .iter()
                    .enumerate()
                    .map(|(d, door)| vote(person, *door, n * 4 + d))
                    .collect()
            })
            .collect(),
        identities: PEOPLE
            .iter()
            .map(|p| {
                DOORS
                    .map(|(_, provider)| serde_json::from_value(identity(p, provider)).unwrap())
                    .into()
            })
            .collect(),
    }
}

impl Setting {
    /// Gives these people these roles.
    fn assign(&mut self, voters: &[Voter]) {
        for (bit, role) in ROLES.iter().enumerate() {
            let holders = voters
                .iter()
                .enumerate()
                .filter(|(_, (roles, _))| roles >> bit & 1 == 1);
            self.policy.roles.get_mut(*role).unwrap().people =
                holders.map(|(n, _)| PEOPLE[n].to_owned()).collect();
        }
    }

    /// The votes of these people, each through their doors.
    fn cast(&self, voters: &[Voter]) -> Vec<Vote> {
        let cast = voters.iter().enumerate().flat_map(|(n, (_, doors))| {
            let through = (0..DOORS.len()).filter(move |door| doors >> door & 1 == 1);
            through.map(move |door| self.votes[n][door].clone())
        });
        cast.collect()
    }

    /// What the policy says of the environment in this case.
    fn write(&mut self, around: Around) {
        let mut environment = self.policy.environments["production"].clone();
        for (role, votes) in REQUIRED[around.required].iter().enumerate().rev() {
            match votes {
                0 => drop(environment.approvals.require.remove(role)),
                n => environment.approvals.require[role].count = u32::try_from(*n).unwrap(),
            }
        }
        environment.approvals.self_approval = around.self_approval;
        environment.approvals.chat_votes_at_most = around.chat.map(|n| u32::try_from(n).unwrap());
        self.environments.insert(around.key(), environment);
    }

    fn case(&mut self, voters: &[Voter], votes: &[Vote], around: Around, counts: &Counts) {
        if !self.environments.contains_key(&around.key()) {
            self.write(around);
        }
        let environment = &self.environments[&around.key()];
        let requesters: Vec<Identity> = around
            .asked
            .map(|(n, provider)| self.identities[n][provider].clone())
            .into_iter()
            .collect();
        let now = Timestamp::from_second(2000).unwrap();
        let tally = count_votes(environment, &self.policy, &requesters, votes, "h", now);

        let slots: Vec<usize> = (0..3)
            .flat_map(|role| vec![role; REQUIRED[around.required][role]])
            .collect();
        let chat = around.chat.unwrap_or(slots.len() - 1);
        let barred = around
            .asked
            .filter(|_| !around.self_approval)
            .map(|(n, _)| n);
        let free = voters
            .iter()
            .enumerate()
            .map(|(n, voter)| (Some(n) != barred).then_some(*voter));
        let expected = seats(&slots, &free.collect::<Vec<_>>(), chat);

        counts.cases.fetch_add(1, Ordering::Relaxed);
        counts
            .opened
            .fetch_add(usize::from(expected), Ordering::Relaxed);
        if tally.is_complete() != expected {
            let wrong = if expected {
                &counts.wrongly_closed
            } else {
                &counts.wrongly_open
            };
            if wrong.fetch_add(1, Ordering::Relaxed) < 5 {
                let _ = writeln!(
                    std::io::stderr(),
                    "expected {expected}: {voters:?} {around:?} {tally:?}"
                );
            }
        }
    }
}

/// Whether distinct people fill all slots, by trying everybody for the first.
fn seats(slots: &[usize], people: &[Option<Voter>], chat: usize) -> bool {
    let Some((role, rest)) = slots.split_first() else {
        return true;
    };
    people.iter().enumerate().any(|(n, voter)| {
        let Some((_, doors)) = voter.filter(|(roles, _)| roles >> role & 1 == 1) else {
            return false;
        };
        let mut others = people.to_vec();
        others[n] = None;
        let elsewhere = doors & !(1 << SLACK) != 0;
        let by_chat = usize::from(!elsewhere);
        by_chat <= chat && seats(rest, &others, chat - by_chat)
    })
}

/// Every list of `n` voters out of `kinds`: in every order, or only in the order of `kinds`.
fn lists(kinds: &[Voter], n: usize, ordered: bool) -> Vec<Vec<Voter>> {
    let mut all: Vec<(usize, Vec<Voter>)> = vec![(0, Vec::new())];
    for _ in 0..n {
        all = all
            .iter()
            .flat_map(|(least, list)| {
                let from = if ordered { 0 } else { *least };
                (from..kinds.len())
                    .map(move |kind| (kind, list.iter().copied().chain([kinds[kind]]).collect()))
            })
            .collect();
    }
    all.into_iter().map(|(_, list)| list).collect()
}

/// Voters of every kind: these roles, and each of these sets of doors.
fn kinds(roles: std::ops::Range<usize>, doors: &[usize]) -> Vec<Voter> {
    roles
        .flat_map(|roles| doors.iter().map(move |doors| (roles, *doors)))
        .collect()
}

/// Plays the lists on every core.
fn play(lists: &[Vec<Voter>], counts: &Counts, cases: impl Fn(&[Voter]) -> Vec<Around> + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut setting = setting();
                while let Some(voters) = lists.get(next.fetch_add(1, Ordering::Relaxed)) {
                    setting.assign(voters);
                    let votes = setting.cast(voters);
                    for around in cases(voters) {
                        setting.case(voters, &votes, around, counts);
                    }
                }
            });
        }
    });
}

/// Each door alone.
const ONE_DOOR: [usize; 4] = [1, 2, 4, 8];
/// The same without the web page by token: who comes by it is who comes by kubectl.
const UNLIKE_DOORS: [usize; 3] = [1, 4, 8];

fn total(required: usize) -> usize {
    REQUIRED[required].iter().sum()
}

/// Which provider the request came by: another one from list to list.
fn asking_door(voters: &[Voter]) -> usize {
    voters
        .iter()
        .map(|(roles, doors)| roles + doors)
        .sum::<usize>()
        % DOORS.len()
}

/// One and two people, each through any doors at once, with every limit of votes by chat.
pub fn one_and_two() -> Counts {
    let counts = Counts::default();
    let any_doors: Vec<usize> = (1..16).collect();
    for n in 1..=2 {
        play(
            &lists(&kinds(0..8, &any_doors), n, true),
            &counts,
            |voters| {
                let mut cases = Vec::new();
                let door = asking_door(voters);
                for required in (0..REQUIRED.len()).filter(|required| total(*required) <= n + 1) {
                    for chat in [None].into_iter().chain((0..=total(required)).map(Some)) {
                        let around = Around {
                            required,
                            asked: None,
                            self_approval: false,
                            chat,
                        };
                        cases.push(around);
                        for n in 0..voters.len() {
                            let asked = Around {
                                asked: Some((n, door)),
                                ..around
                            };
                            cases.extend([
                                asked,
                                Around {
                                    self_approval: true,
                                    ..asked
                                },
                            ]);
                        }
                    }
                }
                cases
            },
        );
    }
    counts
}

/// Three people in every order, each through any one door.
pub fn three() -> Counts {
    let counts = Counts::default();
    play(
        &lists(&kinds(0..8, &ONE_DOOR), 3, true),
        &counts,
        |voters| {
            let mut cases = Vec::new();
            let door = asking_door(voters);
            for required in (0..REQUIRED.len()).filter(|required| total(*required) <= 4) {
                let around = Around {
                    required,
                    asked: None,
                    self_approval: false,
                    chat: None,
                };
                cases.push(around);
                cases.push(Around {
                    chat: Some(total(required)),
                    ..around
                });
                cases.push(Around {
                    chat: Some(0),
                    ..around
                });
                cases.push(Around {
                    asked: Some((0, door)),
                    self_approval: true,
                    ..around
                });
                cases.extend((0..3).map(|n| Around {
                    asked: Some((n, door)),
                    ..around
                }));
            }
            cases
        },
    );
    counts
}

/// Four and five people up to what makes no difference. `all`: five through any of the four doors, and
/// not only through those that are told apart.
pub fn four_and_five(all: bool) -> Counts {
    let counts = Counts::default();
    for n in 4..=5 {
        for roles in 1..=3 {
            let doors = if all || n == 4 {
                &ONE_DOOR[..]
            } else {
                &UNLIKE_DOORS[..]
            };
            let all = lists(&kinds(1..1 << roles, doors), n, false);
            play(&all, &counts, |voters| {
                let mut cases = Vec::new();
                let door = asking_door(voters);
                for (required, of) in REQUIRED.iter().enumerate() {
                    if of.iter().filter(|votes| **votes > 0).count() != roles {
                        continue;
                    }
                    let around = Around {
                        required,
                        asked: None,
                        self_approval: false,
                        chat: None,
                    };
                    cases.push(around);
                    // Two who are alike in everything are one case.
                    let others = (0..n).filter(|n| *n == 0 || voters[*n] != voters[n - 1]);
                    cases.extend(others.map(|n| Around {
                        asked: Some((n, door)),
                        ..around
                    }));
                }
                cases
            });
        }
    }
    counts
}
