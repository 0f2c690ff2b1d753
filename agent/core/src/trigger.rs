//! Which candidate a trigger proposes. Level-based: asked again with the same world, it proposes the
//! same, and the same proposal has the same name.

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::admit::PipelineView;
use crate::pipeline::{EnvironmentSpec, EnvironmentStatus, Revision};
use crate::schedule::Schedule;
use crate::tags::TagFilter;

/// Tags that one pass asks the registry about: the newest, and a few below it where that one is
/// quarantined.
pub const CANDIDATE_TAGS: usize = 5;

/// The newest release tags, newest first, that are newer than what serves. A tag that cannot be
/// compared with the serving one counts as newer: its digest decides (mutable tags).
pub fn newer_tags(filter: &TagFilter, tags: &[String], status: &EnvironmentStatus) -> Vec<String> {
    let serving = status.stable.as_ref().and_then(|r| r.tag.as_deref());
    let mut left: Vec<String> = tags
        .iter()
        .filter(|t| filter.matches(t))
        .filter(|t| {
            serving.is_none_or(|s| {
                !matches!(filter.compare(t, s), Some(Ordering::Less)) || !filter.matches(s)
            })
        })
        .cloned()
        .collect();
    let mut out = Vec::new();
    while out.len() < CANDIDATE_TAGS {
        let Some(newest) = filter.newest(&left).map(str::to_owned) else {
            break;
        };
        left.retain(|t| *t != newest);
        out.push(newest);
    }
    out
}

/// The digest that has succeeded in every environment before this one: the newest promotion of the
/// first of them.
pub fn upstream(pipeline: &PipelineView, environment: &EnvironmentSpec) -> Option<Revision> {
    let of = |name: &String| pipeline.status.environments.get(name);
    let first = of(environment.after.first()?)?.stable.clone()?;
    first.promoted_by.as_ref()?;
    let everywhere = environment
        .after
        .iter()
        .all(|name| of(name).is_some_and(|s| s.succeeded(&first.digest)));
    everywhere.then_some(first)
}

/// The instant of a schedule that is due: the latest one since `looked_at`. Missed ones collapse
/// into it (reliability.md T3, `last`).
pub fn due(schedule: &Schedule, looked_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    schedule.latest_in(looked_at, now)
}

/// The key under which a schedule's last instant is remembered.
pub fn schedule_key(cron: &str, time_zone: &str) -> String {
    format!("{cron} {time_zone}")
}

#[cfg(test)]
mod tests;
