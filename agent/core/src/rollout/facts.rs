//! What an approver sees: everything that a signature is about, and what still stands in the way.
//!
//! One function makes it. The web page, the CLI and approval-provider plugins show exactly that, so
//! that whoever signs at one door has seen what everybody sees at the others.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::journal::{ApprovalRequest, Journal, Replaced, cut};
use super::observation::RolloutView;
use super::provider;
use super::spec::{Emergency, RolloutSpec};
use super::state::State;
use crate::approval::{Filled, IgnoredWhy, Rejection, Tally, Vote, count_votes};
use crate::hash::sha256_of_json;
use crate::pipeline::{OutcomeKind, PipelineStatus, TriggerKind};
use crate::policy::{EnvironmentPolicy, EnvironmentVerdict, Policy};
use crate::router::percent;
use crate::stop::Stop;

mod course;
mod lines;
mod opens;

pub use course::CourseShown;

/// Most bytes of JSON: a plugin gets all of it with every call, and shows little of it.
pub const FACTS_LIMIT: usize = 32 * 1024;
/// Most entries of a list whose length others decide.
const LIST_LIMIT: usize = 8;
/// Longest text that a person or an image wrote, in bytes.
const TEXT_LIMIT: usize = 500;
/// Longest line of many, in bytes: two pinned images and a path fit.
const LINE_LIMIT: usize = 400;
/// Longest word: a name, a tag, a revision.
const WORD_LIMIT: usize = 160;

/// Everything that an approver sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// One line; in capitals what is left out of the usual way.
    pub title: String,
    /// Where the request stands.
    pub state: FactsState,
    /// How the Rollout ended, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeKind>,
    /// The deployment id: name of the Rollout.
    pub rollout: String,
    /// The service: name of the Pipeline.
    pub service: String,
    /// Name of the environment.
    pub environment: String,
    /// Namespace of the workload.
    pub namespace: String,
    /// Name of the Deployment.
    pub workload: String,
    /// What comes.
    pub image: ImageShown,
    /// What goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// What changes in the pod template, a line each; values of variables are not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// The steps, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<StepShown>,
    /// What it does beside the steps, and how long it takes at the least, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub course: Vec<CourseShown>,
    /// The checks that judge the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Environments in which this digest succeeded, and so passed their checks. Newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierPass>,
    /// Who asked for it, as the policy calls them. They may not approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// What proposed it.
    pub trigger: TriggerKind,
    /// What whoever asked said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What of the usual way is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// Votes that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Filled>,
    /// A role for each vote that is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Votes that do not count, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<IgnoredShown>,
    /// Who said no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejection>,
    /// One sentence: what opens the gate, or how it ended.
    pub opens: String,
    /// The hash that a vote names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Since when it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub requested_at: Option<Timestamp>,
    /// Until when it may be approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    /// How long after a success a person may go back without approval. None: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<String>,
    /// The end of that time, once it has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub rollback_until: Option<Timestamp>,
    /// Where it stands with each approval provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedShown>,
    /// The page about it, where the agent knows its own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Where an approval request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FactsState {
    /// Nothing is ready to sign yet.
    Waiting,
    /// Votes are missing.
    Open,
    /// Nobody's vote is missing; something else may still hold it.
    Approved,
    /// It has begun.
    Begun,
    /// It is over, or was before it began.
    Closed,
    /// What would change is not what was asked: a newer request stands in its place.
    Superseded,
}

/// The image, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageShown {
    /// Repository without tag.
    pub repository: String,
    /// The tag by which it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Its digest, which decides.
    pub digest: String,
    /// The revision of its source, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The address of its source, as it says itself: text, not to be made a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// A link to the revision, where the source is a plain address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_link: Option<String>,
    /// When it was built, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created: Option<Timestamp>,
    /// The policy's signers whose signature was verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
}

/// One step of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepShown {
    /// Its name.
    pub name: String,
    /// The share that the candidate gets, such as `10 %`.
    pub share: String,
    /// How long it is watched after its checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Whether the checks run in it.
    pub checked: bool,
    /// The gate that a person opens before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
}

/// A success of the same digest in another environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EarlierPass {
    /// The environment.
    pub environment: String,
    /// The Rollout.
    pub rollout: String,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// A vote that does not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredShown {
    /// Whose.
    pub person: String,
    /// Why not, in words.
    pub why: String,
}

/// Where it stands with one approval provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskedShown {
    /// The plugin.
    pub plugin: String,
    /// In words.
    pub text: String,
}

