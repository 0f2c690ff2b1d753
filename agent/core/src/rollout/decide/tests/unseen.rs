//! What cannot be seen is no fact: nothing is concluded from it, and nothing moves.

use crate::rollout::fixture::*;
use crate::rollout::{Seen, Why};

#[test]
fn nothing_is_done_about_what_cannot_be_seen() {
    type Blind = fn(&mut Case);
    let target: Blind = |c| c.seen.target = Seen::Unknown("timeout".into());
    let canary: Blind = |c| c.seen.canary = Seen::Unknown("timeout".into());
    let stable: Blind = |c| c.seen.stable_template = Seen::Unknown("timeout".into());
    let environment: Blind = |c| c.seen.environment = Seen::Unknown("timeout".into());
    let back_to: Blind = |c| c.seen.return_template = Seen::Unknown("timeout".into());
    let mut returning = mk_return();
    returning.set_state(crate::rollout::State::Planning {
        attempt: 1,
        not_before: t(0),
    });
    for (case, blind) in [
        (mk_queued(), target),
        (mk_queued(), environment),
        (mk_planning(), target),
        (mk_approved(), target),
        (mk_approved(), environment),
        (mk_shifting(0), target),
        (mk_shifting(0), canary),
        (mk_checking(1), target),
        (mk_checking(1), canary),
        (mk_shifting(2), canary),
        (mk_going_back(0), target),
        (mk_going_back(1), canary),
        (mk_going_back(2), stable),
        (mk_holding(2).at(130).then(131), environment),
        (mk_holding(2).at(130).then(131), target),
        (returning, back_to),
    ] {
        let mut c = case.clone();
        blind(&mut c);
        let d = c.decide();
        let text = c.show(&d);
        assert!(matches!(d.why, Why::CannotSee { .. }), "{text}");
        assert!(
            text.contains("timeout") || text.contains("cannot be read"),
            "{text}"
        );
        assert!(d.effects.is_empty(), "{text}");
        assert_eq!(
            d.journal.phase,
            case.journal.phase.clone().max(d.journal.phase.clone())
        );
        assert_eq!(
            d.journal.state,
            case_state(&case, &d.journal.state),
            "{text}"
        );
        assert!(d.wake_at.is_some(), "it looks again");
    }
}

/// The state of before, but for a Rollout that was new.
fn case_state(case: &Case, after: &crate::rollout::State) -> crate::rollout::State {
    if matches!(after, crate::rollout::State::Queued) {
        after.clone()
    } else {
        case.journal.state.clone()
    }
}
