//! Approval in Slack: the agent posts a message, somebody presses its button, Slack signs the callback.
//! One vote by chat counts and the other must come by another door. What Slack did not sign, or not for
//! us, or not now, is refused.

use anyhow::ensure;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use sluice_cluster::crd::Rollout;
use sluice_core::approval::Channel;
use sluice_core::policy::IdentityProvider;

use crate::doors::{Doors, NEW, OLD, PLACE, hash};
use crate::outside::slack::{self, Message, form, press, signature};
use crate::table::Traffic;

const APP: &str = "payments";
const APPROVE: &str = "sluice-approve";
const CALLBACK: &str = "/v1/callbacks/slack-approval";

pub(crate) async fn check(doors: &Doors) -> anyhow::Result<Traffic> {
    if !doors.reached {
        return Ok(Traffic::skipped(
            "a Slack that pods reach: it runs beside the node of a cluster of our own",
        ));
    }
    let versions = doors.app(APP, true).await?;
    let wish = json!({"environment": "production", "tag": NEW, "reason": "for the sale"});
    let path = format!("/api/v1/pipelines/{}/{APP}/deploy", PLACE.delivery);
    let (status, said) = doors.call("erin", &path, &wish).await?;
    ensure!(status == 201, "erin's wish: {status} {said}");
    let rollout = doors.asked(APP, NEW).await?;
    let workspace = &doors.outside.slack;
    let name = rollout.name_any();
    let open = |m: &Message| m.blocks.to_string().contains(APPROVE);
    let message = workspace.message(&name, "it asks", open).await?;
    reads(&message, &[&versions.new])?;
    refused(doors, &message, &rollout).await?;

    // What would change changes: the buttons of before are about nothing any more.
    let old = hash(&rollout);
    doors.change_target(APP, "hello").await?;
    let rollout = doors
        .until((APP, "production", NEW), "it is asked anew", |r| {
            let why = r.status.as_ref().and_then(|j| j.why.as_ref());
            why.is_some_and(|w| w.code() == "WaitsForVotes") && hash(r) != old
        })
        .await?;
    let said = pressed(doors, &press(&message, APPROVE, slack::ALICE)?).await?;
    ensure!(
        said.contains("superseded"),
        "an old button is answered {said}"
    );
    no_vote(doors, &rollout).await?;
    let fresh = |m: &Message| m.ts != message.ts && open(m);
    let message = workspace.message(&name, "it asks anew", fresh).await?;

    // Carol is a member of the workspace and in no policy.
    let said = pressed(doors, &press(&message, APPROVE, slack::CAROL)?).await?;
    ensure!(said.contains("not recorded"), "carol is answered {said}");
    no_vote(doors, &rollout).await?;

    let payload = press(&message, APPROVE, slack::ALICE)?;
    votes(doors, &payload, &rollout).await?;
    let given = |m: &Message| m.ts == message.ts && m.edits > 0 && shown(m).contains("alice");
    let message = workspace
        .message(&name, "it shows alice's vote", given)
        .await?;
    let second = pressed(doors, &press(&message, APPROVE, slack::BOB)?).await?;
    ensure!(
        second.contains("no more votes by chat"),
        "bob is answered {second}"
    );
    ensure!(
        doors.votes(&rollout).await?.len() == 1,
        "bob's vote by chat was recorded"
    );

    let path = format!("/api/v1/rollouts/{}/{name}/approve", PLACE.delivery);
    let (status, said) = doors
        .call("bob", &path, &json!({"hash": hash(&rollout)}))
        .await?;
    ensure!(status == 201, "bob's vote by the API: {status} {said}");
    doors.phase((APP, "production", NEW), "Succeeded").await?;
    let over = |m: &Message| m.ts == message.ts && !open(m) && shown(m).contains("bob");
    workspace
        .message(&name, "its buttons are gone", over)
        .await?;
    let violations = workspace.violations();
    ensure!(
        violations.is_empty(),
        "against Slack's rules: {violations:?}"
    );
    Ok(Traffic::note(
        "one vote by a signed callback, the second not by chat; forged, late, foreign, repeated and \
         superseded ones were refused",
    ))
}

