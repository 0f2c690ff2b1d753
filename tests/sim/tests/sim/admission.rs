//! The guards of Sluice's own objects.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use sluice_sim::{ADMIN, AGENT, Cluster};

use crate::support::{code, create, custom, object};

fn cluster() -> Cluster {
    let cluster = Cluster::fast(1);
    cluster.user("alice", &["devops-leads"]);
    cluster.user("bob", &["tech-leads"]);
    cluster
}

#[tokio::test(start_paused = true)]
async fn a_vote_is_cast_in_ones_own_name_and_groups() {
    let cluster = cluster();
    for (user, approver, groups, expected) in [
        ("alice", "alice", vec!["devops-leads"], Ok(())),
        ("alice", "alice", vec![], Ok(())),
        ("alice", "bob", vec![], Err(403)),
        ("alice", "alice", vec!["tech-leads"], Err(403)),
        ("alice", "", vec![], Err(403)),
        (ADMIN, "alice", vec![], Err(403)),
        (AGENT, "alice", vec!["devops-leads"], Ok(())),
    ] {
        let name = format!("v{}", cluster.version());
        let vote = object(
            "Approval",
            &name,
            json!({ "approver": approver, "groups": groups }),
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
