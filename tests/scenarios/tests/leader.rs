//! Danger: two leaders. The leader is stopped at any write for longer than its Lease, the other agent
//! takes over and ends the story, and then the first one's write arrives (reliability.md P4, O1).

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

use std::io::Write as _;
use std::time::{Duration, Instant};

use sluice_scenarios::{
    Life, Pair, Process, Stage, Story, Strike, Wake, on_virtual_time, takeover, until,
};
use sluice_sim::Resource;

const SEED: u64 = 1;

/// The old leader wakes up while the next one is at work: a few seconds after it took over.
const EARLY: Wake = Wake::After(Duration::from_secs(20));

fn every_write_of_the_leader(story: Story) {
    let calm = on_virtual_time(takeover(story, SEED, None)).unwrap();
    let started = Instant::now();
    let mut failures = Vec::new();
    let (mut runs, mut refused, mut inert) = (0, 0, 0);
    for write in 1..=calm.writes {
        for wake in [Wake::AtTheEnd, EARLY, Wake::WhileClosed] {
            // The next leader has written by then what the old one had in hand, or holds as in the
            // last variant: a sample is enough.
            if wake == EARLY && !write.is_multiple_of(3) {
                continue;
            }
            runs += 1;
            let pause = Some(Strike::Pause(write, wake));
            match on_virtual_time(takeover(story, SEED, pause)) {
                Ok(found) => {
                    refused += found.refused;
                    inert += found.inert;
                    for late in &found.late {
                        failures.push(format!(
                            "{wake:?}, write {write}: of the old leader, accepted: {late}"
                        ));
                    }
                    if found.state != calm.state {
                        failures.push(format!(
                            "{wake:?}, write {write}: ends otherwise: {:#?} and not {:#?}",
                            found.state, calm.state
                        ));
                    }
                }
                Err(why) => failures.push(format!("{wake:?}, write {write}: {why}")),
            }
        }
    }
    // Past the harness's capture: the number of runs is shown also when all is well.
    let _ = writeln!(
        std::io::stderr(),
        "{story:?} story, leader stopped: {} writes, {runs} runs (early wake-ups at every third write), {} failures; late writes of the old \
         leader: {refused} refused, {inert} created something empty; {:.0} s",
        calm.writes,
        failures.len(),
        started.elapsed().as_secs_f64()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_leader_stopped_at_any_write_of_the_good_story_writes_nothing_late() {
    every_write_of_the_leader(Story::Good);
}

#[test]
fn a_leader_stopped_at_any_write_of_the_bad_story_writes_nothing_late() {
    every_write_of_the_leader(Story::Bad);
}

#[test]
fn a_standby_ends_the_story_of_a_leader_that_died() {
    let calm = on_virtual_time(takeover(Story::Good, SEED, None)).unwrap();
    let mut failures = Vec::new();
    // Every single crash is in `crash.rs`; with a standby a sample tells that the wait is the only
    // difference.
    for write in (1..=calm.writes).step_by(4) {
        for strike in [Strike::CrashBefore(write), Strike::CrashAfter(write)] {
            match on_virtual_time(takeover(Story::Good, SEED, Some(strike))) {
                Ok(found) if found.state == calm.state => {}
                Ok(found) => failures.push(format!("{strike:?}: {:#?}", found.state)),
                Err(why) => failures.push(format!("{strike:?}: {why}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// When the Lease was written by this process, in milliseconds of the cluster's clock.
fn lease_writes(stage: &Stage, instance: u64) -> Vec<i64> {
    stage
        .cluster
        .writes()
        .iter()
        .filter(|w| w.resource == Resource::Leases && w.instance == instance && w.accepted())
        .map(|w| w.at.as_millisecond())
        .collect()
}

/// Milliseconds from the last renewal of a leader that dies until the other one leads, which looks so
/// much later than the leader renews.
fn hand_over_after_a_crash(looks_later: Duration) -> i64 {
    on_virtual_time(async {
        let stage = Stage::new(SEED);
        let life = Life::new(&stage);
        let Pair { first, second } = Pair::start(&stage, &life);
        let (old, new) = (first.client.id(), second.client.id());
        let standby = async {
            stage.pass(Duration::from_secs(2) + looks_later).await;
            second.agent.run().await
        };
        let script = async {
            tokio::select! {
                ended = first.agent.run() => panic!("the leader ended: {ended:?}"),
                () = stage.pass(Duration::from_secs(31)) => first.client.crash(),
            }
            until(&stage, "the standby leads", Duration::from_secs(60), |s| {
                !lease_writes(s, new).is_empty()
            })
            .await;
        };
        tokio::select! {
            ended = standby => panic!("the standby ended: {ended:?}"),
            () = script => {}
        }
        lease_writes(&stage, new)[0] - lease_writes(&stage, old).last().unwrap()
    })
}

#[test]
fn a_lease_of_the_dead_is_taken_when_it_lapses_and_not_before() {
    let mut found = Vec::new();
    for ms in (100..2_000).step_by(100) {
        found.push(hand_over_after_a_crash(Duration::from_millis(ms)));
    }
    let _ = writeln!(
        std::io::stderr(),
        "hand-over after a crash: {:?} to {:?} ms after the last renewal",
        found.iter().min(),
        found.iter().max()
    );
    // 15 s without a change, as the standby sees them: it looks every 2 s.
    assert!(
        found.iter().all(|ms| (15_000..=18_000).contains(ms)),
        "{found:?}"
    );
}

#[test]
fn an_orderly_end_hands_over_within_three_seconds() {
    for ms in (30_000..32_000).step_by(250) {
        on_virtual_time(async {
            let stage = Stage::new(SEED);
            let life = Life::new(&stage);
            let Pair { first, second } = Pair::start(&stage, &life);
            let Process { client, agent } = first;
            let (old, new) = (client.id(), second.client.id());
            let standby = async {
                stage.pass(Duration::from_secs(1)).await;
                second.agent.run().await
            };
            let script = async {
                let resignation = agent.resignation().unwrap();
                tokio::select! {
                    ended = agent.run() => panic!("the leader ended: {ended:?}"),
                    () = stage.pass(Duration::from_millis(ms)) => {}
                }
                resignation.hand_in().await;
                let given = stage.cluster.clock().now().as_millisecond();
                stage.pass(Duration::from_secs(20)).await;
                let taken = lease_writes(&stage, new)[0];
                assert!((given..=given + 3_000).contains(&taken), "{given} {taken}");
                let last = *lease_writes(&stage, old).last().unwrap();
                assert!(last <= taken, "who gave it back does not take it again");
            };
            tokio::select! {
                ended = standby => panic!("the standby ended: {ended:?}"),
                () = script => {}
            }
        });
    }
}
