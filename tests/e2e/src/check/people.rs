//! A release as people do it: votes by `kubectl` and by the CLI, each with their own certificate; what
//! must not work is refused, and what counts for nothing is said to.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use sluice_cluster::crd::Rollout;
use sluice_scenarios::both::{ALICE, BOB, CAROL, Ground as _, Release};

use crate::app::DELIVERY;
use crate::check::same_end::cleared;
use crate::cluster::Cluster;
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "by-hand";
/// What pins a vote to its voter.
const GUARD: &str = "sluice-approvals";

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let ground = Real::start(cluster, APP, "3s").await?;
    let play = ground.play();
    let tag = Release::Good.tag();
    ground.push(Release::Good).await.map_err(told)?;
    let rollout = play.asked(tag).await.map_err(told)?;
    forgeries(cluster, &rollout).await?;

    // Carol votes as anybody may; it counts for nothing, and explain says so.
    let name = rollout.name_any();
    let said = vote_by_kubectl(cluster, CAROL, &vote(&rollout, CAROL)).await?;
    ensure!(said.0, "carol may write a vote: {}", said.1);
    play.until("production", tag, "carol's vote is looked at", |r| {
        r.status
            .as_ref()
            .is_some_and(|j| j.message.contains("carol"))
    })
    .await
    .map_err(told)?;
    let explained = sluice(cluster, CAROL, &["explain", &name, "-n", DELIVERY]).await?;
    ensure!(
        explained.contains("carol") && explained.contains("none of the required roles"),
        "explain does not say that carol's vote counts for nothing:\n{explained}"
    );

    // Alice signs with kubectl, Bob with the CLI.
    let said = vote_by_kubectl(cluster, ALICE, &vote(&rollout, ALICE)).await?;
    ensure!(said.0, "alice's vote is refused: {}", said.1);
    without_the_guard(cluster, &ground).await?;
    sluice(cluster, BOB, &["approve", &name, "-n", DELIVERY, "--yes"]).await?;
    let followed = sluice(cluster, BOB, &["status", &name, "-n", DELIVERY, "-w"]).await?;
    ensure!(
        followed.contains("Succeeded"),
        "status -w ends with:\n{followed}"
    );
    let ended = play.phase("production", tag, "Succeeded").await;
    by_two_credentials(cluster, &ended.map_err(told)?).await?;
    cleared(cluster, APP).await?;
    let how = match cluster.bed {
        Some(_) => "a client certificate",
        None => "an impersonated name",
    };
    Ok(Traffic {
        notes: vec![
            format!("approved by alice with kubectl and bob with the CLI, each with {how}"),
            "a vote in another's name, a forged status and a Rollout made by hand were refused"
                .into(),
        ],
        ..Traffic::default()
    })
}

/// The votes that opened the gate are those of Alice and Bob, written with their own credentials.
async fn by_two_credentials(cluster: &Cluster, rollout: &Rollout) -> anyhow::Result<()> {
    let path = "jsonpath={range .items[*]}{.spec.rolloutUid} {.spec.approver} {.spec.channel} \
                {.spec.provider}{\"\\n\"}{end}";
    let said = cluster
        .kubectl(None, &["get", "approvals", "-n", DELIVERY, "-o", path])
        .await?;
    let uid = rollout.uid().unwrap_or_default();
    let mut voters: Vec<&str> = said
        .out
        .lines()
        .filter_map(|line| line.strip_prefix(&uid))
        .map(str::trim)
        .collect();
    voters.sort_unstable();
    // What is left out is Kubernetes, for channel and provider.
    let own = |name: &str| {
        [
            name.to_owned(),
            format!("{name} kubernetes"),
            format!("{name} kubernetes kubernetes"),
        ]
    };
    let expected = [ALICE, BOB, CAROL].map(own);
    let fits = voters.len() == expected.len()
        && voters
            .iter()
            .zip(&expected)
            .all(|(voter, forms)| forms.iter().any(|form| form == voter));
    ensure!(fits, "the votes are {voters:?}");
    Ok(())
}

