//! A readiness page, and a line of the report for each dependency that it has to name.

use std::cell::RefCell;

use sluice_sdk::probe::{attempt, dependencies};
use sluice_sdk::{Examination, Outcome, Request, Response, SmokeTest};

use crate::settings::{ReadinessSettings, ServiceSettings};

/// Asks until everything is ready or the tries are used up; the last page is what is reported.
pub(crate) fn examine(
    t: &mut SmokeTest<'_>,
    service: &ServiceSettings,
    settings: &ReadinessSettings,
) {
    let wanted = &settings.dependencies.0;
    let last = RefCell::new(None);
    let request = Request::get(&settings.path).on(service.target());
    let name = format!("{}: ready", service.name);
    let check = attempt(t, settings.patience(), &request, &name, |response| {
        let states: Vec<Result<String, String>> = match response.json() {
            Ok(page) => wanted
                .iter()
                .map(|name| dependencies::of(&page, name))
                .collect(),
            Err(why) => wanted.iter().map(|_| Err(why.clone())).collect(),
        };
        let (outcome, message) = verdict(settings, response, states.iter().all(Result::is_ok));
        *last.borrow_mut() = Some(states);
        (outcome, message)
    });
    t.record(&check.name, check.outcome, &check.message, check.elapsed_ms);
    let seen = last.into_inner();
    for (index, wanted) in wanted.iter().enumerate() {
        let name = format!("{}: {wanted}", service.name);
        let state = seen.as_ref().and_then(|states: &Vec<_>| states.get(index));
        match state {
            Some(Ok(word)) => t.record(&name, Outcome::Pass, &format!("{wanted} is {word}"), 0),
            Some(Err(why)) => {
                let message = format!("{wanted} is not ready: {why}");
                t.record(&name, Outcome::Fail, &message, 0);
            }
            None => t.skip(&name, "not tested: the readiness page gave no answer"),
        }
    }
}

fn verdict(settings: &ReadinessSettings, response: &Response, ready: bool) -> (Outcome, String) {
    let mut examination = Examination::of(response);
    examination.status(200);
    if !settings.dependencies.0.is_empty() {
        let failure = "expected every dependency that the settings name to be ready";
        examination.that(ready, "every dependency is ready", failure);
    }
    if let Some(ms) = settings.max_ms {
        examination.faster_than(ms);
    }
    examination.verdict()
}