fn shown(message: &Message) -> String {
    format!("{} {}", message.text, message.blocks)
}

/// The message has what an approver must see.
fn reads(message: &Message, more: &[&str]) -> anyhow::Result<()> {
    let text = shown(message);
    let mut wanted = vec![
        APP,
        NEW,
        "production",
        PLACE.production,
        OLD,
        "erin",
        "for the sale",
        "devops-lead",
        "tech-lead",
        "http-smoke",
        "50 %",
        "image",
        "Expires",
    ];
    wanted.extend(more);
    let lacks: Vec<&&str> = wanted.iter().filter(|w| !text.contains(**w)).collect();
    ensure!(lacks.is_empty(), "the message lacks {lacks:?}: {text}");
    Ok(())
}

/// Sends a callback; status and words.
async fn send(
    doors: &Doors,
    payload: &Value,
    secret: &str,
    second: i64,
) -> anyhow::Result<(u16, String)> {
    let body = form(payload);
    let answer = doors
        .http
        .post(Doors::page(CALLBACK))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", second.to_string())
        .header("x-slack-signature", signature(secret, second, &body))
        .body(body)
        .send()
        .await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// A press that Slack signs now; the words of the answer.
async fn pressed(doors: &Doors, payload: &Value) -> anyhow::Result<String> {
    let now = Timestamp::now().as_second();
    let (status, said) = send(doors, payload, slack::SIGNING, now).await?;
    ensure!(status == 200, "a signed press is answered {status}: {said}");
    Ok(said)
}

async fn no_vote(doors: &Doors, rollout: &Rollout) -> anyhow::Result<()> {
    let votes = doors.votes(rollout).await?;
    ensure!(votes.is_empty(), "there is a vote: {votes:?}");
    Ok(())
}

/// What Slack did not sign, or signed long ago, or for another workspace.
async fn refused(doors: &Doors, message: &Message, rollout: &Rollout) -> anyhow::Result<()> {
    let good = press(message, APPROVE, slack::ALICE)?;
    let now = Timestamp::now().as_second();
    let expect = async |what: &str, payload: &Value, secret: &str, second: i64, wanted: u16| {
        let (status, said) = send(doors, payload, secret, second).await?;
        ensure!(status == wanted, "{what}: {status} {said}");
        anyhow::Ok(())
    };
    expect(
        "another secret",
        &good,
        "another secret of 32 characters",
        now,
        401,
    )
    .await?;
    expect("301 s old", &good, slack::SIGNING, now - 301, 401).await?;
    for (place, value) in [
        ("/team/id", "T0OTHER001"),
        ("/user/team_id", "T0OTHER001"),
        ("/api_app_id", "A0OTHER001"),
        ("/type", "shortcut"),
    ] {
        let mut other = good.clone();
        if let Some(there) = other.pointer_mut(place) {
            *there = json!(value);
        }
        expect(place, &other, slack::SIGNING, now, 403).await?;
    }
    no_vote(doors, rollout).await
}

/// The same callback three times is one vote, in the name of the member and through the door Slack.
async fn votes(doors: &Doors, payload: &Value, rollout: &Rollout) -> anyhow::Result<()> {
    let now = Timestamp::now().as_second();
    for expected in ["recorded", "recorded before", "recorded before"] {
        let (status, said) = send(doors, payload, slack::SIGNING, now).await?;
        ensure!(
            status == 200 && said.trim() == expected,
            "expected {expected:?}: {status} {said}"
        );
    }
    let votes = doors.votes(rollout).await?;
    let [vote] = votes.as_slice() else {
        anyhow::bail!("not one vote but {votes:?}");
    };
    ensure!(
        vote.spec.channel == Channel::Slack
            && vote.spec.provider == IdentityProvider::Slack
            && vote.spec.approver == slack::ALICE
            && vote.spec.hash == hash(rollout),
        "the vote is {:?}",
        vote.spec
    );
    Ok(())
}
