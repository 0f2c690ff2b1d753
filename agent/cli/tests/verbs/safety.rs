//! The global stop, the quarantine, emergencies and dry runs.

use std::time::Duration;

use sluice::Exit;

use crate::people::{newest, reaches, types, with_agent};

#[test]
fn what_failed_is_listed_and_lifted() {
    with_agent(async |stage| {
        let none = types(stage, "carol", "quarantine list").await;
        assert!(
            none.ended(Exit::Done)
                .out
                .contains("nothing is in quarantine")
        );
        stage.push("v1.2.0", 'c');
        let name = reaches(stage, "production", "AwaitingApproval").await;
        for who in ["alice", "bob"] {
            types(stage, who, &format!("approve {name}"))
                .await
                .ended(Exit::Done);
        }
        reaches(stage, "production", "RolledBack").await;
        let list = types(stage, "carol", "quarantine list storefront")
            .await
            .ended(Exit::Done);
        for part in ["production", "v1.2.0", "http-smoke", &name] {
            assert!(list.out.contains(part), "no {part} in:\n{}", list.out);
        }
        let json = types(stage, "carol", "quarantine list -o json")
            .await
            .json();
        assert_eq!(json["quarantined"][0]["rollout"], name.as_str());
        let line = "quarantine lift storefront --to production --tag v1.2.0 --reason fixed";
        types(stage, "carol", line).await.ended(Exit::NotDone);
        types(stage, "alice", line).await.ended(Exit::Done);
        let none = types(stage, "carol", "quarantine list").await;
        assert!(
            none.ended(Exit::Done)
                .out
                .contains("nothing is in quarantine")
        );
    });
}

#[test]
fn everything_stands_still_until_somebody_starts_again() {
    with_agent(async |stage| {
        types(stage, "carol", "stop --all --reason database")
            .await
            .ended(Exit::Done);
        stage.push("v1.1.0", 'b');
        stage.pass(Duration::from_secs(180)).await;
        if let Some(name) = newest(stage, "staging").await {
            let status = types(stage, "carol", &format!("status {name}"))
                .await
                .ended(Exit::Done);
            assert!(status.out.contains("database"), "{}", status.out);
        }
        types(stage, "carol", "start --all --reason over")
            .await
            .ended(Exit::NotDone);
        types(stage, "alice", "start --all --reason over")
            .await
            .ended(Exit::Done);
        reaches(stage, "staging", "Succeeded").await;
    });
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        reaches(stage, "staging", "Succeeded").await;
        let line = "deploy storefront --to production --tag v1.1.0 --dry-run -o json";
        let planned = types(stage, "carol", line).await.ended(Exit::Done).json();
        assert_eq!(planned["rollout"]["status"]["phase"], "Planned");
        let said = planned["rollout"]["status"]["message"].as_str().unwrap();
        assert!(said.contains("would have to approve"), "{said}");
    });
}

#[test]
fn what_the_policy_does_not_offer_is_refused_with_its_reason() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        reaches(stage, "staging", "Succeeded").await;
        let line = "deploy storefront --to production --tag v1.1.0 --reason urgent";
        for flag in ["--skip-canary", "--break-glass"] {
            let no = types(stage, "carol", &format!("{line} {flag}"))
                .await
                .ended(Exit::NotDone);
            assert!(no.err.contains("offers it to nobody"), "{}", no.err);
        }
    });
}

#[test]
fn the_policy_is_asked_about_a_pipeline_of_the_cluster() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        reaches(stage, "production", "AwaitingApproval").await;
        let policy = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/samples/policy.yaml"
        );
        let line = "policy explain -o json --pipeline storefront --to production --tag v1.1.0 \
                    --as alice --at 2026-11-23T09:00:00Z";
        let asked = types(stage, "carol", &format!("{line} --policy {policy}"))
            .await
            .ended(Exit::NotYet)
            .json();
        let lines = asked["lines"].as_array().unwrap();
        let verdict = |rule: &str| {
            let line = lines.iter().find(|line| line["rule"] == rule);
            line.map(|line| line["verdict"].clone())
        };
        // What only the cluster knows: the digest, and what became of it.
        assert_eq!(verdict("after"), Some("ok".into()), "{asked}");
        assert_eq!(verdict("quarantine"), Some("ok".into()), "{asked}");
        assert_eq!(verdict("approvals"), Some("needed".into()), "{asked}");
        let sources = asked["sources"].to_string();
        assert!(sources.contains("when Sluice saw it last"), "{sources}");
        assert!(sources.contains("proposed as Rollout"), "{sources}");
        // Nobody installed a chart here.
        let no = types(stage, "carol", line).await.ended(Exit::CannotTell);
        assert!(no.err.contains("--policy"), "{}", no.err);
    });
}
