//! The people of the stories. They sign what they are shown, once they are asked.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use sluice_cluster::crd::{Approval, Request, Rollout};
use sluice_core::rollout::{State, Why};

use crate::stage::Stage;

/// How often somebody looks at what waits.
const LOOKS: Duration = Duration::from_secs(5);

/// Everybody who votes.
pub struct Crew {
    votes: Vec<(String, &'static str)>,
}

impl Crew {
    /// Both leads, who approve whatever waits for them.
    pub fn approving() -> Self {
        Self {
            votes: vec![
                ("alice@example.com".into(), "approve"),
                ("bob@example.com".into(), "approve"),
            ],
        }
    }

    /// Nobody decides anything.
    pub fn absent() -> Self {
        Self { votes: Vec::new() }
    }

    /// These people decide so.
    pub fn voting(votes: &[(&str, &'static str)]) -> Self {
        Self {
            votes: votes
                .iter()
                .map(|(who, what)| ((*who).to_owned(), *what))
                .collect(),
        }
    }

    /// Decides for ever: drop it to end the story.
    pub async fn work(&self, stage: &Stage) {
        let admin: Api<Rollout> =
            Api::namespaced(stage.cluster.client(sluice_sim::ADMIN), "delivery");
        loop {
            tokio::time::sleep(LOOKS).await;
            let rollouts = admin.list(&ListParams::default()).await.expect("a list");
            for r in rollouts {
                let Some(journal) = &r.status else { continue };
                let waits = matches!(journal.why, Some(Why::WaitsForVotes { .. }));
                if !waits || !matches!(journal.state, State::AwaitingApproval) {
                    continue;
                }
                let hash = journal
                    .approval
                    .as_ref()
                    .map(|a| a.hash.clone())
                    .unwrap_or_default();
                for (who, what) in &self.votes {
                    vote(stage, &r, &hash, who, what).await;
                }
            }
        }
    }

    /// One person asks for something, with their own credentials.
    pub async fn ask(stage: &Stage, who: &str, name: &str, mut spec: serde_json::Value) -> Request {
        spec["requester"] = json!(who);
        let api: Api<Request> = Api::namespaced(stage.cluster.client(who), "delivery");
        let request = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Request",
            "metadata": {"name": name, "namespace": "delivery"}, "spec": spec,
        }))
        .expect("a Request");
        api.create(&PostParams::default(), &request)
            .await
            .expect("the Request is taken")
    }
}

async fn vote(stage: &Stage, rollout: &Rollout, hash: &str, who: &str, what: &str) {
    let name = format!("{}-{}-{}", rollout.name_any(), &who[..3], &hash[..6]);
    let approval: Approval = serde_json::from_value(json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Approval",
        "metadata": {"name": name, "namespace": "delivery"},
        "spec": {
            "rollout": rollout.name_any(), "rolloutUid": rollout.uid(), "hash": hash,
            "approver": who, "decision": what, "reason": "looked at it",
        },
    }))
    .expect("an Approval");
    let api: Api<Approval> = Api::namespaced(stage.cluster.client(who), "delivery");
    match api.create(&PostParams::default(), &approval).await {
        Ok(_) => {}
        Err(kube::Error::Api(s)) if s.code == 409 => {}
        Err(e) => panic!("the vote of {who} is refused: {e}"),
    }
}
