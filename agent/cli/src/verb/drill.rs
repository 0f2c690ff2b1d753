//! `sluice drill`: the version that serves goes the whole way and comes back, and how fast that was.

use serde_json::json;
use sluice_cluster::crd::RequestAction;
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::DrillReport;

use super::ask::{Special, Wait, Wish, asked};
use super::wish::environment;
use crate::args::DrillArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::object;
use crate::session::Session;

pub(crate) async fn run(session: &mut Session, a: &DrillArgs) -> Result<Exit, Failure> {
    let wish = Wish {
        action: RequestAction::Drill,
        about: environment(session, &a.pipeline, &a.environment).await?,
        tag: None,
        digest: None,
        reason: a.reason.clone(),
        special: Special::default(),
    };
    let wait = Wait {
        follow: !a.no_wait,
        limit: a.limit.timeout,
        wanted: &[OutcomeKind::RolledBack],
    };
    let asked = asked(session, wish, wait).await?;
    let journal = asked.rollout.as_ref().and_then(|r| r.status.as_ref());
    let report = journal.and_then(|journal| journal.drill_report());
    session.out.json(
        &json!({
            "request": object(&asked.request),
            "rollout": asked.rollout.as_ref().map(object),
            "drill": report,
        }),
        false,
    )?;
    if a.no_wait || !matches!(asked.exit, Exit::Done) {
        return Ok(asked.exit);
    }
    // It ended as drills end; whether for the reason that it should is another question.
    match report {
        Some(report) => {
            session.out.text(&told(&report))?;
            Ok(if report.as_planned {
                Exit::Done
            } else {
                Exit::NotDone
            })
        }
        None => Ok(Exit::NotDone),
    }
}

/// The report, for people.
fn told(report: &DrillReport) -> String {
    let seconds = |seconds: Option<f64>| {
        seconds.map_or_else(|| "not reached".to_owned(), |s| format!("{s:.1} s"))
    };
    let verdict = if report.as_planned {
        "the drill went as planned: the whole way, and back"
    } else {
        "THE DRILL DID NOT GO AS PLANNED: it went back before it was through; the lines above say why"
    };
    format!(
        "{verdict}\n  ready        {} (the first pods of the new revision)\n  all traffic  {}\n  back         {} \
         (from the decision until the old revision served alone)",
        seconds(report.ready),
        seconds(report.switched),
        seconds(report.back),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_not_reached() {
        let good = DrillReport {
            as_planned: true,
            ready: Some(3.25),
            switched: Some(61.0),
            back: Some(0.4),
        };
        assert_eq!(
            told(&good),
            "the drill went as planned: the whole way, and back\n  \
             ready        3.2 s (the first pods of the new revision)\n  \
             all traffic  61.0 s\n  \
             back         0.4 s (from the decision until the old revision served alone)"
        );
        let bad = DrillReport {
            as_planned: false,
            switched: None,
            ..good
        };
        let text = told(&bad);
        assert!(text.starts_with("THE DRILL DID NOT GO"), "{text}");
        assert!(text.contains("all traffic  not reached"), "{text}");
    }
}
