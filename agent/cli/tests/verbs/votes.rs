//! Votes: in whose name, how often, on what.

use sluice::Exit;
use sluice_sim::Resource;

use crate::people::{reaches, types, with_agent};

#[test]
fn a_repeated_vote_is_one_vote_and_a_rejection_ends_it() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        let name = reaches(stage, "production", "AwaitingApproval").await;
        types(stage, "alice", &format!("approve {name} --yes"))
            .await
            .ended(Exit::Done);
        let again = types(stage, "alice", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        assert!(
            again.out.contains("you have voted so already"),
            "{}",
            again.out
        );
        let votes = stage.cluster.objects(Resource::Approvals, "delivery");
        assert_eq!(votes.len(), 1, "{votes:?}");
        let owner = &votes[0]["metadata"]["ownerReferences"][0];
        assert_eq!(
            (owner["kind"].as_str(), owner["name"].as_str()),
            (Some("Rollout"), Some(name.as_str()))
        );

        // Who holds no role may vote, and is told that it does not count.
        let carol = types(stage, "carol", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        assert!(
            carol
                .out
                .contains("the voter holds none of the required roles"),
            "{}",
            carol.out
        );

        let no = format!("reject {name} --reason untested");
        let no = types(stage, "bob", &no).await.ended(Exit::Done);
        assert!(no.out.contains("rejected by bob"), "{}", no.out);
        reaches(stage, "production", "Rejected").await;
        let late = types(stage, "alice", &format!("approve {name} -o json")).await;
        assert_eq!(late.exit, Exit::Done, "the very same vote stands already");
        let late = types(
            stage,
            "carol",
            &format!("reject {name} --reason late -o json"),
        )
        .await;
        let error: serde_json::Value = serde_json::from_str(&late.err).unwrap();
        assert_eq!(
            (late.exit, error["error"]["code"].as_str()),
            (Exit::NotDone, Some("nothing-to-vote-on"))
        );
        assert_eq!(late.out, "");
    });
}

#[test]
fn lists_show_who_voted_and_who_wished_for_what() {
    with_agent(async |stage| {
        stage.push("v1.1.0", 'b');
        let name = reaches(stage, "production", "AwaitingApproval").await;
        types(stage, "alice", &format!("approve {name}"))
            .await
            .ended(Exit::Done);
        types(
            stage,
            "carol",
            &format!("abort {name} --reason stop --wait"),
        )
        .await
        .ended(Exit::Done);
        let votes = types(stage, "carol", "get approvals")
            .await
            .ended(Exit::Done);
        assert!(
            votes
                .out
                .lines()
                .any(|l| l.contains(&name) && l.contains("alice@example.com  approve")),
            "{}",
            votes.out
        );
        let wishes = types(stage, "carol", "get requests -A")
            .await
            .ended(Exit::Done);
        let line = wishes
            .out
            .lines()
            .find(|l| l.contains("abort"))
            .unwrap_or_default();
        for word in ["delivery", "carol@example.com", &name, "Accepted"] {
            assert!(line.contains(word), "{line}");
        }
        let ended = types(stage, "carol", &format!("status {name}"))
            .await
            .ended(Exit::NotDone);
        assert!(
            ended
                .out
                .contains("cancelled by carol@example.com before it began: stop"),
            "{}",
            ended.out
        );
    });
}
