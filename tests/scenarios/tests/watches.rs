//! Danger: the agent's watches end, fall silent, lose an event, or show the past. The story must end as
//! if nothing had happened, and without a restart (reliability.md P2, P3).

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do; indexing JSON by key gives null"
)]

use std::io::Write as _;
use std::time::{Duration, Instant};

use sluice_scenarios::{
    Crew, Life, Process, Run, Stage, Story, beside, disturbed, on_virtual_time, remembered, status,
    until,
};
use sluice_sim::{Fault, Faults};

const SEED: u64 = 1;
/// Nothing waits longer for a watch that does not tell (P3).
const DELAY: Duration = Duration::from_secs(60);
/// A whole story waits for one thing so long, and for the next until the watches have begun anew.
const STORY_DELAY: Duration = Duration::from_secs(90);
const HOUR: Duration = Duration::from_secs(3600);

fn of_agent(stage: &Stage) -> Faults {
    stage.cluster.faults(&stage.cluster.agent())
}

fn good(faults: &[(u64, Fault)], disturb: impl AsyncFnOnce(&Stage)) -> Result<Run, String> {
    on_virtual_time(disturbed(Story::Good, SEED, faults, disturb))
}

fn calm() -> Run {
    good(&[], async |_: &Stage| {}).unwrap()
}

/// Collects what ended otherwise, and prints how many runs there were.
struct Tally {
    what: &'static str,
    calm: Run,
    runs: usize,
    slowest: Duration,
    failures: Vec<String>,
    started: Instant,
}

impl Tally {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            calm: calm(),
            runs: 0,
            slowest: Duration::ZERO,
            failures: Vec::new(),
            started: Instant::now(),
        }
    }

    fn count(&mut self, how: &str, found: Result<Run, String>) {
        self.runs += 1;
        match found {
            Ok(found) if found.ending == self.calm.ending => {
                self.slowest = self.slowest.max(found.took);
                if found.took > self.calm.took + STORY_DELAY {
                    let (took, calm) = (found.took, self.calm.took);
                    self.failures
                        .push(format!("{how}: took {took:?} and not {calm:?}"));
                }
            }
            Ok(found) => self.failures.push(format!(
                "{how}: ends otherwise: {:#?} and not {:#?}",
                found.ending, self.calm.ending
            )),
            Err(why) => self.failures.push(format!("{how}: {why}")),
        }
    }

    fn end(self) {
        // Past the harness's capture: the number of runs is shown also when all is well.
        let _ = writeln!(
            std::io::stderr(),
            "{}: {} runs, {} failures; the slowest took {:?}, undisturbed {:?}; {:.0} s",
            self.what,
            self.runs,
            self.failures.len(),
            self.slowest,
            self.calm.took,
            self.started.elapsed().as_secs_f64()
        );
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }
}

/// Waits until the agent has written so often.
async fn written(stage: &Stage, writes: u64) {
    while of_agent(stage).writes() < writes {
        stage.pass(Duration::from_millis(20)).await;
    }
}

#[test]
fn watches_that_expire_at_every_few_writes_change_nothing() {
    let mut tally = Tally::new("watches end with 410 at every k-th write");
    for k in [1, 2, 3, 5, 8, 13] {
        let found = good(&[], async |stage: &Stage| {
            for n in 1.. {
                written(stage, n * k).await;
                of_agent(stage).expire_watches();
            }
        });
        tally.count(&format!("every {k} writes"), found);
    }
    tally.end();
}

#[test]
fn watches_that_fall_silent_at_any_moment_change_nothing() {
    let mut tally = Tally::new("watches fall silent after a write, every second");
    for write in (1..=tally.calm.writes).step_by(2) {
        let found = good(&[], async |stage: &Stage| {
            written(stage, write).await;
            of_agent(stage).wedge_watches();
        });
        tally.count(&format!("after write {write}"), found);
    }
    tally.end();
}

#[test]
fn a_lost_event_changes_nothing() {
    let mut tally = Tally::new("one watch event is lost, every third");
    for event in (1..=tally.calm.events).step_by(3) {
        let found = good(&[], async |stage: &Stage| of_agent(stage).lose_event(event));
        tally.count(&format!("event {event}"), found);
    }
    tally.end();
}

