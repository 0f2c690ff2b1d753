//! Approval providers: asked, told of every change, taken back; a role that is decided outside; and
//! none of it ever holds or opens what it should not.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "indexing JSON by key gives null, never a panic; tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::plugin::{APPROVAL_REQUEST, PluginCall};
use sluice_core::policy::Policy;
use sluice_core::rollout::Facts;
use sluice_scenarios::oracle::production_changes;
use sluice_scenarios::{
    Crew, Life, POLICY, Stage, beside, on_virtual_time, quiet, remembered, status, until,
};
use sluice_sim::{Fault, Resource};

const MINUTES: Duration = Duration::from_secs(20 * 60);
const HOUR: Duration = Duration::from_secs(3600);
const CHAT: &str = "slack-approval";
const BOARD: &str = "webhook-approval";

/// Alice, and the board that a plugin asks.
fn policy() -> String {
    POLICY
        .replace("roles:\n", "roles:\n  board: {via: webhook-approval}\n")
        .replace("{role: tech-lead}]", "{role: board}]")
}

/// The same, so changed that what was signed is void.
fn other_policy() -> Policy {
    let later = policy().replace("{role: board}]", "{role: board}], waitTimer: 1m");
    Policy::parse(&later).unwrap()
}

/// The usual stage with two providers in production.
fn stage(policy: &str) -> Stage {
    let mut stage = Stage::new(3);
    stage.policy = Arc::new(Policy::parse(policy).unwrap());
    let mut pipeline = stage
        .cluster
        .object(Resource::Pipelines, "delivery", "storefront")
        .map(|p| Value::clone(&p))
        .unwrap();
    pipeline["spec"]["environments"][1]["approvals"] = json!([
        {"plugin": CHAT, "settings": {"channel": "#releases"}},
        {"plugin": BOARD, "settings": {}},
    ]);
    stage.cluster.apply(pipeline).unwrap();
    stage.push("v1.0.0", 'a');
    stage
}

/// Plays a script from the moment on at which production waits for votes on v1.1.0.
fn play<F: AsyncFnOnce(&Stage, &Life)>(policy: &str, crew: &Crew, script: F) {
    on_virtual_time(async {
        let stage = stage(policy);
        let life = Life::new(&stage);
        beside(&stage, &life, crew, async {
            baseline(&stage).await;
            stage.push("v1.1.0", 'b');
            script(&stage, &life).await;
        })
        .await;
    });
}

async fn baseline(stage: &Stage) {
    until(stage, "the baseline is adopted", MINUTES, |s| {
        remembered(s, "production")["stable"].is_object()
    })
    .await;
}

fn production(stage: &Stage) -> Value {
    status(stage, "production", "v1.1.0")
}

fn hash(stage: &Stage) -> String {
    let status = production(stage);
    status["approval"]["hash"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Whether both providers' tickets for the hash of now are stored.
fn asked_both(stage: &Stage) -> bool {
    let (status, hash) = (production(stage), hash(stage));
    let asked = status["asked"].as_array().cloned().unwrap_or_default();
    let stored = asked
        .iter()
        .filter(|a| a["hash"] == hash && a["ticket"].is_string());
    stored.count() == 2
}

fn no_tickets(stage: &Stage) -> bool {
    let status = production(stage);
    let asked = status["asked"].as_array().cloned().unwrap_or_default();
    asked.iter().all(|a| a["ticket"].is_null())
}

fn over(stage: &Stage) -> bool {
    let status = production(stage);
    status["phase"] == "Succeeded" && status["recorded"] == true && no_tickets(stage)
}

/// Tickets that were opened, and those of them that were taken back.
fn tickets(stage: &Stage) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut opened, mut back) = (BTreeSet::new(), BTreeSet::new());
    for call in stage.plugins.asked() {
        match call {
            PluginCall::AskApproval { invocation, .. } => {
                opened.insert(format!("ticket of {}", invocation.idempotency_key));
            }
            PluginCall::WithdrawApproval { ticket, .. } => {
                back.insert(ticket);
            }
            _ => {}
        }
    }
    (opened, back)
}

