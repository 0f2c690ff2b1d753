//! Playing a story to its end, with one fault somewhere in it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sluice_core::policy::Policy;
use sluice_sim::{Fault, Resource};

use crate::crew::Crew;
use crate::life::Life;
use crate::oracle::{FinalState, final_state, gate_was_open};
use crate::stage::{POLICY, PRODUCTION, STAGING, Stage, digest};
use crate::strategies;
use crate::watchers::status;

/// A story ends by itself long before this, in virtual time; one that does not is stuck.
const LONGEST: Duration = Duration::from_secs(3 * 3600);
/// The last look at the registry and the last messages after the end of the last Rollout.
const SETTLES: Duration = Duration::from_secs(120);
/// How long everything is stopped.
const STOPPED: Duration = Duration::from_secs(600);
/// Ten more loops of the periodic look (reliability.md O7), which must be without a write.
const QUIET: Duration = Duration::from_secs(10 * 30);

/// The stories of issue and demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// v1.1.0 goes through staging to production.
    Good,
    /// v1.2.0 is caught in production at 10 % and rolled back.
    Bad,
    /// v1.3.0 never becomes ready in staging.
    NeverReady,
    /// v1.1.0 is previewed, takes all traffic at once, and the old version is kept for ten minutes.
    BlueGreen,
    /// It is not what people want: while the old version is kept, somebody asks for the way back.
    BlueGreenBack,
    /// v1.2.0 is caught in its preview.
    BlueGreenBad,
    /// v1.1.0 goes to production by the weights of an HTTPRoute.
    Route,
    /// v1.2.0 is caught behind 10 % of that route.
    RouteBad,
    /// v1.1.0 goes to production by a second Ingress.
    Ingress,
    /// v1.1.0 goes to production where there is no room for one pod more.
    NoSurge,
    /// v1.1.0 is measured on its way and promoted, and its numbers turn bad while it is watched.
    Watched,
    /// v1.1.0 again, under a limit of one Rollout in each environment; somebody stops everything while
    /// its canary is watched, and somebody else starts it again.
    Stopped,
}

impl Story {
    fn release(self) -> (&'static str, char) {
        match self {
            Self::Good
            | Self::Stopped
            | Self::Watched
            | Self::BlueGreen
            | Self::BlueGreenBack
            | Self::Route
            | Self::Ingress
            | Self::NoSurge => ("v1.1.0", 'b'),
            Self::Bad | Self::BlueGreenBad | Self::RouteBad => ("v1.2.0", 'c'),
            Self::NeverReady => ("v1.3.0", 'd'),
        }
    }

    /// The stage on which it is played.
    pub fn stage(self, seed: u64) -> Stage {
        let mut stage = Stage::new(seed);
        stage.policy = Arc::new(Policy::parse(&self.policy()).expect("the policy of the story"));
        self.way().lay(&stage);
        if self == Self::Watched {
            measure(&stage);
        }
        stage
    }

    fn last_rollout(self) -> &'static str {
        match self {
            Self::NeverReady => "staging",
            _ => "production",
        }
    }

    fn policy(self) -> String {
        match self {
            Self::Good | Self::Bad | Self::NeverReady | Self::Watched => POLICY.into(),
            Self::BlueGreen
            | Self::BlueGreenBack
            | Self::BlueGreenBad
            | Self::Route
            | Self::RouteBad
            | Self::Ingress
            | Self::NoSurge => strategies::policy(),
            Self::Stopped => POLICY.replace(
                "    checks: {require: [http-smoke]}\n",
                "    checks: {require: [http-smoke]}\n    limits: {concurrentRollouts: 1}\n",
            ),
        }
    }
}

