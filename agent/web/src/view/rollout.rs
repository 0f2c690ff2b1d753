//! Everything about one Rollout.

use schemars::JsonSchema;
use serde::Serialize;
use sluice_cluster::crd::Rollout;
use sluice_core::plan::curve::Curve;
use sluice_core::plugin::Outcome;
use sluice_core::policy::Identity;
use sluice_core::rollout::{CheckRecord, CourseShown, Facts, Stage};

use super::metric::MetricView;
use super::offer::offers;
use super::picture::Picture;
use super::pipeline::VersionView;
use super::summary::sentence;
use super::time::{When, span};
use super::way::{HookView, WayView};
use super::{ApprovalView, Banner, OfferView, Scene, Summary};
use crate::problem::Problem;

/// A Rollout's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolloutView {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// `namespace/workload`, with its kind where it is no Deployment.
    pub(crate) target: String,
    /// `repository@digest`, what is written into the pods.
    pub(crate) image: String,
    /// Who or what asked for it.
    pub(crate) cause: String,
    /// What they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<VersionView>,
    /// Whether it is a way back, which needs no vote.
    pub(crate) returns: bool,
    /// The plugin that plans.
    pub(crate) strategy: String,
    /// The whole way, once there is a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) way: Option<WayView>,
    /// The share of the candidate over time, where there is something to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) curve: Option<Curve>,
    /// The same as shapes.
    #[serde(skip)]
    pub(crate) picture: Option<Picture>,
    /// Hooks whose turn has come.
    pub(crate) hooks: Vec<HookView>,
    /// What its metrics said.
    pub(crate) metrics: Vec<MetricView>,
    /// Labels of the checks of every step.
    pub(crate) judged_by: Vec<String>,
    /// What is signed, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<ApprovalView>,
    /// What an approver sees, the same at every door.
    pub(crate) facts: Facts,
    /// Whether it only shows what would happen.
    pub(crate) dry_run: bool,
    /// What concerns everything.
    pub(crate) banner: Banner,
    /// What can be done now.
    pub(crate) offers: Vec<OfferView>,
    /// Checks that run now.
    pub(crate) running: Vec<RunningView>,
    /// Results, newest first.
    pub(crate) checks: Vec<CheckView>,
    /// Results that are not kept.
    pub(crate) checks_cut: u32,
    /// What happened, newest first.
    pub(crate) timeline: Vec<MomentView>,
    /// Moments that are not kept.
    pub(crate) timeline_cut: u32,
    /// Ties a wish to what was seen: the newest wish that the agent has acted on.
    pub(crate) seen: String,
}

