//! The lines of a Rollout that is followed: what happened, check results, and where it is. Each has
//! its time and a word for what kind of line it is: of a moment its kind, of the present its phase.
//!
//! What happened comes from the journal, so whoever joins late sees it too, and two terminals show
//! the same.

use jiff::Timestamp;
use sluice_cluster::crd::Rollout;
use sluice_core::plan::curve::curve;
use sluice_core::plan::outline::outline;
use sluice_core::rollout::{CheckRecord, Journal, Moment};

use super::picture::{Style, spark};
use super::{rollout, when};

/// What was shown so far.
#[derive(Default)]
pub(crate) struct Progress {
    /// Moments that were shown, those that fell out of the journal counted in.
    moments: usize,
    shown_checks: Vec<CheckRecord>,
    said: String,
    /// Whether the plan was told.
    planned: bool,
}

impl Progress {
    /// The new lines, oldest first. `now` stands before those that carry no time of their own.
    pub(crate) fn lines(&mut self, journal: &Journal, now: Timestamp) -> Vec<String> {
        // Checks first: what the engine concludes from one carries the same instant.
        let checks = self.checks(journal).into_iter();
        let mut dated: Vec<(Timestamp, String, String)> = checks
            .map(|c| (c.at, "check".to_owned(), rollout::check(&c)))
            .collect();
        dated.extend(
            self.moments(journal)
                .into_iter()
                .map(|m| (m.at, m.kind, m.text)),
        );
        dated.sort_by_key(|(at, _, _)| *at);
        let said = rollout::why(journal);
        // The last moment often is the very reason: once is enough.
        let told = dated
            .last()
            .is_some_and(|(_, _, text)| said.ends_with(text.as_str()));
        if said != self.said && !told {
            dated.push((now, rollout::phase(journal).to_owned(), said.clone()));
        }
        self.said = said;
        let indent = format!("\n{:30}", "");
        dated
            .into_iter()
            .map(|(at, kind, text)| {
                format!(
                    "{}  {kind:<20}{}",
                    when::time(at),
                    text.replace('\n', &indent)
                )
            })
            .collect()
    }

    /// The plan in one line, once there is one that has not begun.
    pub(crate) fn plan(&mut self, object: &Rollout, now: Timestamp) -> Option<String> {
        let journal = object.status.as_ref()?;
        let plan = journal.plan.as_ref().filter(|_| !self.planned)?;
        self.planned = true;
        let brief = outline(plan, &object.spec.body).brief();
        let told = journal.state.begun() || journal.state.ended();
        (!told).then(|| format!("{}  {:<20}{brief}", when::time(now), "plan"))
    }

    fn moments(&mut self, journal: &Journal) -> Vec<Moment> {
        let cut = usize::try_from(journal.timeline_cut).unwrap_or(usize::MAX);
        let all = cut.saturating_add(journal.timeline.len());
        // Of what fell out before anybody looked, nothing can be shown.
        let known = self.moments.saturating_sub(cut).min(journal.timeline.len());
        self.moments = all;
        journal.timeline.iter().skip(known).cloned().collect()
    }

    fn checks(&mut self, journal: &Journal) -> Vec<CheckRecord> {
        let new: Vec<CheckRecord> = journal
            .checks
            .iter()
            .filter(|c| !self.shown_checks.contains(c))
            .cloned()
            .collect();
        self.shown_checks.clone_from(&journal.checks);
        new
    }
}

/// The passing line of a terminal.
pub(crate) fn passing(object: &Rollout, turn: usize, now: Timestamp, style: Style) -> String {
    const WHEEL: [char; 4] = ['|', '/', '-', '\\'];
    let journal = object.status.clone().unwrap_or_default();
    let wheel = WHEEL.get(turn % WHEEL.len()).copied().unwrap_or('|');
    let phase = rollout::phase(&journal);
    let since = journal
        .since
        .map_or_else(String::new, |s| format!(" {}", when::between(s, now)));
    let step = match (journal.state.step(), &journal.plan) {
        (Some(step), Some(plan)) => format!(", step {} of {}", step.index + 1, plan.steps.len()),
        (Some(_) | None, _) => String::new(),
    };
    let drawn = curve(&object.spec.body, &journal, now).filter(|_| journal.state.begun());
    let drawn = drawn.map_or_else(String::new, |curve| format!(" {}", spark(&curve, style)));
    format!(
        "{wheel} {phase}{step}{since}{drawn}: {}",
        rollout::why(&journal)
    )
}
