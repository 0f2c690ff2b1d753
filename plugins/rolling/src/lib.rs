//! The plainest strategy: the new version takes all traffic in one step, and is tested there.

use sluice_sdk::settings::NoSettings;
use sluice_sdk::strategy::opinion;
use sluice_sdk::{Context, Error, Judgement, Observation, Step};

/// One step with all traffic.
///
/// # Errors
/// None.
pub fn plan(_: &Context<'_>, _: NoSettings) -> Result<Vec<Step>, Error> {
    Ok(vec![Step {
        name: "all".into(),
        weight_bp: 10_000,
        capacity_replicas: None,
        hold_ms: 0,
        checks: true,
        gate: None,
    }])
}

/// Goes on once the step was last seen healthy.
///
/// # Errors
/// None.
pub fn judge(
    _: &Context<'_>,
    _: NoSettings,
    step: &Step,
    seen: &[Observation],
) -> Result<Judgement, Error> {
    Ok(opinion(step, seen, None))
}

sluice_sdk::export_traffic_strategy!(plan, judge);

#[cfg(test)]
mod tests {
    use sluice_sdk::strategy::LOOK_AGAIN_MS;
    use sluice_sdk::testing::Script;

    use super::*;

    fn judged(healthy: &[bool]) -> Judgement {
        let step = Script::new().plan(plan).answer()[0].clone();
        let seen: Vec<Observation> = (0..)
            .zip(healthy)
            .map(|(i, &healthy)| Observation {
                elapsed_ms: i * 1_000,
                weight_bp: 10_000,
                healthy,
                samples: vec![],
            })
            .collect();
        Script::new().judge(judge, &step, &seen).answer().clone()
    }

    #[test]
    fn the_plan_is_one_checked_step_with_all_traffic() {
        let played = Script::new().plan(plan);
        let [step] = played.answer().as_slice() else {
            panic!("{played:?}")
        };
        assert_eq!(
            (step.weight_bp, step.checks, step.hold_ms),
            (10_000, true, 0)
        );
    }

    #[test]
    fn only_the_last_look_counts() {
        assert_eq!(judged(&[false, true]), Judgement::Proceed);
        assert_eq!(judged(&[true, false]), Judgement::Hold(LOOK_AGAIN_MS));
        assert_eq!(judged(&[]), Judgement::Hold(LOOK_AGAIN_MS));
    }
}
