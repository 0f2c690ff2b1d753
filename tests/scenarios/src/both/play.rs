//! What people do in a scenario, and how it waits.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};
use sluice_core::rollout::Why;
use tokio::time::{Instant, sleep};

use super::ground::Ground;
use crate::stage::PRODUCTION;

/// Namespace of Pipelines, Rollouts, votes and wishes.
const DELIVERY: &str = "delivery";
/// How often somebody looks.
const LOOK: Duration = Duration::from_millis(500);

/// A scenario under way.
pub struct Play<'a, G> {
    /// Where it plays.
    pub ground: &'a G,
}

impl<G: Ground> Play<'_, G> {
    /// The newest Rollout of a tag in an environment of this app.
    pub async fn rollout(&self, environment: &str, tag: &str) -> Result<Option<Rollout>, String> {
        let mut found = self.rollouts().await?;
        found.retain(|r| {
            r.spec.body.environment == environment && r.spec.body.image.tag.as_deref() == Some(tag)
        });
        found.sort_by_key(|r| r.creation_timestamp().map(|t| t.0));
        Ok(found.pop())
    }

    /// All Rollouts of this app.
    pub async fn rollouts(&self) -> Result<Vec<Rollout>, String> {
        let api: Api<Rollout> = Api::namespaced(self.ground.client(None), DELIVERY);
        let list = api.list(&ListParams::default()).await.map_err(said)?;
        let ours = |r: &Rollout| r.spec.body.pipeline == self.ground.app();
        Ok(list.items.into_iter().filter(ours).collect())
    }

    /// The Pipeline of this app.
    pub async fn pipeline(&self) -> Result<Pipeline, String> {
        let api: Api<Pipeline> = Api::namespaced(self.ground.client(None), DELIVERY);
        api.get(self.ground.app()).await.map_err(said)
    }

    /// The production Deployment.
    pub async fn target(&self) -> Result<Deployment, String> {
        self.targets().get(self.ground.app()).await.map_err(said)
    }

    fn targets(&self) -> Api<Deployment> {
        Api::namespaced(self.ground.client(None), PRODUCTION)
    }

    /// Waits until a Rollout satisfies `holds`; fails at once where it has ended otherwise.
    pub async fn until(
        &self,
        environment: &str,
        tag: &str,
        what: &str,
        holds: impl Fn(&Rollout) -> bool,
    ) -> Result<Rollout, String> {
        let start = Instant::now();
        loop {
            let found = self.rollout(environment, tag).await?;
            if let Some(r) = &found {
                if holds(r) {
                    return Ok(r.clone());
                }
                if r.status.as_ref().is_some_and(|j| j.state.ended()) {
                    return Err(format!(
                        "{tag} in {environment}, waited until {what}: {}",
                        told(r)
                    ));
                }
            }
            if start.elapsed() > self.ground.patience() {
                let there = found.map_or("there is no Rollout".into(), |r| told(&r));
                let waiting = self.pipeline().await.map_or_else(
                    |e| e,
                    |p| {
                        let status = p.status.unwrap_or_default();
                        let environment = status.environments.get(environment);
                        format!("{:?}", environment.and_then(|e| e.waiting.clone()))
                    },
                );
                return Err(format!(
                    "{tag} in {environment}: waited {} s in vain until {what}: {there}; the pipeline \
                     waits for {waiting}",
                    start.elapsed().as_secs()
                ));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until a Rollout is in this phase.
    pub async fn phase(
        &self,
        environment: &str,
        tag: &str,
        phase: &str,
    ) -> Result<Rollout, String> {
        let is = |r: &Rollout| r.status.as_ref().is_some_and(|j| j.phase == phase);
        self.until(environment, tag, phase, is).await
    }

    /// Waits until a Rollout is where it is for this reason, such as `Holds`.
    pub async fn why(&self, environment: &str, tag: &str, code: &str) -> Result<Rollout, String> {
        let is = |r: &Rollout| {
            let why = r.status.as_ref().and_then(|j| j.why.as_ref());
            why.is_some_and(|w| w.code() == code)
        };
        self.until(environment, tag, code, is).await
    }

    /// Waits until the production Rollout of a tag waits for votes.
    pub async fn asked(&self, tag: &str) -> Result<Rollout, String> {
        self.why("production", tag, "WaitsForVotes").await
    }

    /// One person votes on a Rollout in production, with their own credentials.
    pub async fn vote(&self, who: &str, decision: &str, tag: &str) -> Result<(), String> {
        let rollout = self.asked(tag).await?;
        let approval = rollout.status.as_ref().and_then(|j| j.approval.clone());
        let hash = approval.map(|a| a.hash).unwrap_or_default();
        let short = who.split('@').next().unwrap_or(who);
        let body: Approval = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Approval",
            "metadata": {"name": format!("{}-{short}", rollout.name_any()), "namespace": DELIVERY},
            "spec": {
                "rollout": rollout.name_any(), "rolloutUid": rollout.uid(), "hash": hash,
                "approver": who, "decision": decision, "reason": "looked at it",
            },
        }))
        .map_err(|e| e.to_string())?;
        let api: Api<Approval> = Api::namespaced(self.ground.client(Some(who)), DELIVERY);
        api.create(&PostParams::default(), &body)
            .await
            .map_err(|e| format!("the vote of {who} is refused: {e}"))?;
        Ok(())
    }

    /// Both leads say yes.
    pub async fn approved(&self, tag: &str) -> Result<(), String> {
        self.vote(super::ALICE, "approve", tag).await?;
        self.vote(super::BOB, "approve", tag).await
    }

    /// One person asks for something, with their own credentials.
    pub async fn ask(&self, who: &str, name: &str, mut spec: Value) -> Result<(), String> {
        spec["requester"] = json!(who);
        let body: Request = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Request",
            "metadata": {"name": format!("{}-{name}", self.ground.app()), "namespace": DELIVERY},
            "spec": spec,
        }))
        .map_err(|e| e.to_string())?;
        let api: Api<Request> = Api::namespaced(self.ground.client(Some(who)), DELIVERY);
        api.create(&PostParams::default(), &body)
            .await
            .map_err(|e| format!("the wish of {who} is refused: {e}"))?;
        Ok(())
    }

    /// Whoever runs the cluster changes the production Deployment by hand.
    pub async fn change_target(&self, change: Value) -> Result<(), String> {
        self.targets()
            .patch(
                self.ground.app(),
                &PatchParams::default(),
                &Patch::Merge(change),
            )
            .await
            .map(|_| ())
            .map_err(said)
    }

    /// Whoever runs the cluster deletes the production Deployment.
    pub async fn delete_target(&self) -> Result<(), String> {
        self.targets()
            .delete(self.ground.app(), &DeleteParams::background())
            .await
            .map(|_| ())
            .map_err(said)
    }

    /// For this time, nobody changes the production Deployment's spec.
    pub async fn nobody_touches_the_target(&self, time: Duration) -> Result<(), String> {
        let before = self.target().await?.metadata.generation;
        sleep(time).await;
        let after = self.target().await?.metadata.generation;
        if before == after {
            Ok(())
        } else {
            Err(format!("its generation went from {before:?} to {after:?}"))
        }
    }
}

/// Where a Rollout is, for messages.
fn told(r: &Rollout) -> String {
    let journal = r.status.clone().unwrap_or_default();
    let why = journal.why.as_ref().map(Why::code).unwrap_or_default();
    format!(
        "{} is {} ({why}): {}",
        r.name_any(),
        journal.phase,
        journal.message
    )
}

fn said(error: kube::Error) -> String {
    error.to_string()
}