/// What is known beside the journal and the policy. What is left out is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The votes on this Rollout.
    pub votes: &'a [Vote],
    /// What the Pipeline remembers of all its environments.
    pub pipeline: Option<&'a PipelineStatus>,
    /// The global stop in force.
    pub stop: Option<&'a Stop>,
}

/// What an approver sees of this Rollout at this moment.
pub fn facts(
    view: &RolloutView,
    journal: &Journal,
    policy: &Policy,
    known: &Known<'_>,
    now: Timestamp,
) -> Facts {
    let spec = &view.spec;
    let rules = match policy.environment(&spec.environment, &spec.target.namespace) {
        EnvironmentVerdict::Open(rules) => Some(rules.for_rollout(spec)),
        EnvironmentVerdict::Closed(_) => None,
    };
    let rules = rules.as_deref();
    let request = journal.approval.as_ref();
    let tally = match (rules, request) {
        (Some(rules), Some(request)) => tally(rules, policy, spec, known.votes, request, now),
        _ => Tally::default(),
    };
    let state = stands(journal, &tally, rules.is_some());
    let ended_at = match &journal.state {
        State::Ended(end) if end.kind == OutcomeKind::Succeeded => Some(end.at),
        _ => None,
    };
    let window = rules.and_then(|rules| rules.rollback.window);
    let opens = opens::sentence(journal, rules, known.stop, &tally, state, now);
    let facts = Facts {
        title: word(&spec.title()),
        state,
        outcome: journal.state.outcome(),
        rollout: view.name.clone(),
        service: spec.pipeline.clone(),
        environment: spec.environment.clone(),
        namespace: spec.target.namespace.clone(),
        workload: spec.target.name().to_owned(),
        image: image(spec, policy),
        replaces: request.and_then(|r| r.replaces.clone()),
        changes: request
            .iter()
            .flat_map(|r| &r.changes)
            .map(|line| cut(line, LINE_LIMIT))
            .collect(),
        plan: plan(journal, rules),
        course: course::course(spec, journal),
        checks: spec.checks.iter().map(|c| c.label().to_owned()).collect(),
        earlier: earlier(spec, known.pipeline),
        requester: spec
            .cause
            .requester
            .as_ref()
            .map(|who| word(&policy.person(who).name)),
        trigger: spec.cause.trigger,
        reason: spec.cause.reason.as_deref().map(text),
        emergency: spec.emergency,
        given: tally
            .filled
            .iter()
            .take(2 * LIST_LIMIT)
            .map(filled)
            .collect(),
        missing: tally.missing.iter().take(2 * LIST_LIMIT).cloned().collect(),
        ignored: ignored(&tally),
        rejected: tally.rejected_by.map(|no| Rejection {
            person: word(&no.person),
            reason: text(&no.reason),
            ..no
        }),
        opens: cut(&opens, 2 * TEXT_LIMIT),
        hash: request.map(|r| r.hash.clone()),
        requested_at: request.map(|r| r.requested_at),
        expires_at: request.map(|r| r.expires_at),
        rollback_window: window.map(|w| w.to_string()),
        rollback_until: ended_at.zip(window).map(|(at, window)| {
            let ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
            super::decide::later(at, ms)
        }),
        asked: provider::shown(view, journal, rules, policy),
        link: None,
    };
    facts.within_limit()
}

impl Facts {
    /// What a door that is asked about an older request has to say: it is void.
    #[must_use]
    pub fn superseded(&self, hash: &str) -> Self {
        Self {
            state: FactsState::Superseded,
            hash: Some(hash.to_owned()),
            given: Vec::new(),
            missing: Vec::new(),
            ignored: Vec::new(),
            opens: "what would change is not what was asked here: look at the newer request".into(),
            ..self.clone()
        }
    }

    /// Hash of what people would see: it changes when a message about it is out of date. What only
    /// concerns the messages themselves is left out.
    pub fn version(&self) -> String {
        let seen = Self {
            asked: Vec::new(),
            ..self.clone()
        };
        let mut hash = sha256_of_json(&serde_json::to_value(seen).unwrap_or_default());
        hash.truncate(16);
        hash
    }

    /// Whether votes are required at all.
    pub fn needs_votes(&self) -> bool {
        !self.missing.is_empty() || !self.given.is_empty()
    }

