//! `traffic-strategy-plugin`: plans the steps and judges between them. Pure: it reaches nothing, its
//! clock stands still, its randomness follows from the call.

use sluice_core::plugin::{Judgement, PlanStep, StepObservation};
use wasmtime::Store;
use wasmtime::component::Linker;

use super::{Answer, In, bad, clean, invocation, link_basics, said};
use crate::bindings::exports::sluice::plugin::traffic_strategy as guest_types;
use crate::bindings::exports::sluice::plugin::traffic_strategy::GuestIndices;
use crate::state::CallState;

/// Most steps that are read. The core allows far fewer and says so in its own words.
pub(crate) const MAX_STEPS: usize = 256;

/// What a strategy may call: nothing that can differ from one day to the next.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)
}

/// Asks for the plan.
pub(crate) async fn plan(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
) -> Answer<Vec<PlanStep>> {
    let guest = guest.load(&mut *store, instance)?;
    let call = invocation(store)?;
    let steps = guest
        .call_plan(&mut *store, call)
        .await?
        .map_err(|error| said(store, error))?;
    if steps.len() > MAX_STEPS {
        return Err(bad(format!(
            "{} steps; at most {MAX_STEPS} are read",
            steps.len()
        )));
    }
    Ok(steps
        .into_iter()
        .map(|step| PlanStep {
            name: clean(store, &step.name, 128),
            weight_bp: step.weight_bp,
            capacity_replicas: step.capacity_replicas,
            hold_ms: step.hold_ms,
            checks: step.checks,
            gate: step.gate.map(|gate| clean(store, &gate, 128)),
        })
        .collect())
}

/// Asks whether to go on.
pub(crate) async fn judge(
    guest: &GuestIndices,
    store: &mut Store<CallState>,
    instance: In<'_>,
    step: &PlanStep,
    observations: &[StepObservation],
) -> Answer<Judgement> {
    let guest = guest.load(&mut *store, instance)?;
    let call = invocation(store)?;
    let step = guest_types::Step {
        name: step.name.clone(),
        weight_bp: step.weight_bp,
        capacity_replicas: step.capacity_replicas,
        hold_ms: step.hold_ms,
        checks: step.checks,
        gate: step.gate.clone(),
    };
    let observations: Vec<_> = observations
        .iter()
        .map(|seen| guest_types::Observation {
            elapsed_ms: seen.elapsed_ms,
            weight_bp: seen.weight_bp,
            healthy: seen.healthy,
            samples: seen.samples.clone(),
        })
        .collect();
    let judgement = guest
        .call_judge(&mut *store, call, &step, &observations)
        .await?
        .map_err(|error| said(store, error))?;
    Ok(match judgement {
        guest_types::Judgement::Proceed => Judgement::Proceed,
        guest_types::Judgement::Hold(ms) => Judgement::Hold(ms),
        guest_types::Judgement::Rollback(reason) => {
            Judgement::Rollback(clean(store, &reason, crate::text::LINE))
        }
    })
}