/// What a provider was told last by a call of this kind.
fn told(stage: &Stage, plugin: &str, kind: &str) -> Facts {
    let calls = stage.plugins.asked();
    let found = calls.iter().rev().find_map(|call| {
        let (name, invocation) = match call {
            PluginCall::AskApproval { plugin, invocation } if kind == "ask" => (plugin, invocation),
            PluginCall::PollApproval {
                plugin, invocation, ..
            } if kind == "poll" => (plugin, invocation),
            PluginCall::WithdrawApproval {
                plugin, invocation, ..
            } if kind == "withdraw" => (plugin, invocation),
            _ => return None,
        };
        (name == plugin).then_some(invocation)
    });
    let facts = found
        .unwrap()
        .attributes
        .iter()
        .find(|(key, _)| key == APPROVAL_REQUEST);
    serde_json::from_str(&facts.unwrap().1).unwrap()
}

/// Production changed only after a vote of alice and one that the agent recorded for the board, both
/// on the hash that was open. Read from the log of writes.
fn gate_was_open(stage: &Stage) -> Result<(), String> {
    let Some(first) = production_changes(&stage.cluster).first().map(|w| w.seq) else {
        return Ok(());
    };
    let (hash, agent) = (hash(stage), stage.cluster.agent());
    let votes = stage.cluster.writes();
    let by = |user: &str, channel: Option<&str>| {
        votes.iter().any(|w| {
            w.seq < first
                && w.accepted()
                && w.resource == Resource::Approvals
                && w.user == user
                && w.body["spec"]["hash"] == hash
                && w.body["spec"]["decision"] == "approve"
                && channel.is_none_or(|c| w.body["spec"]["channel"] == c)
        })
    };
    if !by("alice@example.com", None) {
        return Err("production changed without alice".into());
    }
    if !by(&agent, Some("plugin")) {
        return Err("production changed without the board".into());
    }
    Ok(())
}

#[test]
fn a_chat_is_asked_told_and_taken_back() {
    let crew = Crew::absent();
    play(POLICY, &crew, async |stage, life| {
        until(stage, "both are asked", MINUTES, asked_both).await;
        let first = told(stage, CHAT, "ask");
        assert_eq!(first.missing, ["devops-lead", "tech-lead"]);
        assert_eq!(first.earlier[0].environment, "staging");
        assert!(first.changes[0].contains("image"), "{:?}", first.changes);
        // A policy that asks for something else: the old request is void.
        let old = hash(stage);
        let other = POLICY.replace("{role: tech-lead}]", "{role: tech-lead}], waitTimer: 1m");
        life.set_policy(Policy::parse(&other).unwrap());
        until(stage, "it is another request", MINUTES, |s| hash(s) != old).await;
        until(stage, "both are asked anew", MINUTES, asked_both).await;
        let (_, back) = tickets(stage);
        assert_eq!(back.len(), 2, "{back:?}");
        assert_eq!(told(stage, CHAT, "withdraw").hash, Some(old));
        // A vote by another door is shown in the chat.
        let vote = async {
            until(stage, "the chat shows it", MINUTES, |s| {
                let polls = s.plugins.asked();
                polls
                    .iter()
                    .any(|c| matches!(c, PluginCall::PollApproval { .. }))
                    && told(s, CHAT, "poll").given.len() == 2
            })
            .await;
        };
        let people = Crew::approving();
        tokio::select! {
            () = people.work(stage) => {}
            () = vote => {}
        }
        until(stage, "it is delivered", HOUR, over).await;
        let (opened, back) = tickets(stage);
        assert_eq!(opened, back);
        assert_eq!(opened.len(), 4);
    });
}

#[test]
fn a_role_that_is_decided_outside_needs_its_provider_and_nobody_else() {
    let crew = Crew::approving();
    play(&policy(), &crew, async |stage, _| {
        until(stage, "both are asked", MINUTES, asked_both).await;
        // The chat has no role: what it says counts for nothing.
        stage.plugins.decide(CHAT, true);
        stage.pass(HOUR).await;
        let held = production(stage);
        assert_eq!(held["phase"], "AwaitingApproval", "{held:#}");
        assert_eq!(held["why"]["missing"], json!(["board"]));
        stage.plugins.decide(BOARD, true);
        until(stage, "it is delivered", HOUR, over).await;
        gate_was_open(stage).unwrap();
        // One vote, visible like every other.
        let votes = stage.cluster.objects(Resource::Approvals, "delivery");
        let boards: Vec<_> = votes
            .iter()
            .filter(|v| v["spec"]["channel"] == "plugin")
            .collect();
        assert_eq!(boards.len(), 1);
        assert_eq!(boards[0]["spec"]["approver"], BOARD);
        let (opened, back) = tickets(stage);
        assert_eq!(opened, back);
    });
}