    /// Below [`FACTS_LIMIT`] by the bounds of its parts but for one: escapes in JSON can double the
    /// longest lists. The most dispensable goes first.
    fn within_limit(mut self) -> Self {
        let too_large =
            |facts: &Self| serde_json::to_vec(facts).map_or(true, |json| json.len() > FACTS_LIMIT);
        while too_large(&self) {
            let fell_out = self.changes.pop().is_some()
                || self.ignored.pop().is_some()
                || self.checks.pop().is_some()
                || self.course.pop().is_some();
            if !fell_out {
                break;
            }
        }
        self
    }
}

fn tally(
    rules: &EnvironmentPolicy,
    policy: &Policy,
    spec: &RolloutSpec,
    votes: &[Vote],
    request: &ApprovalRequest,
    now: Timestamp,
) -> Tally {
    count_votes(
        rules,
        policy,
        &policy.behind(spec),
        votes,
        &request.hash,
        now,
    )
}

fn stands(journal: &Journal, tally: &Tally, policy_open: bool) -> FactsState {
    match &journal.state {
        State::Queued | State::Planning { .. } | State::AwaitingApproval => {
            match &journal.approval {
                None => FactsState::Waiting,
                Some(_) if policy_open && tally.is_complete() => FactsState::Approved,
                Some(_) => FactsState::Open,
            }
        }
        State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Finishing(_)
        | State::RollingBack(_) => FactsState::Begun,
        State::Recording(_) | State::Ended(_) => FactsState::Closed,
    }
}

fn image(spec: &RolloutSpec, policy: &Policy) -> ImageShown {
    let about = &spec.image.about;
    // A proof by another definition of the signer counts for nothing.
    let same = |proof: &&crate::image::facts::SignatureProof| {
        let signer = policy.signers.get(&proof.signer);
        signer.is_some_and(|signer| signer.definition() == proof.definition)
    };
    ImageShown {
        repository: spec.image.repository.clone(),
        tag: spec.image.tag.clone(),
        digest: spec.image.digest.clone(),
        revision: about.revision().map(word),
        source: about.source().map(text),
        source_link: about.source_link(),
        created: about.created,
        signed_by: about
            .signatures
            .iter()
            .filter(same)
            .map(|proof| proof.signer.clone())
            .collect(),
    }
}

fn plan(journal: &Journal, rules: Option<&EnvironmentPolicy>) -> Vec<StepShown> {
    let always = rules.is_none_or(|rules| !rules.checks.require.is_empty());
    let steps = journal.plan.iter().flat_map(|plan| &plan.steps);
    steps
        .map(|planned| StepShown {
            name: planned.step.name.clone(),
            share: percent(planned.achieved_bp),
            hold: (planned.step.hold_ms > 0).then(|| {
                crate::duration::HumanDuration::from_millis(planned.step.hold_ms).to_string()
            }),
            checked: planned.step.checks || planned.promotes() || always,
            gate: planned.step.gate.clone(),
        })
        .collect()
}

fn earlier(spec: &RolloutSpec, pipeline: Option<&PipelineStatus>) -> Vec<EarlierPass> {
    let mut out: Vec<EarlierPass> = pipeline
        .iter()
        .flat_map(|status| &status.environments)
        .filter(|(name, _)| **name != spec.environment)
        .filter_map(|(name, status)| {
            let passed = status.history.iter().find(|outcome| {
                outcome.digest == spec.image.digest && outcome.kind == OutcomeKind::Succeeded
            })?;
            Some(EarlierPass {
                environment: name.clone(),
                rollout: passed.rollout.clone(),
                at: passed.at,
            })
        })
        .collect();
    out.sort_by(|a, b| (b.at, &a.environment).cmp(&(a.at, &b.environment)));
    out.truncate(LIST_LIMIT);
    out
}

fn filled(filled: &Filled) -> Filled {
    Filled {
        person: word(&filled.person),
        ..filled.clone()
    }
}

/// What its voter believes to count and does not; what merely repeats or comes on top is no news.
fn ignored(tally: &Tally) -> Vec<IgnoredShown> {
    let mut out: Vec<IgnoredShown> = tally
        .ignored
        .iter()
        .filter(|v| !matches!(v.why, IgnoredWhy::Duplicate | IgnoredWhy::NotNeeded))
        .map(|v| IgnoredShown {
            person: word(&v.person),
            why: v.why.to_string(),
        })
        .collect();
    out.sort();
    out.dedup();
    out.truncate(LIST_LIMIT);
    out
}

fn word(text: &str) -> String {
    cut(text, WORD_LIMIT)
}

fn text(text: &str) -> String {
    cut(text, TEXT_LIMIT)
}

#[cfg(test)]
mod tests;
