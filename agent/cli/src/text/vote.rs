//! What an approver is shown before they sign: everything that the approval hash covers, in words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_core::pipeline::Revision;
use sluice_core::rollout::{ApprovalRequest, Journal, RolloutSpec, Why};

use super::{rollout, when};

/// What is known besides the Rollout itself.
pub(crate) struct Surroundings {
    /// The version that serves now, if the Pipeline could be read.
    pub(crate) stable: Option<Revision>,
    /// Container images now and then, or why they could not be read.
    pub(crate) images: Result<ImageChange, String>,
}

/// The images of the pod template before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageChange {
    /// Container name, the image now, the image then.
    pub(crate) containers: Vec<(String, String, String)>,
}

/// The whole of what a vote is bound to.
pub(crate) fn subject(
    name: &str,
    spec: &RolloutSpec,
    journal: &Journal,
    request: &ApprovalRequest,
    around: &Surroundings,
    now: Timestamp,
) -> String {
    let mut rows = vec![
        ("rollout", name.to_owned()),
        ("image", rollout::image(spec)),
    ];
    if let Some(stable) = &around.stable {
        rows.push(("replaces", rollout::revision(stable)));
    }
    rows.push((
        "target",
        format!(
            "Deployment {}, Service {}",
            spec.target, spec.target.service
        ),
    ));
    rows.push(("asked by", rollout::cause(&spec.cause)));
    rows.push((
        "lapses",
        format!(
            "{} (in {})",
            when::instant(request.expires_at),
            when::between(now, request.expires_at)
        ),
    ));
    let mut out = format!("{}\n{}", spec.title(), rollout::facts(&rows));
    out.push_str("\n\nWhat changes in the pods");
    match &around.images {
        Ok(change) => {
            for (container, before, after) in &change.containers {
                if before == after {
                    out.push_str(&format!("\n    {container}: {before} (unchanged)"));
                } else {
                    out.push_str(&format!(
                        "\n  - {container}: {before}\n  + {container}: {after}"
                    ));
                }
            }
        }
        Err(why) => out.push_str(&format!("\n  the Deployment cannot be read: {why}")),
    }
    if let Some(plan) = &journal.plan {
        out.push_str(&format!("\n\nHow (strategy {})", plan.strategy));
        let checks = rollout::check_names(spec);
        for (index, step) in plan.steps.iter().enumerate() {
            out.push_str(&format!(
                "\n  {}",
                rollout::step(plan, index, step, &checks)
            ));
        }
    }
    out.push_str("\n\nWho else");
    match &journal.why {
        Some(Why::WaitsForVotes {
            missing,
            given,
            ignored,
            ..
        }) => {
            out.push_str(&format!("\n  missing: {}", listed(missing)));
            out.push_str(&format!("\n  given: {}", listed(given)));
            if !ignored.is_empty() {
                out.push_str(&format!("\n  not counted: {}", ignored.join(", ")));
            }
        }
        Some(_) | None => out.push_str(&format!("\n  {}", rollout::why(journal))),
    }
    out.push_str(&format!("\n\nSigned\n  hash    {}", request.hash));
    out.push_str(&format!("\n  policy  {}", request.policy_hash));
    out.push_str(&plugins(&request.plugins));
    out
}

fn listed(all: &[String]) -> String {
    if all.is_empty() {
        "none".into()
    } else {
        all.join(", ")
    }
}

fn plugins(plugins: &BTreeMap<String, String>) -> String {
    plugins
        .iter()
        .map(|(name, digest)| format!("\n  plugin  {name} {}", rollout::short(digest)))
        .collect()
}
