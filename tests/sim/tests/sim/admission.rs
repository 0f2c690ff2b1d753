//! The guards of Sluice's own objects.

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_sim::{ADMIN, AGENT, Cluster, Resource};

use crate::support::{code, create, custom, deployments, object, running};

fn cluster() -> Cluster {
    let cluster = Cluster::fast(1);
    cluster.user("alice", &["devops-leads"]);
    cluster.user("bob", &["tech-leads"]);
    cluster
}

#[tokio::test(start_paused = true)]
async fn a_vote_is_cast_in_ones_own_name_and_groups() {
    let cluster = cluster();
    let own = "kubernetes";
    for (user, approver, groups, channel, expected) in [
        ("alice", "alice", vec!["devops-leads"], own, Ok(())),
        ("alice", "alice", vec![], own, Ok(())),
        ("alice", "bob", vec![], own, Err(403)),
        ("alice", "alice", vec!["tech-leads"], own, Err(403)),
        ("alice", "", vec![], own, Err(403)),
        (ADMIN, "alice", vec![], own, Err(403)),
        (AGENT, "alice", vec!["devops-leads"], "web", Ok(())),
        // What the agent itself tries, to see whether votes are guarded.
        (AGENT, "alice", vec![], own, Err(403)),
    ] {
        let name = format!("v{}", cluster.version());
        let vote = object(
            "Approval",
            &name,
            json!({ "approver": approver, "groups": groups, "channel": channel }),
        );
        let api = custom(&cluster, user, "Approval");
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let rehearsed = api.create(&dry, &vote).await.map(drop).map_err(code);
        assert_eq!(rehearsed, expected, "{user} as {approver}, dry");
        assert_eq!(
            create(&api, &vote).await.map(drop),
            expected,
            "{user} as {approver}"
        );
    }
    let wish = object("Request", "r", json!({ "requester": "alice" }));
    assert_eq!(
        create(&custom(&cluster, "bob", "Request"), &wish)
            .await
            .map(drop),
        Err(403)
    );
    assert_eq!(
        create(&custom(&cluster, "alice", "Request"), &wish)
            .await
            .map(drop),
        Ok(())
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_who_was_named_and_who_asked() {
    let cluster = cluster();
    let vote = object("Approval", "v", json!({ "approver": "bob" }));
    let api = custom(&cluster, "alice", "Approval");
    let kube::Error::Api(status) = api.create(&PostParams::default(), &vote).await.unwrap_err()
    else {
        panic!("not an API error")
    };
    assert!(status.is_forbidden());
    for part in [
        "approvals.sluice.dev",
        "spec.approver is \"bob\"",
        "made by \"alice\"",
    ] {
        assert!(
            status.message.contains(part),
            "{part} in {}",
            status.message
        );
    }
}

#[tokio::test(start_paused = true)]
async fn specs_are_written_once_and_statuses_by_the_agent() {
    let cluster = cluster();
    let rollout = object("Rollout", "o", json!({ "digest": "sha256:a" }));
    let by_admin = custom(&cluster, ADMIN, "Rollout");
    assert_eq!(create(&by_admin, &rollout).await.map(drop), Err(403));
    let by_agent = custom(&cluster, AGENT, "Rollout");
    create(&by_agent, &rollout).await.unwrap();
    create(
        &custom(&cluster, "alice", "Approval"),
        &object("Approval", "o", json!({ "approver": "alice" })),
    )
    .await
    .unwrap();

    let change = Patch::Merge(json!({ "spec": { "digest": "sha256:b" } }));
    let params = PatchParams::default();
    for (user, kind) in [
        (AGENT, "Rollout"),
        (ADMIN, "Rollout"),
        (AGENT, "Approval"),
        ("alice", "Approval"),
    ] {
        let refused = custom(&cluster, user, kind)
            .patch("o", &params, &change)
            .await;
        assert_eq!(code(refused.unwrap_err()), 422, "{user} {kind}");
    }
    let label = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
    by_admin.patch("o", &params, &label).await.unwrap();

    let forged = Patch::Merge(json!({ "status": { "phase": "Succeeded" } }));
    assert_eq!(
        code(
            by_admin
                .patch_status("o", &params, &forged)
                .await
                .unwrap_err()
        ),
        403
    );
    by_agent.patch_status("o", &params, &forged).await.unwrap();
    let sneaked = by_admin
        .patch(
            "o",
            &params,
            &Patch::Merge(json!({ "status": { "phase": "x" } })),
        )
        .await;
    assert_eq!(
        sneaked.unwrap().data["status"]["phase"],
        "Succeeded",
        "the main door ignores it"
    );
}

/// Writes of the agent on `web`, by patch and by update, with this epoch among the annotations.
async fn stamps(cluster: &Cluster, user: &str, epoch: Value) -> [Result<(), u16>; 2] {
    let api = deployments(cluster, user);
    let change = json!({ "metadata": { "annotations": { "sluice.dev/epoch": epoch } } });
    let params = PatchParams::default();
    let patched = api.patch("web", &params, &Patch::Merge(&change)).await;
    let mut web = api.get("web").await.unwrap();
    let annotations = web.metadata.annotations.get_or_insert_default();
    annotations.remove("sluice.dev/epoch");
    if let Some(epoch) = epoch.as_str() {
        annotations.insert("sluice.dev/epoch".into(), epoch.into());
    }
    let replaced = api.replace("web", &PostParams::default(), &web).await;
    [patched, replaced].map(|written| written.map(drop).map_err(code))
}

#[tokio::test(start_paused = true)]
async fn a_workload_keeps_the_highest_epoch_that_wrote_it() {
    let cluster = running(1).await;
    for (epoch, expected) in [
        (json!("3"), Ok(())),
        (json!("3"), Ok(())),
        (json!("2"), Err(403)),
        (json!(null), Err(403)),
        (json!("soon"), Err(403)),
        (json!("10"), Ok(())),
        // By number, not by letters.
        (json!("9"), Err(403)),
    ] {
        let found = stamps(&cluster, AGENT, epoch.clone()).await;
        assert_eq!(found, [expected; 2], "{epoch}");
    }
    let scaled = json!({ "spec": { "replicas": 2 } });
    deployments(&cluster, AGENT)
        .patch("web", &PatchParams::default(), &Patch::Merge(&scaled))
        .await
        .expect("a patch keeps the annotation that is there");
}

#[tokio::test(start_paused = true)]
async fn the_epoch_binds_the_agent_alone_and_garbage_locks_nobody_out() {
    let cluster = running(1).await;
    assert_eq!(stamps(&cluster, AGENT, json!("7")).await, [Ok(()); 2]);
    assert_eq!(stamps(&cluster, ADMIN, json!("garbage")).await, [Ok(()); 2]);
    assert_eq!(stamps(&cluster, AGENT, json!("1")).await, [Ok(()); 2]);
}

#[tokio::test(start_paused = true)]
async fn an_older_epoch_is_refused_in_the_words_of_the_server() {
    let cluster = running(1).await;
    assert_eq!(stamps(&cluster, AGENT, json!("5")).await, [Ok(()); 2]);
    let change = json!({ "metadata": { "annotations": { "sluice.dev/epoch": "4" } } });
    let refused = deployments(&cluster, AGENT)
        .patch("web", &PatchParams::default(), &Patch::Merge(&change))
        .await;
    let kube::Error::Api(status) = refused.unwrap_err() else {
        panic!("not an API error")
    };
    assert!(status.is_forbidden());
    let start = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'sluice-epoch' \
                 with binding 'sluice-epoch' denied request: ";
    assert!(status.message.starts_with(start), "{}", status.message);
    let end = "its epoch is 4, and 5 stands in sluice.dev/epoch";
    assert!(status.message.ends_with(end), "{}", status.message);
}

async fn says(api: &Api<DynamicObject>, status: Value) -> Result<(), u16> {
    let change = Patch::Merge(json!({ "status": status }));
    let params = PatchParams::default();
    let written = api.patch_status("o", &params, &change).await;
    written.map(drop).map_err(code)
}

#[tokio::test(start_paused = true)]
async fn the_epoch_of_a_status_never_becomes_less() {
    let cluster = cluster();
    for kind in ["Pipeline", "Rollout", "Request"] {
        let api = custom(&cluster, AGENT, kind);
        let made = object(kind, "o", json!({ "channel": "web" }));
        create(&api, &made).await.unwrap();
        // Written without a Lease, then under leaders.
        for (status, expected) in [
            (json!({ "a": 1 }), Ok(())),
            (json!({ "epoch": 0 }), Ok(())),
            (json!({ "epoch": 2 }), Ok(())),
            (json!({ "epoch": 2, "a": 2 }), Ok(())),
            (json!({ "epoch": 1 }), Err(422)),
            (json!({ "epoch": null }), Err(422)),
        ] {
            assert_eq!(
                says(&api, status.clone()).await,
                expected,
                "{kind} {status}"
            );
        }
        let mut whole = api.get("o").await.unwrap();
        if let Some(object) = whole.data.as_object_mut() {
            object.remove("status");
        }
        let removed = api
            .replace_status("o", &PostParams::default(), &whole)
            .await;
        assert_eq!(code(removed.unwrap_err()), 422, "{kind}: no status at all");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_rollout_stays_ended() {
    let cluster = cluster();
    let api = custom(&cluster, AGENT, "Rollout");
    create(&api, &object("Rollout", "o", json!({})))
        .await
        .unwrap();
    let state = |phase: &str, state: &str| json!({ "phase": phase, "state": { "phase": state } });
    for (status, expected) in [
        (state("Queued", "Queued"), Ok(())),
        (state("Progressing", "Progressing"), Ok(())),
        (state("Queued", "Queued"), Err(422)),
        (state("RollingBack", "RollingBack"), Ok(())),
        (state("Progressing", "Progressing"), Err(422)),
        (state("Recording", "Recording"), Ok(())),
        (state("RollingBack", "RollingBack"), Err(422)),
        (state("RolledBack", "Ended"), Ok(())),
        (state("Succeeded", "Ended"), Err(422)),
        (state("RolledBack", "Recording"), Err(422)),
        (json!({ "message": "recorded" }), Ok(())),
    ] {
        assert_eq!(says(&api, status.clone()).await, expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_clusters_own_people_pass_the_guards() {
    let cluster = running(1).await;
    assert_eq!(stamps(&cluster, AGENT, json!("5")).await, [Ok(()); 2]);
    let plain = crate::support::deployment(3, "shop/web@sha256:v1");
    cluster.apply(plain).unwrap();
    let web = cluster
        .object(Resource::Deployments, "shop", "web")
        .unwrap();
    assert_eq!(web["spec"]["replicas"], 3);
}
