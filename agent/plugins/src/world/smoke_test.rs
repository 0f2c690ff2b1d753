//! `smoke-test-plugin`: judges one version by talking to it.

use sluice_core::plugin::{CheckLine, Outcome, Report};
use wasmtime::Store;
use wasmtime::component::Linker;

use super::{Answer, In, bad, clean, invocation, link_basics, said};
use crate::bindings::exports::sluice::plugin::smoke_test::GuestIndices;
use crate::bindings::sluice::plugin::types;
use crate::capability::{http, tls, wasi_http};
use crate::state::CallState;

/// Most lines of a report: more would not be read, and the rollout's status has to hold them.
const MAX_CHECKS: usize = 64;

/// What a smoke test may call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)?;
    http::link(linker)?;
    wasi_http::link(linker)?;
    tls::link(linker)
}

/// Runs the test.
pub(crate) async fn run(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
) -> Answer<Report> {
    let guest = guest.load(&mut *store, instance)?;
    let call = invocation(store)?;
    let report = guest
        .call_run(&mut *store, call)
        .await?
        .map_err(|error| said(store, error))?;
    if report.checks.len() > MAX_CHECKS {
        return Err(bad(format!(
            "{} checks; at most {MAX_CHECKS} are read",
            report.checks.len()
        )));
    }
    let checks: Vec<CheckLine> = report
        .checks
        .into_iter()
        .map(|check| CheckLine {
            name: clean(store, &check.name, 128),
            outcome: outcome(check.outcome),
            message: clean(store, &check.message, crate::text::LINE),
            elapsed_ms: check.elapsed_ms,
        })
        .collect();
    let summary = clean(store, &report.summary, crate::text::LINE);
    Ok(honest(Report {
        outcome: outcome(report.outcome),
        summary,
        checks,
    }))
}

/// A report that calls itself passed while one of its checks failed is a failed one (plugins.md
/// section 1).
pub(crate) fn honest(report: Report) -> Report {
    let failed = report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Fail)
        .count();
    match report.outcome {
        Outcome::Pass | Outcome::Skipped if failed > 0 => Report {
            outcome: Outcome::Fail,
            summary: format!(
                "{failed} of {} checks failed, though the plugin says: {}",
                report.checks.len(),
                report.summary
            ),
            checks: report.checks,
        },
        Outcome::Pass | Outcome::Skipped | Outcome::Fail | Outcome::Inconclusive => report,
    }
}

fn outcome(outcome: types::Outcome) -> Outcome {
    match outcome {
        types::Outcome::Pass => Outcome::Pass,
        types::Outcome::Fail => Outcome::Fail,
        types::Outcome::Inconclusive => Outcome::Inconclusive,
        types::Outcome::Skipped => Outcome::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lying_report_is_a_failed_one() {
        let check = |outcome| CheckLine {
            name: "GET /health".to_owned(),
            outcome,
            message: String::new(),
            elapsed_ms: 1,
        };
        let report = |outcome, checks| Report {
            outcome,
            summary: "all well".to_owned(),
            checks,
        };
        let checks = vec![check(Outcome::Pass), check(Outcome::Fail)];
        let read = honest(report(Outcome::Pass, checks.clone()));
        assert_eq!(read.outcome, Outcome::Fail);
        assert_eq!(
            read.summary,
            "1 of 2 checks failed, though the plugin says: all well"
        );
        assert_eq!(
            honest(report(Outcome::Skipped, checks.clone())).outcome,
            Outcome::Fail
        );
        assert_eq!(
            honest(report(Outcome::Inconclusive, checks)).outcome,
            Outcome::Inconclusive
        );
        assert_eq!(honest(report(Outcome::Pass, vec![])).outcome, Outcome::Pass);
    }
}
