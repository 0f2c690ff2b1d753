//! Ways back, one command each: the last version, a named one, a Rollout under way. What they put back
//! is what `kubectl rollout undo` would.

use std::time::Duration;

use serde_json::Value;
use sluice::Exit;
use sluice_scenarios::{POLICY, Stage, digest};
use sluice_sim::Resource;

use crate::people::{reaches, types, with_agent, with_agent_under};

/// The pod template that `kubectl rollout undo` would write to go back from this digest: that of the
/// ReplicaSet before, without the label that tells ReplicaSets apart.
fn undone(stage: &Stage, namespace: &str, from: &str) -> Value {
    let sets = stage.cluster.objects(Resource::ReplicaSets, namespace);
    let set = sets
        .iter()
        .find(|set| {
            let template = set["spec"]["template"].to_string();
            !template.contains(from)
                && set["metadata"]["labels"]
                    .get("sluice.dev/rollout-uid")
                    .is_none()
        })
        .expect("a ReplicaSet of the earlier version");
    let mut template = set["spec"]["template"].clone();
    let labels = template.pointer_mut("/metadata/labels").unwrap();
    labels.as_object_mut().unwrap().remove("pod-template-hash");
    template
}

fn serves(stage: &Stage, namespace: &str) -> Value {
    let found = stage
        .cluster
        .object(Resource::Deployments, namespace, "storefront");
    found.unwrap()["spec"]["template"].clone()
}

#[test]
fn a_way_back_is_what_kubectl_would_undo() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        reaches(stage, "staging", "Succeeded").await;
        let wanted = undone(stage, "staging", &digest('b'));
        assert_ne!(serves(stage, "staging"), wanted);
        types(stage, "carol", "rollback storefront --to staging --wait")
            .await
            .ended(Exit::Done);
        let found = serves(stage, "staging");
        assert_eq!(found.to_string(), wanted.to_string());
    });
}

#[test]
fn a_version_by_name_and_the_time_in_which_it_needs_nobody() {
    let policy = POLICY.replacen("    checks:", "    rollback: {window: 60m}\n    checks:", 1);
    with_agent_under(&policy, async |stage| {
        stage.push("v1.1.0", 'b');
        let name = reaches(stage, "staging", "Succeeded").await;
        let shown = types(stage, "carol", &format!("status {name}"))
            .await
            .ended(Exit::Done);
        assert!(
            shown.out.contains("going back needs no approval until"),
            "{}",
            shown.out
        );
        let unknown = "rollback storefront --to staging --tag v9.9.9";
        let no = types(stage, "carol", unknown).await.ended(Exit::NotDone);
        assert!(no.err.contains("there are: v1.0.0"), "{}", no.err);
        stage.pass(Duration::from_secs(1)).await;
        let line = "rollback storefront --to staging --tag v1.0.0 --wait";
        types(stage, "carol", line).await.ended(Exit::Done);
        let found = serves(stage, "staging").to_string();
        assert!(!found.contains(&digest('b')), "{found}");
    });
}

#[test]
fn a_drill_goes_the_whole_way_and_back_and_nothing_sticks() {
    let policy = POLICY.replacen(
        "    checks:",
        "    drills: {allowedFor: [tech-lead]}\n    checks:",
        1,
    );
    with_agent_under(&policy, async |stage| {
        let line = "drill storefront --environment staging";
        let no = types(stage, "carol", line).await.ended(Exit::NotDone);
        assert!(no.err.contains("may not hold a drill"), "{}", no.err);
        let elsewhere = "drill storefront --environment production";
        let no = types(stage, "bob", elsewhere).await.ended(Exit::NotDone);
        assert!(no.err.contains("offers it to nobody"), "{}", no.err);

        let before = serves(stage, "staging");
        let went = types(stage, "bob", line).await.ended(Exit::Done);
        assert!(
            went.out.contains("the drill went as planned"),
            "{}",
            went.out
        );
        assert_eq!(serves(stage, "staging"), before);
        let json = types(stage, "bob", &format!("{line} -o json"))
            .await
            .ended(Exit::Done)
            .json();
        assert_eq!(json["drill"]["asPlanned"], true);
        assert_eq!(json["rollout"]["status"]["phase"], "RolledBack");
        let pipeline = stage
            .cluster
            .object(Resource::Pipelines, "delivery", "storefront")
            .unwrap();
        let staging = &pipeline["status"]["environments"]["staging"];
        assert_eq!(staging["stable"]["tag"], "v1.0.0");
        assert!(staging["tried"].as_array().is_none_or(Vec::is_empty));
        assert!(staging["quarantined"].as_array().is_none_or(Vec::is_empty));
        assert_eq!(staging["history"][0]["drill"], true);
        // What comes next comes as ever.
        stage.push("v1.1.0", 'b');
        reaches(stage, "staging", "Succeeded").await;
    });
}
