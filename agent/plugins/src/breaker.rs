//! A plugin that keeps failing rests, so that it costs nothing while somebody repairs it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Faults in a row that open the circuit.
const FAULTS: u32 = 5;
/// First rest; doubles with every failed trial.
const FIRST_REST: Duration = Duration::from_secs(10);
/// Longest rest: a repaired world is noticed within five minutes.
const LONGEST_REST: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct State {
    faults: u32,
    /// Set while open: when the next trial may start, and how long the rest was.
    rest: Option<(Instant, Duration)>,
    trial: bool,
}

/// The circuit breaker of one plugin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breaker(Arc<Mutex<State>>);

/// Leave to make one call. Dropped without a report it changes nothing: the caller gave up.
#[derive(Debug)]
pub(crate) struct Leave {
    breaker: Breaker,
    trial: bool,
}

impl Breaker {
    /// Leave to call, or how long to wait.
    pub(crate) fn admit(&self, now: Instant) -> Result<Leave, Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((until, rest)) = state.rest else {
            return Ok(Leave {
                breaker: self.clone(),
                trial: false,
            });
        };
        if now < until {
            return Err(until - now);
        }
        if state.trial {
            return Err(rest.min(Duration::from_secs(1)));
        }
        state.trial = true;
        Ok(Leave {
            breaker: self.clone(),
            trial: true,
        })
    }
}

impl Leave {
    /// Says how the call went.
    pub(crate) fn report(self, fault: bool, now: Instant) {
        let mut state = self
            .breaker
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !fault {
            state.faults = 0;
            state.rest = None;
            return;
        }
        state.faults = state.faults.saturating_add(1);
        match state.rest {
            // Calls that began before the circuit opened end in its rest; they do not lengthen it.
            Some((until, rest)) if self.trial => {
                let longer = (rest * 2).min(LONGEST_REST);
                state.rest = Some((until.max(now) + longer, longer));
            }
            Some(_) => {}
            None if state.faults >= FAULTS => state.rest = Some((now + FIRST_REST, FIRST_REST)),
            None => {}
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.trial {
            self.breaker
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .trial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.admit(now).unwrap().report(true, now);
    }

    #[test]
    fn five_faults_open_it_one_trial_closes_it() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAULTS {
            fail(&breaker, start);
        }
        assert_eq!(breaker.admit(start).unwrap_err(), FIRST_REST);
        let later = start + FIRST_REST;
        let trial = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "one trial at a time");
        trial.report(false, later);
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn a_success_between_faults_starts_the_count_again() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAULTS - 1 {
            fail(&breaker, start);
        }
        breaker.admit(start).unwrap().report(false, start);
        fail(&breaker, start);
        assert!(breaker.admit(start).is_ok());
    }

    #[test]
    fn failed_trials_double_the_rest_up_to_its_limit() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        for _ in 0..FAULTS {
            fail(&breaker, now);
        }
        let mut rests = Vec::new();
        for _ in 0..7 {
            now += breaker.admit(now).unwrap_err();
            fail(&breaker, now);
            rests.push(breaker.admit(now).unwrap_err().as_secs());
        }
        assert_eq!(rests, [20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_trial_that_is_given_up_can_be_taken_again() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAULTS {
            fail(&breaker, start);
        }
        let later = start + FIRST_REST;
        drop(breaker.admit(later).unwrap());
        assert!(breaker.admit(later).is_ok());
    }
}
