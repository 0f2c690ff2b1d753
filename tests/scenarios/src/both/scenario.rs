//! The scenarios. Each begins with v1.0.0 in both environments and says what people do; how it ends is
//! compared between the clusters.

use std::time::Duration;

use serde_json::json;

use super::ground::{ALICE, BOB, CAROL, Ground, Release};
use super::play::Play;

/// Long enough for a few looks of the agent at what it must leave alone.
const HANDS_OFF: Duration = Duration::from_secs(12);

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// A good release goes through staging to production by the votes of two people. The vote of a
    /// person whom no role names counts for nothing.
    Good,
    /// A release that lies about its health under production's data is caught at 10 %.
    SickInProduction,
    /// A release that never becomes ready ends in staging.
    NeverReady,
    /// One of the leads says no.
    Rejected,
    /// Somebody sets the image by hand in mid-rollout; then a lead aborts.
    ImageSetByHand,
    /// Somebody scales the target in mid-rollout, and puts it back.
    ScaledByHand,
    /// An autoscaler owns the target, and scales it in mid-rollout.
    Autoscaled,
    /// A lead stops it at 10 %.
    Aborted,
    /// The target is deleted in mid-rollout.
    TargetDeleted,
    /// After success a lead goes back to the version before.
    WentBack,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Good,
        Self::SickInProduction,
        Self::NeverReady,
        Self::Rejected,
        Self::ImageSetByHand,
        Self::ScaledByHand,
        Self::Autoscaled,
        Self::Aborted,
        Self::TargetDeleted,
        Self::WentBack,
    ];

    /// Its name, which fits into the name of an object.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::SickInProduction => "sick-in-production",
            Self::NeverReady => "never-ready",
            Self::Rejected => "rejected",
            Self::ImageSetByHand => "image-set-by-hand",
            Self::ScaledByHand => "scaled-by-hand",
            Self::Autoscaled => "autoscaled",
            Self::Aborted => "aborted",
            Self::TargetDeleted => "target-deleted",
            Self::WentBack => "went-back",
        }
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// A sentence about what did not come.
    pub async fn play<G: Ground>(self, play: &Play<'_, G>) -> Result<(), String> {
        match self {
            Self::Good => good(play).await,
            Self::SickInProduction => sick(play).await,
            Self::NeverReady => never_ready(play).await,
            Self::Rejected => rejected(play).await,
            Self::ImageSetByHand => image_set_by_hand(play).await,
            Self::ScaledByHand => scaled_by_hand(play).await,
            Self::Autoscaled => autoscaled(play).await,
            Self::Aborted => aborted(play).await,
            Self::TargetDeleted => target_deleted(play).await,
            Self::WentBack => went_back(play).await,
        }
    }
}

/// Pushes a release and waits until it has passed staging and asks for votes in production.
async fn released<G: Ground>(play: &Play<'_, G>, release: Release) -> Result<(), String> {
    play.ground.push(release).await?;
    play.phase("staging", release.tag(), "Succeeded").await?;
    play.asked(release.tag()).await?;
    Ok(())
}

/// The good release, approved, watched at its first step.
async fn at_ten_percent<G: Ground>(play: &Play<'_, G>) -> Result<String, String> {
    let tag = Release::Good.tag();
    released(play, Release::Good).await?;
    play.approved(tag).await?;
    let rollout = play.why("production", tag, "Holds").await?;
    rollout
        .metadata
        .name
        .ok_or("a Rollout without a name".into())
}

async fn good<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::Good.tag();
    released(play, Release::Good).await?;
    let before = play.target().await?.metadata.generation;
    play.vote(CAROL, "approve", tag).await?;
    play.until("production", tag, "the vote of carol is not counted", |r| {
        let message = r
            .status
            .as_ref()
            .map(|j| j.message.clone())
            .unwrap_or_default();
        message.contains("not counted") && message.contains("carol")
    })
    .await?;
    play.vote(ALICE, "approve", tag).await?;
    if play.target().await?.metadata.generation != before {
        return Err("production was changed before both leads had voted".into());
    }
    play.vote(BOB, "approve", tag).await?;
    play.phase("production", tag, "Succeeded").await?;
    Ok(())
}

