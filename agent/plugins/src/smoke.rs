//! One smoke test over all pods of the candidate.
//!
//! `candidate` is each ready pod of the new version (plugins.md section 1, "What a test reaches"), so
//! the test runs once per pod, and the worst pod decides.

use sluice_core::plugin::{CheckLine, Outcome, PluginFault, Report};

/// Most pods that one run looks at. The controller keeps a canary smaller than this in practice;
/// beyond it a sample has to do.
pub(crate) const MAX_PODS: usize = 16;
/// Pods that are tested at the same time.
pub(crate) const PARALLEL: usize = 4;
/// Most lines of the merged report: it has to fit into the rollout's status.
const MAX_LINES: usize = 128;

/// The report where there is nobody to ask.
pub(crate) fn no_pod() -> Report {
    Report {
        outcome: Outcome::Inconclusive,
        summary: "no pod of the new version is ready, so nothing could be tested".to_owned(),
        checks: Vec::new(),
    }
}

/// Merges what the pods answered. `total` is how many pods there are.
///
/// # Errors
/// The first fault, where no pod's test gave an answer at all.
pub(crate) fn merge(
    answers: Vec<(String, Result<Report, PluginFault>)>,
    total: usize,
) -> Result<Report, PluginFault> {
    let asked = answers.len();
    let prefix = total > 1;
    let mut reports = Vec::new();
    let mut faults = Vec::new();
    for (pod, answer) in answers {
        match answer {
            Ok(report) => reports.push((pod, report)),
            Err(fault) => faults.push((pod, fault)),
        }
    }
    if reports.is_empty() {
        return match faults.into_iter().next() {
            Some((_, fault)) => Err(fault),
            None => Ok(no_pod()),
        };
    }
    if !prefix
        && faults.is_empty()
        && let Some((_, report)) = reports.pop()
    {
        return Ok(report);
    }
    let mut worst = match faults.is_empty() {
        true => Outcome::Pass,
        false => Outcome::Inconclusive,
    };
    for (_, report) in &reports {
        worst = worse(worst, report.outcome);
    }
    let told = reports.iter().find(|(_, report)| report.outcome == worst);
    let told = match (told, faults.first()) {
        (Some((pod, report)), _) => format!("{pod}: {}", report.summary),
        (None, Some((pod, fault))) => format!("{pod}: {}", fault.message),
        (None, None) => String::new(),
    };
    let like = |outcome| {
        reports
            .iter()
            .filter(|(_, report)| report.outcome == outcome)
            .count()
    };
    let mut summary = format!("{} of {asked} pods passed; {told}", like(Outcome::Pass));
    if asked < total {
        summary += &format!(" (a sample: {asked} of {total} pods were tested)");
    }
    let mut checks: Vec<CheckLine> = faults
        .into_iter()
        .map(|(pod, fault)| CheckLine {
            name: format!("{pod} {}", fault.code),
            outcome: Outcome::Inconclusive,
            message: fault.message,
            elapsed_ms: 0,
        })
        .collect();
    for (pod, report) in reports {
        checks.extend(report.checks.into_iter().map(|check| CheckLine {
            name: format!("{pod} {}", check.name),
            ..check
        }));
    }
    // The worst first, so that a cut loses only good news.
    checks.sort_by_key(|check| std::cmp::Reverse(rank(check.outcome)));
    checks.truncate(MAX_LINES);
    Ok(Report {
        outcome: worst,
        summary: crate::text::line(&summary, crate::text::LINE),
        checks,
    })
}

fn worse(a: Outcome, b: Outcome) -> Outcome {
    if rank(a) >= rank(b) { a } else { b }
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass => 0,
        Outcome::Skipped => 1,
        Outcome::Inconclusive => 2,
        Outcome::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(outcome: Outcome) -> Report {
        let check = CheckLine {
            name: "GET /health".to_owned(),
            outcome,
            message: "m".to_owned(),
            elapsed_ms: 1,
        };
        Report {
            outcome,
            summary: format!("{outcome:?}"),
            checks: vec![check],
        }
    }

    fn fault() -> PluginFault {
        PluginFault {
            code: "plugin/deadline".to_owned(),
            message: "too slow".to_owned(),
            retryable: true,
        }
    }

    fn pods(
        answers: Vec<Result<Report, PluginFault>>,
    ) -> Vec<(String, Result<Report, PluginFault>)> {
        answers
            .into_iter()
            .enumerate()
            .map(|(index, answer)| (format!("10.0.0.{index}:8080"), answer))
            .collect()
    }

    #[test]
    fn one_pod_is_reported_as_it_is() {
        assert_eq!(
            merge(pods(vec![Ok(report(Outcome::Pass))]), 1),
            Ok(report(Outcome::Pass))
        );
        assert_eq!(merge(pods(vec![Err(fault())]), 1), Err(fault()));
    }

    #[test]
    fn the_worst_pod_decides_and_comes_first() {
        let answers = pods(vec![
            Ok(report(Outcome::Pass)),
            Ok(report(Outcome::Fail)),
            Err(fault()),
        ]);
        let merged = merge(answers, 3).unwrap();
        assert_eq!(merged.outcome, Outcome::Fail);
        assert_eq!(merged.summary, "1 of 3 pods passed; 10.0.0.1:8080: Fail");
        assert_eq!(merged.checks[0].name, "10.0.0.1:8080 GET /health");
        assert_eq!(merged.checks[1].name, "10.0.0.2:8080 plugin/deadline");
    }

    #[test]
    fn a_pod_without_an_answer_is_never_a_pass() {
        let merged = merge(pods(vec![Ok(report(Outcome::Pass)), Err(fault())]), 2).unwrap();
        assert_eq!(merged.outcome, Outcome::Inconclusive);
        assert_eq!(merge(Vec::new(), 0).unwrap().outcome, Outcome::Inconclusive);
    }

    #[test]
    fn a_sample_says_so() {
        let answers = pods(vec![Ok(report(Outcome::Pass)); MAX_PODS]);
        let merged = merge(answers, 40).unwrap();
        assert!(
            merged
                .summary
                .ends_with("(a sample: 16 of 40 pods were tested)")
        );
    }

    fn any_answer() -> impl Strategy<Value = Result<Report, PluginFault>> {
        prop_oneof![
            Just(Ok(report(Outcome::Pass))),
            Just(Ok(report(Outcome::Skipped))),
            Just(Ok(report(Outcome::Inconclusive))),
            Just(Ok(report(Outcome::Fail))),
            Just(Err(fault())),
        ]
    }

    proptest! {
        #[test]
        fn a_pass_needs_every_pod(answers in proptest::collection::vec(any_answer(), 0..20)) {
            let total = answers.len();
            let all = total > 0
                && answers.iter().all(|a| a.as_ref().is_ok_and(|r| r.outcome == Outcome::Pass));
            let any_fail =
                answers.iter().any(|a| a.as_ref().is_ok_and(|r| r.outcome == Outcome::Fail));
            match merge(pods(answers), total) {
                Ok(merged) => {
                    prop_assert_eq!(merged.outcome == Outcome::Pass, all);
                    prop_assert_eq!(merged.outcome == Outcome::Fail, any_fail);
                }
                Err(_) => prop_assert!(!all && !any_fail),
            }
        }
    }
}