fn vote(rollout: &Rollout, approver: &str) -> Value {
    let approval = rollout.status.as_ref().and_then(|j| j.approval.clone());
    let short = approver.split('@').next().unwrap_or(approver);
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Approval",
        "metadata": {"name": format!("{}-{short}", rollout.name_any()), "namespace": DELIVERY},
        "spec": {
            "rollout": rollout.name_any(), "rolloutUid": rollout.uid(),
            "hash": approval.map(|a| a.hash).unwrap_or_default(),
            "approver": approver, "decision": "approve",
        },
    })
}

async fn vote_by_kubectl(
    cluster: &Cluster,
    who: &str,
    vote: &Value,
) -> anyhow::Result<(bool, String)> {
    let said = cluster
        .try_kubectl(Some(who), &["create", "-f", "-"], &vote.to_string())
        .await?;
    Ok((said.ok, said.err))
}

/// What the API server itself refuses.
async fn forgeries(cluster: &Cluster, rollout: &Rollout) -> anyhow::Result<()> {
    let (ok, err) = vote_by_kubectl(cluster, CAROL, &vote(rollout, ALICE)).await?;
    ensure!(!ok && err.contains("alice"), "carol votes as alice: {err}");

    let name = rollout.name_any();
    let forged = r#"{"status": {"phase": "Succeeded"}}"#;
    let arguments = [
        "patch",
        "rollout",
        &name,
        "-n",
        DELIVERY,
        "--subresource=status",
        "--type=merge",
        "-p",
        forged,
    ];
    // Even whoever runs the cluster, whom RBAC lets do everything.
    let said = cluster.try_kubectl(None, &arguments, "").await?;
    ensure!(
        !said.ok && said.err.contains("only the agent"),
        "a forged status: {}",
        said.err
    );

    let copy = json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "made-by-hand", "namespace": DELIVERY},
        "spec": serde_json::to_value(&rollout.spec)?,
    });
    let said = cluster
        .try_kubectl(None, &["create", "-f", "-"], &copy.to_string())
        .await?;
    ensure!(
        !said.ok && said.err.contains("only the agent"),
        "a Rollout by hand: {}",
        said.err
    );
    Ok(())
}

/// Somebody takes the admission policy of votes away: from then on anybody could sign as anybody, so
/// that no vote counts until it is back.
async fn without_the_guard(cluster: &Cluster, ground: &Real) -> anyhow::Result<()> {
    let play = ground.play();
    let tag = Release::Good.tag();
    let counted = |text: &'static str| {
        move |r: &Rollout| r.status.as_ref().is_some_and(|j| j.message.contains(text))
    };
    play.until(
        "production",
        tag,
        "alice's vote counts",
        counted("given: devops-lead: alice"),
    )
    .await
    .map_err(told)?;
    let binding = ["validatingadmissionpolicybinding", GUARD];
    let kept = cluster
        .kubectl(None, &["get", binding[0], binding[1], "-o", "json"])
        .await?;
    cluster
        .kubectl(None, &["delete", binding[0], binding[1]])
        .await?;
    play.until(
        "production",
        tag,
        "her vote does not count",
        counted("does not guard"),
    )
    .await
    .map_err(told)?;
    let mut object: Value = serde_json::from_str(&kept.out)?;
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "generation",
    ] {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove(field);
        }
    }
    let said = cluster
        .try_kubectl(None, &["create", "-f", "-"], &object.to_string())
        .await?;
    ensure!(said.ok, "the guard cannot be put back: {}", said.err);
    play.until(
        "production",
        tag,
        "it counts again",
        counted("given: devops-lead: alice"),
    )
    .await
    .map_err(told)?;
    Ok(())
}

/// The CLI, which must succeed.
async fn sluice(cluster: &Cluster, who: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let said = cluster
        .run(Some(who), &cluster.sluice(), arguments, "")
        .await
        .context("the CLI")?;
    ensure!(
        said.ok,
        "sluice {}: {}{}",
        arguments.join(" "),
        said.out,
        said.err
    );
    Ok(said.out)
}