/// Has production measured: the provider finds errors in the watch after promotion.
fn measure(stage: &Stage) {
    let change = |pipeline: &mut serde_json::Value| {
        let production = &mut pipeline["spec"]["environments"][1];
        production["analysis"] = json!([{
            "plugin": "numbers", "name": "errors", "settings": {"errors": {"watch": 11}},
            "every": "30s", "require": "< 1%",
        }]);
        production["watch"] = json!({"for": "10m"});
    };
    stage
        .cluster
        .modify(Resource::Pipelines, "delivery", "storefront", change);
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Writes of the agent that count for faults.
    pub writes: u64,
    /// Writes of the agent by verb, resource and sub-resource.
    pub listing: Vec<String>,
    /// The end.
    pub ending: Ending,
    /// Repeated notifications and records: each crash may cause one of each.
    pub repeats: usize,
    /// Notifications in all.
    pub told: usize,
    /// Watch events that the agent got, or that were lost on the way.
    pub events: u64,
    /// From the push to the end of the last Rollout, to five seconds.
    pub took: Duration,
    /// From what made it go back (a person's wish, a check that failed) to the first write that leads
    /// traffic back, where it went back and traffic is led.
    pub back: Option<Duration>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What the cluster is like.
    pub state: FinalState,
}

/// Plays a story with these faults at these writes of the agent.
///
/// # Errors
/// A sentence about what did not hold.
pub async fn run(story: Story, seed: u64, faults: &[(u64, Fault)]) -> Result<Run, String> {
    disturbed(story, seed, faults, async |stage| match story {
        Story::Stopped => stop_and_start(stage).await,
        Story::BlueGreenBack => strategies::regret(stage).await,
        _ => {}
    })
    .await
}

/// Stops everything while the canary is watched, and starts it again when it has held for a while.
async fn stop_and_start(stage: &Stage) {
    let why = |code: &str| status(stage, "production", "v1.1.0")["why"]["code"] == code;
    while !why("Holds") {
        stage.pass(Duration::from_secs(1)).await;
    }
    let spec = json!({"action": "stop", "reason": "the database is down"});
    Crew::ask(stage, "carol@example.com", "halt", spec).await;
    while !why("Stopped") {
        stage.pass(Duration::from_secs(1)).await;
    }
    stage.pass(STOPPED).await;
    let spec = json!({"action": "start", "reason": "it is up again"});
    Crew::ask(stage, "bob@example.com", "go", spec).await;
}

/// Plays a story with these faults, and with somebody who does something else beside it.
///
/// # Errors
/// A sentence about what did not hold.
pub async fn disturbed(
    story: Story,
    seed: u64,
    faults: &[(u64, Fault)],
    disturb: impl AsyncFnOnce(&Stage),
) -> Result<Run, String> {
    let stage = story.stage(seed);
    let plan = stage.cluster.faults(&stage.cluster.agent());
    for (write, fault) in faults {
        plan.at(*write, *fault);
    }
    let begin = stage.cluster.clock().now();
    stage.push("v1.0.0", 'a');
    let life = Life::new(&stage);
    let crew = Crew::approving();
    let play = async {
        let took = to_its_end(&stage, story).await;
        quiet(&stage).await.map(|()| took)
    };
    let beside = async {
        disturb(&stage).await;
        std::future::pending::<()>().await;
    };
    let took = tokio::select! {
        ended = play => ended?,
        () = life.go_on(&stage) => return Err("the agent's life ended".into()),
        () = crew.work(&stage) => return Err("the crew left".into()),
        why = stuck(&stage) => return Err(why),
        () = beside => return Err("who disturbs left".into()),
    };
    sound(&stage, story, begin)?;
    let agent = stage.cluster.agent();
    let told = stage.plugins.told();
    let mut ids: Vec<&String> = told.iter().map(|e| &e.id).collect();
    ids.sort();
    ids.dedup();
    let records: usize = stage
        .sink
        .records()
        .iter()
        .map(|(_, n)| usize::try_from(*n).unwrap_or(0) - 1)
        .sum();
    Ok(Run {
        writes: plan.writes(),
        listing: stage
            .cluster
            .writes()
            .iter()
            .filter(|w| w.user == agent)
            .map(|w| {
                format!(
                    "{} {:?} {} {}/{}",
                    w.verb, w.resource, w.subresource, w.namespace, w.name
                )
            })
            .collect(),
        ending: Ending {
            state: final_state(&stage.cluster),
        },
        repeats: told.len() - ids.len() + records,
        told: told.len(),
        events: plan.events(),
        took,
        back: strategies::back(&stage),
    })
}

