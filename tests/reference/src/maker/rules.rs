//! Rules of the policy's own: a sentence or two about the candidate, most of which do not fit.

use crate::rng::Rng;

/// One comparison that can be true or false, and now and then not be worked out.
fn sentence(rng: &mut Rng) -> String {
    let text = |rng: &mut Rng| {
        let fields = [
            "pipeline",
            "namespace",
            "trigger",
            "strategy",
            "requester.name",
            "reason",
        ];
        let values = [
            "storefront",
            "payments",
            "manual",
            "canary",
            "alice",
            "it burns",
            "schedule",
        ];
        (*rng.pick(&fields), *rng.pick(&values))
    };
    match rng.below(12) {
        0 => {
            let (field, value) = text(rng);
            format!("rollout.{field} == '{value}'")
        }
        1 => {
            let (field, value) = text(rng);
            format!("rollout.{field} != '{value}'")
        }
        2 => "rollout.image.tag.contains('-rc')".into(),
        3 => "rollout.image.tag.startsWith('hotfix-')".into(),
        4 => format!(
            "rollout.image.repository.endsWith('{}')",
            rng.pick(&["/storefront", "nginx"])
        ),
        5 => format!("'{}' in rollout.checks", rng.pick(&["http-smoke", "load"])),
        6 => format!(
            "size(rollout.checks) {} {}",
            rng.pick(&["<", ">", "=="]),
            rng.below(3)
        ),
        // A missing annotation cannot be compared.
        7 => "rollout.image.annotations['team'] != 'shop'".into(),
        8 => "'team' in rollout.image.annotations && rollout.image.annotations['team'] == 'lab'"
            .into(),
        9 => format!(
            "now > timestamp('{}-01-15T12:00:00Z')",
            rng.pick(&[2026, 2027, 2028])
        ),
        10 => (*rng.pick(&["rollout.skipCanary", "rollout.breakGlass"])).into(),
        _ => format!(
            "rollout.trigger in ['{}', 'webhook']",
            rng.pick(&["registry", "manual"])
        ),
    }
}

/// An expression of a few sentences.
fn expression(rng: &mut Rng, depth: usize) -> String {
    match rng.below(10) {
        0 if depth > 0 => format!("!({})", expression(rng, depth - 1)),
        1 | 2 if depth > 0 => {
            format!("{} && {}", grouped(rng, depth - 1), grouped(rng, depth - 1))
        }
        3 if depth > 0 => format!("{} || {}", grouped(rng, depth - 1), grouped(rng, depth - 1)),
        _ => sentence(rng),
    }
}

fn grouped(rng: &mut Rng, depth: usize) -> String {
    format!("({})", expression(rng, depth))
}

/// The text of one rule.
pub(super) fn rule(rng: &mut Rng) -> String {
    // Rules are exceptions: most ask for two things at once.
    if rng.chance(80) {
        return format!("{} && {}", grouped(rng, 1), grouped(rng, 1));
    }
    expression(rng, 2)
}
