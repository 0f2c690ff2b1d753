//! The way of a good and of a bad version.

use sluice::Exit;

use crate::people::{newest, reaches, types, with_agent};

#[test]
fn a_release_is_asked_for_approved_and_followed_to_its_end() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        let name = reaches(stage, "production", "AwaitingApproval").await;
        let waits = types(stage, "carol", &format!("explain {name}"))
            .await
            .ended(Exit::Done);
        assert!(
            waits
                .out
                .contains("waits for a vote of: devops-lead, tech-lead"),
            "{}",
            waits.out
        );
        assert!(
            waits.out.contains(&format!("sluice approve {name}")),
            "{}",
            waits.out
        );
        assert!(waits.out.contains("10 of 10 pods ready"), "{}", waits.out);

        let alice = types(stage, "alice", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        assert!(
            alice
                .out
                .contains("- web: registry.example.com/shop/storefront"),
            "{}",
            alice.out
        );
        assert!(alice.out.contains("now: AwaitingApproval"), "{}", alice.out);
        assert!(
            alice.out.contains("given: devops-lead: alice"),
            "{}",
            alice.out
        );
        let bob = async {
            types(
                stage,
                "bob",
                &format!("approve {name} --reason fine -o json"),
            )
            .await
        };
        let watch = async { types(stage, "carol", &format!("status {name} -w")).await };
        let (bob, watch) = futures::future::join(bob, watch).await;
        assert_eq!(
            bob.ended(Exit::Done).json()["approval"]["spec"]["reason"],
            "fine"
        );
        let watch = watch.ended(Exit::Done);
        for line in [
            "step 1 of 3",
            "http-smoke passed",
            "to production: Succeeded in 4m",
        ] {
            assert!(watch.out.contains(line), "no {line} in:\n{}", watch.out);
        }

        let record = types(stage, "carol", &format!("record {name}"))
            .await
            .json();
        assert_eq!(record["phase"], "Succeeded");
        assert_eq!(record["votes"].as_array().unwrap().len(), 2);
        let got = types(stage, "carol", "get pipelines")
            .await
            .ended(Exit::Done);
        let line = got.out.lines().find(|l| l.contains("production")).unwrap();
        assert!(line.contains("v1.1.0"), "{line}");

        let older = reaches(stage, "staging", "Succeeded").await;
        types(stage, "carol", "rollback storefront --to staging --wait")
            .await
            .ended(Exit::Done);
        let not_it = types(stage, "carol", &format!("rollback {older}"))
            .await
            .ended(Exit::NotDone);
        assert!(
            not_it.err.contains("is not what serves in staging"),
            "{}",
            not_it.err
        );
        let back = types(stage, "alice", &format!("rollback {name} --wait")).await;
        assert!(
            back.ended(Exit::Done)
                .out
                .contains("v1.0.0 to production: Succeeded")
        );
    });
}

#[test]
fn a_bad_version_ends_the_waiting_with_one_and_can_be_lifted() {
    with_agent(async |stage| {
        stage.push("v1.2.0", 'c');
        let name = reaches(stage, "production", "AwaitingApproval").await;
        types(stage, "alice", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        types(stage, "bob", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        let watch = types(stage, "carol", &format!("status {name} -w"))
            .await
            .ended(Exit::NotDone);
        assert!(watch.out.contains("http-smoke failed"), "{}", watch.out);
        assert!(
            watch.out.contains("to production: RolledBack in "),
            "{}",
            watch.out
        );

        let why = types(stage, "carol", &format!("explain {name}"))
            .await
            .ended(Exit::Done);
        let lift = "sluice lift storefront --to production --tag v1.2.0";
        assert!(why.out.contains(lift), "{}", why.out);
        let again = "deploy storefront --to production --tag v1.2.0";
        let no = types(stage, "carol", again).await.ended(Exit::NotDone);
        assert!(no.err.contains("quarantined since"), "{}", no.err);

        let line = lift.trim_start_matches("sluice ");
        let not_carol = types(stage, "carol", line).await.ended(Exit::NotDone);
        assert!(
            not_carol.err.contains("carol@example.com may not"),
            "{}",
            not_carol.err
        );
        types(stage, "alice", line).await.ended(Exit::Done);
        let pipeline = types(stage, "carol", "get pipeline storefront -o json")
            .await
            .json();
        let left = &pipeline["status"]["environments"]["production"]["quarantined"];
        assert!(left.as_array().is_none_or(Vec::is_empty), "{left}");
    });
}

#[test]
fn a_person_deploys_and_goes_back() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        let first = reaches(stage, "staging", "Succeeded").await;
        // An older version: no trigger proposes it, a person may.
        stage.push("v1.0.5", 'c');
        let line = "deploy storefront --to staging --tag v1.0.5 --reason compare -o json";
        let deployed = types(stage, "carol", line).await.ended(Exit::Done).json();
        assert_eq!(deployed["request"]["status"]["state"], "accepted");
        assert_eq!(deployed["rollout"]["status"]["phase"], "Succeeded");
        assert_eq!(deployed["rollout"]["spec"]["cause"]["reason"], "compare");

        let line = "rollback storefront --to staging --reason compared --wait -o json";
        let back = types(stage, "carol", line).await.ended(Exit::Done).json();
        assert_eq!(back["rollout"]["status"]["phase"], "Succeeded");
        assert_eq!(
            back["rollout"]["spec"]["image"]["digest"],
            sluice_scenarios::digest('b')
        );
        assert_ne!(
            back["rollout"]["metadata"]["name"].as_str(),
            Some(first.as_str())
        );
        let list = types(stage, "carol", "get pipelines")
            .await
            .ended(Exit::Done);
        let line = list.out.lines().find(|l| l.contains("staging")).unwrap();
        assert!(line.contains("v1.1.0"), "{line}");
    });
}

#[test]
fn a_rollout_under_way_is_paused_resumed_and_rolled_back() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        let name = reaches(stage, "production", "AwaitingApproval").await;
        let short = format!("status {name} -w --timeout 5s");
        let waited = types(stage, "carol", &short).await.ended(Exit::TimedOut);
        assert!(waited.err.contains("timed out after 5s"), "{}", waited.err);
        types(stage, "carol", &format!("pause {name} --reason lunch"))
            .await
            .ended(Exit::Done);
        types(stage, "alice", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        types(stage, "bob", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        stage.pass(std::time::Duration::from_secs(30)).await;
        let held = types(stage, "carol", &format!("status {name}"))
            .await
            .ended(Exit::Done);
        assert!(
            held.out.contains("paused by carol@example.com"),
            "{}",
            held.out
        );
        types(stage, "carol", &format!("resume {name}"))
            .await
            .ended(Exit::Done);
        reaches(stage, "production", "Progressing").await;
        let back = "rollback storefront --to production --reason slow --wait";
        let back = types(stage, "carol", back).await.ended(Exit::Done);
        assert!(
            back.out.contains("rolled back by carol@example.com: slow"),
            "{}",
            back.out
        );
        let late = types(stage, "carol", &format!("abort {name}"))
            .await
            .ended(Exit::NotDone);
        assert!(late.err.contains("it is over, RolledBack"), "{}", late.err);
        assert_eq!(newest(stage, "production").await, Some(name));
    });
}