/// Plays a story until its last Rollout is over and its last message is out. Returns how long that took
/// from the push on.
pub async fn to_its_end(stage: &Stage, story: Story) -> Duration {
    // The first look adopts what serves; then somebody pushes.
    stage.pass(Duration::from_secs(20)).await;
    let (tag, letter) = story.release();
    stage.push(tag, letter);
    let pushed = stage.cluster.clock().elapsed();
    while !over(stage, story) {
        stage.pass(Duration::from_secs(5)).await;
    }
    let took = stage.cluster.clock().elapsed().saturating_sub(pushed);
    stage.pass(SETTLES).await;
    took
}

/// Watches ten more loops, in which no agent writes anything but its Lease (O7).
///
/// # Errors
/// What was written.
pub async fn quiet(stage: &Stage) -> Result<(), String> {
    let quiet_from = stage.cluster.last_write();
    stage.pass(QUIET).await;
    let agent = stage.cluster.agent();
    let later = stage.cluster.writes_after(quiet_from);
    match later
        .iter()
        .find(|w| w.user == agent && w.resource != Resource::Leases)
    {
        Some(w) => Err(format!(
            "writes after the end: {} {:?} {}/{} {}",
            w.verb, w.resource, w.namespace, w.name, w.body
        )),
        None => Ok(()),
    }
}

/// Returns, with the state of things, once a story takes longer than it can.
pub async fn stuck(stage: &Stage) -> String {
    tokio::time::sleep(LONGEST).await;
    format!(
        "stuck after {} h: {:#?}\n{:#}",
        LONGEST.as_secs() / 3600,
        final_state(&stage.cluster),
        serde_json::Value::from(
            stage
                .cluster
                .objects(Resource::Rollouts, "delivery")
                .iter()
                .map(|r| r["status"].clone())
                .collect::<Vec<_>>()
        )
    )
}

/// What must hold of every story, whatever happened in it: the gate (O3), the pods (O2), what its
/// strategy promises, and a simulator that could do what it was asked.
///
/// # Errors
/// What did not hold.
pub fn sound(stage: &Stage, story: Story, begin: Timestamp) -> Result<(), String> {
    gate_was_open(&stage.cluster)?;
    strategies::kept(stage, story)?;
    // Where there is no room for more pods, one goes before another comes.
    let production = if story == Story::NoSurge { 9 } else { 10 };
    for (namespace, least) in [(STAGING, 3), (PRODUCTION, production)] {
        let fewest = stage.cluster.fewest_ready(
            namespace,
            "storefront",
            begin + jiff::SignedDuration::from_secs(10),
        );
        if fewest < least {
            return Err(format!(
                "only {fewest} ready pods behind the Service in {namespace}"
            ));
        }
    }
    let problems = stage.cluster.problems();
    if !problems.is_empty() {
        return Err(format!("the cluster reports: {problems:?}"));
    }
    Ok(())
}

/// Whether the last Rollout of the story is there, and every Rollout has ended, with its messages out
/// and its record stored.
fn over(stage: &Stage, story: Story) -> bool {
    let (_, letter) = story.release();
    let rollouts = stage.cluster.objects(Resource::Rollouts, "delivery");
    let last = rollouts.iter().any(|r| {
        r["spec"]["environment"] == story.last_rollout()
            && r["spec"]["image"]["digest"] == digest(letter)
    });
    last && rollouts.iter().all(|r| {
        r["status"]["state"]["phase"] == "Ended"
            && r["status"]["recorded"] == true
            && r["status"]["outbox"].as_array().is_none_or(Vec::is_empty)
    })
}
