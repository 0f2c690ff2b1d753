//! What an approver is shown before they sign: everything that the approval hash covers, in words.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_core::plan::curve::curve;
use sluice_core::plan::outline::outline;
use sluice_core::rollout::{ApprovalRequest, Facts, Journal, RolloutSpec};

use super::explain::section;
use super::picture::{Style, picture};
use super::{rollout, way, when};

/// What the caller sees with their own eyes.
pub(crate) struct Surroundings {
    /// Container images now and then, or why they could not be read.
    pub(crate) images: Result<ImageChange, String>,
}

/// The images of the pod template before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageChange {
    /// Container name, the image now, the image then.
    pub(crate) containers: Vec<(String, String, String)>,
}

/// The whole of what a vote is bound to: what everybody sees at every door, and then what the
/// caller's own look at the Deployment says.
pub(crate) fn subject(
    facts: &Facts,
    spec: &RolloutSpec,
    journal: &Journal,
    request: &ApprovalRequest,
    around: &Surroundings,
    now: Timestamp,
    style: Style,
) -> String {
    let mut out = shown(facts);
    out.push_str(&format!("\n  {:<10} {}", "target", rollout::target(spec)));
    out.push_str(&format!(
        "\n  {:<10} {}",
        "time left",
        when::between(now, request.expires_at)
    ));
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
        let shown = outline(plan, spec);
        out.push_str(&format!("\n\nHow (strategy {})", plan.strategy));
        let lines = way::parts(&shown, plan).into_iter();
        for line in lines.chain([way::promise(&shown)]) {
            out.push_str(&format!("\n  {line}"));
        }
        let drawn = curve(spec, journal, now).map(|curve| picture(&curve, style));
        let title = "Traffic of the new version over time, not to scale";
        section(&mut out, title, drawn.into_iter().flatten());
    }
    out.push_str(&format!("\n\nSigned\n  hash    {}", request.hash));
    out.push_str(&format!("\n  policy  {}", request.policy_hash));
    out.push_str(&plugins(&request.plugins));
    out
}

/// The facts, the title first.
pub(crate) fn shown(facts: &Facts) -> String {
    let lines = facts.lines();
    let mut lines = lines.iter();
    let mut out = lines.next().cloned().unwrap_or_default();
    for line in lines {
        out.push_str(&format!("\n  {line}"));
    }
    out
}

fn plugins(plugins: &BTreeMap<String, String>) -> String {
    plugins
        .iter()
        .map(|(name, digest)| format!("\n  plugin  {name} {}", rollout::short(digest)))
        .collect()
}
