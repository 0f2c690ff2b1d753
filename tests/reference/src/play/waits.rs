//! Clocks that are put back, and what a wait makes of it (reliability.md T1): every wait ends at an
//! instant that is written down, never after so long as somebody's clock has run.

use serde_json::json;

use super::adapt::{instant, load, revision, vote};
use super::beginning::{Beginning, admission};
use super::cluster::template;
use super::history::{History, UID};
use crate::maker::{self, Crowd};
use crate::meaning::{Ballot, Facts, Who, calendar};
use crate::rng::Rng;
use crate::tally::Tally;

/// Seconds between two looks of the agent.
const EVERY: i64 = 300;
/// The longest that a clock is put back or forward, in seconds.
const STEP: i64 = 7200;
/// Looks until a gate must have opened: four days.
const LOOKS: i64 = 4 * 86_400 / EVERY;

/// What came of one walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The instant that is written down.
    pub due: i64,
    /// When it opened, by the true clock, and what the agent's showed.
    pub opened: (i64, i64),
    /// How often the clock was put somewhere else before.
    pub steps: usize,
}

/// A release with a minimum age, two votes, a wait timer and windows, under a clock that is put back and,
/// where `forward` says so, forward at random. How it opened.
pub fn walk(seed: u64, forward: bool) -> Result<Walk, String> {
    let mut rng = Rng::new(seed);
    let start = crate::civil::wall("2027-03-01T00:00") + rng.between(0, 40 * 86_400);
    let policy = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Policy",
        "people": [
            {"name": "alice", "kubernetes": "alice@example.com"},
            {"name": "bob", "kubernetes": "bob@example.com"},
        ],
        "roles": {"lead": {"people": ["alice"]}, "owner": {"people": ["bob"]}},
        "environments": {"production": {
            "targets": {"namespaces": ["shop"]}, "triggers": ["upstream"],
            "images": {"repositories": ["**"], "minimumAge": "45m"},
            "approvals": {
                "require": [{"role": "lead"}, {"role": "owner"}], "waitTimer": "3h", "expireAfter": "3d",
            },
            "windows": [{"allow": "* 06:00-22:00", "timeZone": "Europe/Berlin"}],
        }},
    });
    let crowd = Crowd::new(&mut rng);
    let beginning = Beginning::with(policy.clone(), load(&policy)?, crowd, start);
    let facts = Facts {
        pipeline: "storefront".into(),
        environment: maker::ENVIRONMENT.into(),
        namespace: "shop".into(),
        deployment: "storefront".into(),
        trigger: "upstream",
        requester: None,
        reason: None,
        skip_canary: false,
        break_glass: false,
        strategy: "canary".into(),
        router: "replicas",
        analyses: Vec::new(),
        checks: Vec::new(),
        repository: "registry.example.com/shop/storefront".into(),
        tag: None,
        digest: maker::digest('b'),
        annotations: [].into(),
        proofs: Vec::new(),
        succeeded: [].into(),
        quarantined: false,
    };
    let serves = template(&format!("{}@{}", facts.repository, maker::digest('a')), 0);
    let stable = revision(&maker::digest('a'), &serves);
    let mut tally = Tally::default();
    let view = admission(&beginning, &facts, &stable, &mut rng, &mut tally)?;
    let view = view.ok_or("it is let in")?;
    let calendar = calendar(&policy, &facts);
    let mut history = History::new(beginning, facts, view, (&serves, stable), rng, &mut tally);
    let (mut steps, mut last_vote) = (0, start);
    for look in 0..LOOKS {
        history.look()?;
        if history.cluster.claimed_by(UID) {
            let due = (last_vote + 3 * 3600..)
                .step_by(1)
                .find(|at| calendar.open(*at))
                .unwrap();
            return Ok(Walk {
                due,
                opened: (history.truth, history.now()),
                steps,
            });
        }
        if let Some(request) = history.request.clone()
            && history.ballots.len() < 2
            && history.rng.chance(20)
        {
            let username = ["alice@example.com", "bob@example.com"][history.ballots.len()];
            let who = Who {
                provider: "kubernetes",
                username: username.into(),
                groups: Vec::new(),
            };
            let (hash, at) = (request.subject, history.truth);
            history.votes.push(vote(
                username.into(),
                &who,
                "kubernetes",
                true,
                &hash,
                at,
                true,
            ));
            history.ballots.push(Ballot {
                who,
                chat: false,
                yes: true,
                subject: hash,
                at,
                believed: true,
            });
            last_vote = at;
        }
        // In the end the clock is right: nobody waits for ever.
        let late = look > LOOKS / 2;
        if late {
            history.skew = 0;
        } else if history.rng.chance(15) {
            history.skew = history.rng.between(-STEP, if forward { STEP } else { 0 });
            steps += 1;
        }
        history.truth += EVERY;
    }
    Err(format!("still closed at {}", instant(history.truth)))
}