async fn sick<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::SickInProduction.tag();
    released(play, Release::SickInProduction).await?;
    play.approved(tag).await?;
    play.phase("production", tag, "RolledBack").await?;
    Ok(())
}

async fn never_ready<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    play.ground.push(Release::NeverReady).await?;
    play.phase("staging", Release::NeverReady.tag(), "RolledBack")
        .await?;
    Ok(())
}

async fn rejected<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::Good.tag();
    released(play, Release::Good).await?;
    play.vote(ALICE, "approve", tag).await?;
    play.vote(BOB, "reject", tag).await?;
    play.phase("production", tag, "Rejected").await?;
    Ok(())
}

async fn image_set_by_hand<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::Good.tag();
    let rollout = at_ten_percent(play).await?;
    // The version that serves, written otherwise: a template that nobody signed.
    let image = format!(
        "{}@{}",
        play.ground.repository(),
        play.ground.digest(Release::Stable)
    );
    let container = play
        .target()
        .await?
        .spec
        .and_then(|s| s.template.spec?.containers.first().cloned())
        .ok_or("the target has no container")?;
    let mut containers = json!([container]);
    containers[0]["image"] = json!(image);
    play.change_target(json!({"spec": {"template": {"spec": {"containers": containers}}}}))
        .await?;
    play.why("production", tag, "Drifted").await?;
    play.nobody_touches_the_target(HANDS_OFF).await?;
    play.ask(
        ALICE,
        "abort",
        json!({"action": "abort", "rollout": rollout, "reason": "somebody works on it"}),
    )
    .await?;
    play.phase("production", tag, "RolledBack").await?;
    Ok(())
}

async fn scaled_by_hand<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::Good.tag();
    at_ten_percent(play).await?;
    play.change_target(json!({"spec": {"replicas": 12}}))
        .await?;
    play.why("production", tag, "Rescaled").await?;
    play.nobody_touches_the_target(HANDS_OFF).await?;
    play.change_target(json!({"spec": {"replicas": 9}})).await?;
    play.phase("production", tag, "Succeeded").await?;
    Ok(())
}

async fn autoscaled<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::Good.tag();
    play.ground.autoscale(10).await?;
    at_ten_percent(play).await?;
    play.ground.autoscale(12).await?;
    play.phase("production", tag, "Succeeded").await?;
    let replicas = play.target().await?.spec.and_then(|s| s.replicas);
    if replicas == Some(12) {
        Ok(())
    } else {
        Err(format!(
            "the autoscaler wants 12 pods, the target has {replicas:?}"
        ))
    }
}

async fn aborted<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let rollout = at_ten_percent(play).await?;
    play.ask(
        ALICE,
        "abort",
        json!({"action": "abort", "rollout": rollout, "reason": "changed our minds"}),
    )
    .await?;
    play.phase("production", Release::Good.tag(), "RolledBack")
        .await?;
    Ok(())
}

async fn target_deleted<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    at_ten_percent(play).await?;
    play.delete_target().await?;
    play.phase("production", Release::Good.tag(), "Failed")
        .await?;
    Ok(())
}

async fn went_back<G: Ground>(play: &Play<'_, G>) -> Result<(), String> {
    let tag = Release::Good.tag();
    released(play, Release::Good).await?;
    play.approved(tag).await?;
    play.phase("production", tag, "Succeeded").await?;
    play.ask(
        ALICE,
        "back",
        json!({"action": "rollback", "pipeline": play.ground.app(), "environment": "production",
               "reason": "it is slow"}),
    )
    .await?;
    play.phase("production", Release::Stable.tag(), "Succeeded")
        .await?;
    Ok(())
}
