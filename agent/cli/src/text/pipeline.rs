//! The answer of `sluice explain` about a Pipeline: what serves where, and why nothing newer does.

use jiff::Timestamp;
use kube::ResourceExt;
use sluice_cluster::crd::{Pipeline, Rollout};
use sluice_core::pipeline::{EnvironmentSpec, EnvironmentStatus, Trigger};
use sluice_core::schedule::Schedule;

use super::explain::section;
use super::{rollout, when};

/// Outcomes that are shown per environment.
const OUTCOMES_SHOWN: usize = 5;

/// The whole answer. `live` are the Rollouts of the Pipeline that are not over; `only` an environment.
pub(crate) fn pipeline(
    p: &Pipeline,
    live: &[Rollout],
    only: Option<&str>,
    now: Timestamp,
) -> String {
    let spec = &p.spec.body;
    let status = p.status.clone().unwrap_or_default();
    let mut out = format!(
        "{} (namespace {})\n{}",
        p.name_any(),
        p.namespace().unwrap_or_default(),
        rollout::facts(&[("image", spec.image.repository.clone())])
    );
    section(
        &mut out,
        "The spec cannot be used as it is",
        status.problems.iter().cloned(),
    );
    for e in spec
        .environments
        .iter()
        .filter(|e| only.is_none_or(|name| name == e.name))
    {
        let known = status
            .environments
            .get(&e.name)
            .cloned()
            .unwrap_or_default();
        out.push_str(&format!(
            "\n\n{} ({} {})",
            e.name,
            e.target.kind(),
            e.target
        ));
        out.push('\n');
        out.push_str(&environment(p, e, &known, live, now));
    }
    out
}

fn environment(
    p: &Pipeline,
    e: &EnvironmentSpec,
    known: &EnvironmentStatus,
    live: &[Rollout],
    now: Timestamp,
) -> String {
    let mut rows = Vec::new();
    rows.push((
        "serves",
        match &known.stable {
            Some(r) => {
                let by = match &r.promoted_by {
                    Some(name) => format!("promoted by {name}"),
                    None => "as it was found".to_owned(),
                };
                let since = when::between(r.since, now);
                format!("{} for {since}, {by}", rollout::revision(r))
            }
            None => "nothing that was seen healthy: there is nothing to roll back to".into(),
        },
    ));
    let mut quiet = true;
    for r in live.iter().filter(|r| r.spec.body.environment == e.name) {
        quiet = false;
        let journal = r.status.clone().unwrap_or_default();
        rows.push((
            "rollout",
            format!(
                "{} ({}), {}: {}",
                r.name_any(),
                rollout::version(r.spec.body.image.tag.as_deref(), &r.spec.body.image.digest),
                rollout::phase(&journal),
                rollout::why(&journal)
            ),
        ));
        rows.push(("", format!("`sluice explain {}` says more", r.name_any())));
    }
    if let Some(waiting) = &known.waiting {
        rows.push(("waits", waiting.clone()));
    }
    if let Some(refused) = &known.refused {
        let version = rollout::version(refused.tag.as_deref(), &refused.digest);
        rows.push((
            "refused",
            format!("{version} at {}", when::instant(refused.at)),
        ));
        rows.extend(refused.reasons.iter().map(|reason| ("", reason.clone())));
    }
    if quiet {
        rows.extend(e.triggers.iter().map(|t| ("next", trigger(p, e, t, now))));
    }
    for q in &known.quarantined {
        let version = rollout::version_and_digest(q.tag.as_deref(), &q.digest);
        rows.push(("barred", format!("{version}: {}", q.reason)));
        rows.push((
            "",
            format!(
                "`sluice lift {} --to {} --digest {}` lets it in again",
                p.name_any(),
                e.name,
                q.digest
            ),
        ));
    }
    for o in known.history.iter().take(OUTCOMES_SHOWN) {
        rows.push((
            "ended",
            format!(
                "{} {} at {} ({})",
                rollout::version(o.tag.as_deref(), &o.digest),
                o.kind.phase(),
                when::instant(o.at),
                o.rollout
            ),
        ));
    }
    rollout::facts(&rows)
}

/// What would start a Rollout here.
fn trigger(p: &Pipeline, e: &EnvironmentSpec, t: &Trigger, now: Timestamp) -> String {
    match t {
        Trigger::Registry(r) => format!("the registry is looked at every {}", r.every),
        Trigger::Upstream(_) => format!("whatever succeeds in {}", e.after.join(" and ")),
        Trigger::Webhook(_) => "a signed call of a machine that the policy names".to_owned(),
        Trigger::Manual(_) => {
            format!("`sluice deploy {} --to {} --tag TAG`", p.name_any(), e.name)
        }
        Trigger::Schedule(s) => {
            let next = Schedule::parse(&s.cron, &s.time_zone)
                .ok()
                .and_then(|s| s.next(now));
            match next {
                Some(at) => format!(
                    "the newest version at {} (schedule {} {})",
                    when::instant(at),
                    s.cron,
                    s.time_zone
                ),
                None => format!("the schedule {} {} names no instant", s.cron, s.time_zone),
            }
        }
    }
}
