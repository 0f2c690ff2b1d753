//! What goes wrong is said in words, with a way out.

use sluice::Exit;
use sluice_scenarios::{Stage, on_virtual_time};
use sluice_sim::Denial;

use crate::people::{types, with_agent};

#[test]
fn typing_errors_get_the_near_name() {
    with_agent(async |stage| {
        let line = "deploy storefornt --to production --tag v1.1.0";
        let ran = types(stage, "carol", line).await.ended(Exit::NotDone);
        assert!(ran.err.contains("did you mean storefront?"), "{}", ran.err);
        let line = "deploy storefront --to prodution --tag v1.1.0";
        let ran = types(stage, "carol", line).await.ended(Exit::NotDone);
        assert!(ran.err.contains("did you mean production?"), "{}", ran.err);
        let ran = types(stage, "carol", "explain storefron")
            .await
            .ended(Exit::NotDone);
        assert!(
            ran.err.contains("Pipelines: did you mean storefront?"),
            "{}",
            ran.err
        );
        let ran = types(stage, "carol", "explain storefront")
            .await
            .ended(Exit::Done);
        assert!(
            ran.out.contains("v1.0.0") || ran.out.contains("sha256:"),
            "{}",
            ran.out
        );
    });
}

#[test]
fn what_policy_and_registry_refuse_is_said_in_full() {
    with_agent(async |stage| {
        let line = "deploy storefront --to production --tag v9.9.9 -o json";
        let ran = types(stage, "carol", line).await.ended(Exit::NotDone);
        let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!(error["error"]["code"], "refused");
        assert!(
            error["error"]["why"][0]
                .as_str()
                .unwrap()
                .contains("no such image"),
            "{error}"
        );
        assert_eq!(ran.json()["request"]["status"]["state"], "refused");
    });
}

#[test]
fn a_missing_right_and_a_missing_agent_are_told_apart() {
    on_virtual_time(async {
        let stage = Stage::new(3);
        let line = "adopt storefront --to staging";
        let ran = types(&stage, "carol", line).await.ended(Exit::TimedOut);
        assert!(ran.err.contains("has not answered"), "{}", ran.err);
        assert!(
            ran.err.contains("whether the agent is running"),
            "{}",
            ran.err
        );
        stage.cluster.deny(Denial {
            user: "carol@example.com".into(),
            verb: "create".into(),
            group: "sluice.dev".into(),
            resource: "requests".into(),
            namespace: String::new(),
        });
        let ran = types(&stage, "carol", line).await.ended(Exit::CannotTell);
        assert!(
            ran.err.contains("ask whoever runs the cluster"),
            "{}",
            ran.err
        );
    });
}