#[test]
fn a_no_from_outside_ends_it() {
    let crew = Crew::approving();
    play(&policy(), &crew, async |stage, _| {
        stage.plugins.decide(BOARD, false);
        until(stage, "it is rejected", HOUR, |s| {
            production(s)["phase"] == "Rejected" && no_tickets(s)
        })
        .await;
        assert!(production_changes(&stage.cluster).is_empty());
        assert!(told(stage, CHAT, "withdraw").opens.contains("rejected by"));
        let (opened, back) = tickets(stage);
        assert_eq!(opened, back);
    });
}

#[test]
fn an_outage_of_a_provider_holds_nothing_and_mends() {
    let crew = Crew::absent();
    play(POLICY, &crew, async |stage, _| {
        stage.plugins.set_missing(CHAT, true);
        let text = |s: &Stage| production(s)["asked"].to_string();
        until(stage, "the outage shows", MINUTES, |s| {
            text(s).contains("plugin/missing")
        })
        .await;
        stage.pass(HOUR).await;
        assert_eq!(production(stage)["phase"], "AwaitingApproval");
        let before = stage.cluster.last_write();
        stage.pass(HOUR).await;
        let agent = stage.cluster.agent();
        let wrote = stage.cluster.writes_after(before);
        let wrote = wrote
            .iter()
            .filter(|w| w.user == agent && w.resource != Resource::Leases);
        assert_eq!(wrote.count(), 0, "waiting costs no write");
        stage.plugins.set_missing(CHAT, false);
        until(stage, "it is asked after all", MINUTES, asked_both).await;
        // Gone for good: people vote by another door, and no Rollout waits for the chat.
        stage.plugins.set_missing(CHAT, true);
        let people = Crew::approving();
        tokio::select! {
            () = people.work(stage) => {}
            () = until(stage, "it is delivered", HOUR, |s| production(s)["phase"] == "Succeeded") => {}
        }
        until(stage, "it is given up", 2 * HOUR, over).await;
        let last = production(stage)["timeline"].to_string();
        assert!(last.contains("not-withdrawn"), "{last}");
    });
}

/// The whole way with one fault at one write of the agent: asked, void, asked anew, decided, taken
/// back. Answers with the numbers of the writes from the first question to the first change; what comes
/// before and after is every story's.
async fn way(faults: &[(u64, Fault)]) -> Result<RangeInclusive<u64>, String> {
    let stage = stage(&policy());
    let plan = stage.cluster.faults(&stage.cluster.agent());
    for (write, fault) in faults {
        plan.at(*write, *fault);
    }
    let life = Life::new(&stage);
    let crew = Crew::voting(&[("alice@example.com", "approve")]);
    let script = async {
        baseline(&stage).await;
        stage.push("v1.1.0", 'b');
        until(&stage, "there is a request", MINUTES, |s| {
            !hash(s).is_empty()
        })
        .await;
        let first = plan.writes();
        until(&stage, "both are asked", MINUTES, asked_both).await;
        let old = hash(&stage);
        life.set_policy(other_policy());
        until(&stage, "it is another request", MINUTES, |s| hash(s) != old).await;
        until(&stage, "both are asked anew", MINUTES, asked_both).await;
        stage.plugins.decide(BOARD, true);
        until(&stage, "all is taken back", HOUR, |s| {
            production(s)["startedAt"].is_string() && no_tickets(s)
        })
        .await;
        let last = plan.writes();
        until(&stage, "it is delivered", HOUR, over).await;
        stage.pass(Duration::from_secs(120)).await;
        quiet(&stage).await.map(|()| first..=last)
    };
    let writes = beside(&stage, &life, &crew, script).await?;
    gate_was_open(&stage)?;
    let (opened, back) = tickets(&stage);
    if opened.len() != 4 || opened != back {
        return Err(format!("opened {opened:?}, taken back {back:?}"));
    }
    let votes = stage.cluster.objects(Resource::Approvals, "delivery");
    let boards = votes.iter().filter(|v| v["spec"]["channel"] == "plugin");
    match boards.count() {
        1 => Ok(writes),
        n => Err(format!("{n} votes of the board")),
    }
}

#[test]
fn any_single_fault_on_that_way_changes_nothing() {
    let writes = on_virtual_time(way(&[])).unwrap();
    let mut failures = Vec::new();
    let mut runs = 0;
    for write in writes.clone() {
        for fault in Fault::ALL {
            runs += 1;
            if let Err(why) = on_virtual_time(way(&[(write, fault)])) {
                failures.push(format!("{fault:?} at write {write}: {why}"));
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "approval providers: writes {writes:?}, {runs} runs with one fault each, {} failures",
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
