//! What comes next, part by part.

use jiff::Timestamp;
use sluice_core::pipeline::Revision;
use sluice_core::plan::outline::{Place, outline};
use sluice_core::rollout::{Journal, RolloutSpec, State};

use super::Next;
use crate::text::way::part_text;
use crate::text::{rollout, when};

/// The way from here to the end.
pub(super) fn next(
    spec: &RolloutSpec,
    journal: &Journal,
    stable: Option<&Revision>,
    at: Timestamp,
) -> Vec<Next> {
    let now = |text: String| Next {
        place: Place::Now,
        not_before: None,
        text,
    };
    let later = |text: &str| Next {
        place: Place::Later,
        not_before: None,
        text: text.to_owned(),
    };
    let promise = later("the outcome is written to the pipeline and to the record");
    let mut out = Vec::new();
    match &journal.state {
        State::Queued => {
            out.push(now("its turn at the target".into()));
            out.push(later(&format!(
                "{} proposes the steps",
                spec.strategy.plugin
            )));
            out.push(later(
                "the policy checks them; the people that it names approve them",
            ));
            out.push(later("the steps"));
        }
        State::Planning { .. } => {
            out.push(now(format!("{} proposes the steps", spec.strategy.plugin)));
            out.push(later(
                "the policy checks them; the people that it names approve them",
            ));
            out.push(later("the steps"));
        }
        State::AwaitingApproval => {
            let gate = if spec.returns_to.is_some() {
                "it starts: a way back needs no votes"
            } else {
                "the gate: votes, wait timer and change windows of the policy"
            };
            out.push(now(gate.into()));
            out.extend(way(spec, journal, at));
        }
        State::Preparing(_)
        | State::Progressing(_)
        | State::Promoting(_)
        | State::Watching(_)
        | State::Finishing(_) => out.extend(way(spec, journal, at)),
        State::RollingBack(reason) => {
            let version = stable.map_or_else(|| "the old version".into(), rollout::revision);
            let all = journal
                .total_replicas
                .map_or(String::new(), |n| format!(" with {n} pods"));
            out.push(now(format!("{version} serves alone again{all}")));
            out.push(later("the canary is scaled to zero and removed"));
            if reason.candidate_failed {
                out.push(later(&format!(
                    "{} is quarantined: nothing proposes it again until a person lifts it",
                    rollout::version_and_digest(spec.image.tag.as_deref(), &spec.image.digest)
                )));
            }
            out.push(later(&format!("it ends as {}", reason.ends_as.phase())));
        }
        State::Recording(ending) => {
            out.push(now(format!(
                "it ends as {}: written to the pipeline",
                ending.kind.phase()
            )));
            return out;
        }
        State::Ended(_) => return out,
    }
    out.push(promise);
    out
}

/// The parts of the way, each with its place.
fn way(spec: &RolloutSpec, journal: &Journal, now: Timestamp) -> Vec<Next> {
    let Some(plan) = &journal.plan else {
        return Vec::new();
    };
    let way = outline(plan, spec);
    let begun = journal.state.begun();
    way.parts
        .iter()
        .zip(way.stands(journal, now))
        .map(|(part, stand)| Next {
            place: stand.place,
            not_before: match stand.at {
                Some(at) => Some(when::time(at)),
                None if begun => None,
                None => Some(part.from()),
            },
            text: part_text(part, plan),
        })
        .collect()
}
