//! Votes and wishes bear the name of who writes them.

use serde_json::{Value, json};

use super::Table;
use super::actor::{APPROVAL, REQUEST, merge};
use super::stage::Stage;

/// A vote in this name.
pub(super) fn vote(approver: &str, groups: &[&str]) -> Value {
    json!({"spec": {
        "rollout": "guard-proof-a", "rolloutUid": "0", "hash": "h",
        "approver": approver, "groups": groups, "decision": "approve",
    }})
}

fn wish(requester: &str, groups: &[&str]) -> Value {
    json!({"spec": {
        "action": "deploy", "pipeline": "none", "environment": "none", "tag": "v1",
        "requester": requester, "groups": groups,
    }})
}

fn by(channel: &str, mut object: Value) -> Value {
    merge(&mut object, json!({"spec": {"channel": channel}}));
    object
}

fn from(provider: &str, mut object: Value) -> Value {
    merge(&mut object, json!({"spec": {"provider": provider}}));
    object
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) {
    const ALICE: &str = "alice@example.com";
    const BOB: &str = "bob@example.com";
    let home = &stage.pipelines;
    for (kind, word, body) in [
        (APPROVAL, "votes", vote as fn(&str, &[&str]) -> Value),
        (REQUEST, "asks", wish),
    ] {
        let by_alice =
            async |name: &str, body: Value| stage.alice.create(kind, home, name, body).await;
        let name = "guard-proof-c";
        table.refused(
            "but the request was made by \"alice@example.com\"",
            &format!("alice {word} in the name of bob"),
            by_alice(name, body(BOB, &[])).await,
        );
        table.refused(
            "spec.groups names \"devops-leads\"",
            &format!("alice {word} as one of a group that she is not in"),
            by_alice(name, body(ALICE, &["tech-leads", "devops-leads"])).await,
        );
        table.refused(
            "which only the agent writes",
            &format!("alice {word} as if through the web page"),
            by_alice(name, by("web", body(ALICE, &[]))).await,
        );
        table.refused(
            "only what came through one of its own doors",
            &format!("the agent {word} in the name of bob, through no door"),
            stage.agent.create(kind, home, name, body(BOB, &[])).await,
        );
        table.refused(
            "the API server alone vouches for you",
            &format!("alice {word} as if another provider knew her"),
            by_alice(name, from("slack", body(ALICE, &[]))).await,
        );
        table.refused(
            "but the request was made by \"carol@example.com\"",
            &format!("an administrator {word} in the name of bob"),
            stage.carol.create(kind, home, name, body(BOB, &[])).await,
        );
        table.done(
            &format!("alice {word} in her own name, with her group"),
            by_alice("guard-proof-a", body(ALICE, &["tech-leads"])).await,
        );
        table.done(
            &format!("the agent {word} in the name of bob, through the web page"),
            stage
                .agent
                .create(
                    kind,
                    home,
                    "guard-proof-b",
                    by("web", body(BOB, &["testers"])),
                )
                .await,
        );
    }
    let by_slack = by("slack", from("slack", vote("U024BE7LH", &[])));
    table.done(
        "the agent votes for somebody who pressed a button in Slack",
        stage
            .agent
            .create(APPROVAL, home, "guard-proof-slack", by_slack)
            .await,
    );
    table.refused(
        "only what came through one of its own doors",
        "the agent votes for a machine that called a hook",
        stage
            .agent
            .create(
                APPROVAL,
                home,
                "guard-proof-c",
                by("webhook", vote(BOB, &[])),
            )
            .await,
    );
    let by_caller = by("webhook", from("caller", wish("shop-ci", &[])));
    table.done(
        "the agent asks for a machine that called a hook",
        stage
            .agent
            .create(REQUEST, home, "guard-proof-caller", by_caller)
            .await,
    );
    let name = "guard-proof-a";
    let no = json!({"spec": {"decision": "reject"}});
    table.refused(
        "never changes",
        "alice changes her vote",
        stage.alice.merge(APPROVAL, home, name, no.clone()).await,
    );
    table.refused(
        "never changes",
        "the agent changes a vote",
        stage.agent.merge(APPROVAL, home, name, no).await,
    );
    let owner = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"},
    ]}});
    table.refused(
        "never changes",
        "an administrator gives a vote an owner that is not there",
        stage.carol.merge(APPROVAL, home, name, owner).await,
    );
    table.refused(
        "only its voter takes a vote back",
        "bob deletes the vote of alice",
        stage.bob.delete(APPROVAL, home, name, false).await,
    );
    table.refused(
        "a Request never changes",
        "alice changes her Request",
        stage
            .alice
            .merge(REQUEST, home, name, json!({"spec": {"tag": "v2"}}))
            .await,
    );
    table.done(
        "alice takes her yes back",
        stage.alice.delete(APPROVAL, home, name, false).await,
    );
}
