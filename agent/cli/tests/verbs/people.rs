//! A terminal of one person.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use jiff::Timestamp;
use serde_json::Value;
use sluice::{Access, Cli, Exit, Output, Session, run_in};
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use sluice_scenarios::{Life, POLICY, Stage, on_virtual_time};
use sluice_sim::SimClock;

struct ClusterClock(SimClock);

impl Clock for ClusterClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Its result, for programs.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err))
    }

    /// The test goes on only if it ended so.
    pub(crate) fn ended(self, exit: Exit) -> Self {
        assert_eq!(self.exit, exit, "{}\n{}", self.out, self.err);
        self
    }
}

/// A person types a line.
pub(crate) async fn types(stage: &Stage, who: &str, line: &str) -> Ran {
    let words = std::iter::once("sluice").chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{line}: {e}"));
    let (out, seen) = Output::captured(cli.output);
    let name = format!("{who}@example.com");
    let mut session = Session {
        access: Access::new(stage.cluster.client(&name), "delivery"),
        out,
        clock: Arc::new(ClusterClock(stage.cluster.clock())),
    };
    let exit = run_in(&cli, &mut session).await;
    Ran {
        exit,
        out: seen.out(),
        err: seen.err(),
    }
}

/// A story with an agent that works. The virtual time that a story may take is bounded.
pub(crate) fn with_agent(story: impl AsyncFnOnce(&Stage)) {
    with_agent_under(POLICY, story);
}

/// The same under a policy of its own.
pub(crate) fn with_agent_under(policy: &str, story: impl AsyncFnOnce(&Stage)) {
    let policy = Policy::parse(policy).unwrap_or_else(|problems| panic!("{problems:?}"));
    on_virtual_time(async {
        let mut stage = Stage::new(7);
        stage.policy = Arc::new(policy);
        let life = Life::new(&stage);
        // Both targets become healthy and are adopted.
        let told = async {
            stage.pass(Duration::from_secs(60)).await;
            Box::pin(story(&stage)).await;
        };
        tokio::select! {
            () = life.go_on(&stage) => {}
            ended = tokio::time::timeout(Duration::from_secs(24 * 3600), told) => {
                ended.expect("the story takes a day");
            }
        }
    });
}

/// The name of the newest Rollout of an environment.
pub(crate) async fn newest(stage: &Stage, environment: &str) -> Option<String> {
    let list = types(stage, "carol", "get rollouts -o json")
        .await
        .ended(Exit::Done)
        .json();
    let items = list["items"].as_array().expect("items").clone();
    let found = items
        .iter()
        .rev()
        .find(|r| r["spec"]["environment"] == environment);
    found.and_then(|r| Some(r["metadata"]["name"].as_str()?.to_owned()))
}

/// Waits until the newest Rollout of an environment is in this phase, and names it.
pub(crate) async fn reaches(stage: &Stage, environment: &str, phase: &str) -> String {
    for _ in 0..600 {
        stage.pass(Duration::from_secs(1)).await;
        let Some(name) = newest(stage, environment).await else {
            continue;
        };
        let get = types(stage, "carol", &format!("get rollout {name} -o json")).await;
        if get.json()["status"]["phase"] == phase {
            return name;
        }
    }
    panic!("no Rollout of {environment} reached {phase} in ten minutes");
}