#[test]
fn two_lost_events_in_a_row_change_nothing() {
    let mut tally = Tally::new("two watch events in a row are lost, every seventh");
    for event in (1..=tally.calm.events).step_by(7) {
        let found = good(&[], async |stage: &Stage| {
            of_agent(stage).lose_event(event);
            of_agent(stage).lose_event(event + 1);
        });
        tally.count(&format!("events {event} and the next"), found);
    }
    tally.end();
}

#[test]
fn a_restarted_agent_that_sees_the_past_changes_nothing() {
    let mut tally = Tally::new("a crash, then lists and watches up to 50 changes old for 20 s");
    for write in (2..=tally.calm.writes).step_by(5) {
        for changes in [1, 10, 50] {
            let found = good(&[(write, Fault::CrashAfter)], async |stage: &Stage| {
                written(stage, write).await;
                of_agent(stage).stale(changes, Duration::from_secs(20));
            });
            tally.count(&format!("write {write}, {changes} changes"), found);
        }
    }
    tally.end();
}

/// How long votes that are cast while every watch is silent take to open the gate.
fn votes_are_heard_after(silent_for: Duration) -> Duration {
    on_virtual_time(async {
        let stage = Stage::new(SEED);
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        let script = async {
            until(&stage, "the baseline is adopted", HOUR, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            stage.push("v1.1.0", 'b');
            until(&stage, "it waits for votes", HOUR, |s| {
                status(s, "production", "v1.1.0")["why"]["code"] == "WaitsForVotes"
            })
            .await;
            of_agent(&stage).wedge_watches();
            stage.pass(silent_for).await;
            let start = stage.cluster.clock().elapsed();
            let crew = Crew::approving();
            let heard = until(&stage, "the gate opens", HOUR, |s| {
                status(s, "production", "v1.1.0")["phase"] == "Progressing"
            });
            tokio::select! {
                () = heard => {}
                () = crew.work(&stage) => {}
            }
            stage.cluster.clock().elapsed() - start
        };
        beside(&stage, &life, &Crew::absent(), script).await
    })
}

#[test]
fn votes_that_no_watch_tells_of_are_heard_within_a_minute() {
    let found: Vec<Duration> = (0..30)
        .step_by(5)
        .map(|seconds| votes_are_heard_after(Duration::from_secs(seconds)))
        .collect();
    let _ = writeln!(
        std::io::stderr(),
        "votes while all watches are silent: heard after {:?} at most",
        found.iter().max()
    );
    // Five seconds of it pass before the people look and vote.
    assert!(found.iter().all(|after| *after <= DELAY), "{found:?}");
}

#[test]
fn an_agent_whose_requests_hang_names_the_rollouts_that_it_neglects() {
    on_virtual_time(async {
        let stage = Stage::new(SEED);
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        let Process { client, agent } = Process::start(&stage, life.policy(), None);
        let health = agent.health();
        let script = async {
            until(&stage, "the baseline is adopted", HOUR, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            stage.push("v1.1.0", 'b');
            until(&stage, "it waits for votes", HOUR, |s| {
                status(s, "production", "v1.1.0")["why"]["code"] == "WaitsForVotes"
            })
            .await;
            for _ in 0..20 {
                stage.pass(Duration::from_secs(30)).await;
                let well = health.checkup();
                assert!(well.neglected.is_empty(), "{well:?}");
            }
            client.pause();
            stage.pass(Duration::from_secs(60)).await;
            assert!(health.checkup().neglected.is_empty(), "not yet");
            stage.pass(Duration::from_secs(62)).await;
            let stuck = health.checkup();
            assert_eq!(stuck.neglected.len(), 1, "{stuck:?}");
            assert!(stuck.neglected.iter().all(|r| r.contains("production")));
            client.resume();
            stage.pass(Duration::from_secs(60)).await;
            let well = health.checkup();
            assert!(well.neglected.is_empty(), "{well:?}");
        };
        let crew = Crew::absent();
        tokio::select! {
            ended = agent.run() => panic!("the agent ended: {ended:?}"),
            () = crew.work(&stage) => {}
            () = script => {}
        }
    });
}