/// A check under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunningView {
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) passed: bool,
    /// The newest answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckView {
    /// For people from 1, with its name.
    pub(crate) step: String,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) outcome: &'static str,
    #[serde(skip)]
    pub(crate) tone: &'static str,
    pub(crate) summary: String,
    /// What did not pass.
    pub(crate) lines: Vec<LineView>,
    pub(crate) at: When,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineView {
    pub(crate) name: String,
    pub(crate) outcome: &'static str,
    pub(crate) message: String,
    /// How long it took.
    pub(crate) took: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MomentView {
    pub(crate) at: When,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl RolloutView {
    pub(crate) fn new(
        scene: &Scene,
        who: Option<&Identity>,
        rollout: &Rollout,
    ) -> Result<Self, Problem> {
        let core = sluice_controller::view(rollout).map_err(|why| Problem::ours(&why))?;
        let journal = rollout.status.clone().unwrap_or_default();
        let spec = &core.spec;
        let pipeline = scene.world.pipeline(&core.namespace, &spec.pipeline);
        let remembered = pipeline.as_ref().and_then(|p| {
            p.status
                .as_ref()?
                .environments
                .get(&spec.environment)?
                .stable
                .clone()
        });
        let when = |at| When::new(at, scene.now);
        let summary = Summary::new(scene, rollout);
        let picture = Picture::new(spec, &journal, scene.now);
        let step = |record: &CheckRecord| {
            let index = usize::try_from(record.step).unwrap_or(usize::MAX);
            match summary.steps.get(index) {
                Some(step) => format!("step {}, {}", record.step.saturating_add(1), step.share),
                None => format!("step {}", record.step.saturating_add(1)),
            }
        };
        let checks = journal
            .checks
            .iter()
            .rev()
            .map(|c| check(scene, c, step(c)))
            .collect();
        let before = journal
            .stable
            .as_ref()
            .or(remembered.as_ref().filter(|_| !summary.ended()));
        let person = |who: &Identity| scene.policy.person(who).name;
        Ok(Self {
            target: super::target(&spec.target),
            way: WayView::new(spec, &journal, scene.now),
            curve: picture.as_ref().map(|p| p.curve.clone()),
            picture,
            hooks: journal
                .hooks
                .iter()
                .map(|run| HookView::new(run, scene.now))
                .collect(),
            metrics: journal
                .analysis
                .iter()
                .map(|run| MetricView::new(run, scene.now))
                .collect(),
            image: format!("{}@{}", spec.image.repository, spec.image.digest),
            cause: match &spec.cause.requester {
                Some(asked) => person(asked),
                None => format!("the {} trigger", spec.cause.trigger),
            },
            reason: spec.cause.reason.clone(),
            from: before.map(|r| VersionView::new(r, scene)),
            returns: spec.returns_to.is_some(),
            strategy: spec.strategy.plugin.clone(),
            judged_by: spec.checks.iter().map(|c| c.label().to_owned()).collect(),
            approval: journal
                .approval
                .as_ref()
                .map(|request| ApprovalView::new(scene, &core, request, &journal.state)),
            facts: super::facts(scene, &core, &journal),
            dry_run: spec.dry_run,
            banner: Banner::new(scene),
            offers: offers(scene, who, &core, &journal, pipeline.as_deref()),
            running: running(journal.state.step().map(|s| &s.stage)),
            checks,
            timeline: journal
                .timeline
                .iter()
                .rev()
                .map(|m| MomentView {
                    at: when(m.at),
                    kind: m.kind.clone(),
                    text: m.text.clone(),
                })
                .collect(),
            checks_cut: journal.checks_cut,
            timeline_cut: journal.timeline_cut,
            seen: journal
                .handled
                .last()
                .map(|h| h.uid.clone())
                .unwrap_or_default(),
            summary,
        })
    }

    /// Where the source of the image can be read, if that is a plain web address (attack 22).
    pub(crate) fn source_link(&self) -> Option<&str> {
        let link = self.facts.image.source_link.as_deref();
        link.filter(|link| link.starts_with("https://") || link.starts_with("http://"))
    }

    /// What the way does not say part by part.
    pub(crate) fn course(&self) -> impl Iterator<Item = &CourseShown> {
        let told = [
            "lockstep", "config", "before", "watch", "way back", "return", "after", "takes",
        ];
        let course = self.facts.course.iter();
        course.filter(move |shown| !told.contains(&shown.label.as_str()))
    }

    /// What opens the gate, as a sentence.
    pub(crate) fn opens(&self) -> String {
        sentence(&self.facts.opens)
    }

    /// Whether there is anything to do besides voting.
    pub(crate) fn has_acts(&self) -> bool {
        self.offers.iter().any(|o| !o.is_vote())
    }

    /// Whether votes can be given now.
    pub(crate) fn asks(&self) -> bool {
        self.approval.as_ref().is_some_and(|a| a.open)
    }
}

fn running(stage: Option<&Stage>) -> Vec<RunningView> {
    match stage {
        Some(Stage::Check { runs, .. }) => runs
            .iter()
            .map(|run| RunningView {
                name: run.name.clone(),
                attempt: run.attempt,
                passed: run.passed,
                summary: run.report.as_ref().map(|r| r.summary.clone()),
            })
            .collect(),
        Some(Stage::Shift | Stage::Hold { .. } | Stage::Judge { .. }) | None => Vec::new(),
    }
}

fn check(scene: &Scene, record: &CheckRecord, step: String) -> CheckView {
    CheckView {
        step,
        name: record.name.clone(),
        attempt: record.attempt,
        outcome: word(record.outcome),
        tone: match record.outcome {
            Outcome::Pass => "good",
            Outcome::Fail => "bad",
            Outcome::Inconclusive => "hold",
            Outcome::Skipped => "off",
        },
        summary: record.summary.clone(),
        lines: record
            .lines
            .iter()
            .map(|line| LineView {
                name: line.name.clone(),
                outcome: word(line.outcome),
                message: line.message.clone(),
                took: span(u64::from(line.elapsed_ms)),
            })
            .collect(),
        at: When::new(record.at, scene.now),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed",
        Outcome::Fail => "failed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Skipped => "skipped",
    }
}
