//! The global stop (requirement G24): one person holds everything but rollbacks, at once, and it can
//! lift by itself at a time.
//!
//! It lives in the Requests that people made: the newest `stop` that no later `start` lifted. Nothing
//! else has to be stored, and everybody can read who stopped what and why.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stop in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// Who stopped everything.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When it lifts by itself. None: a person lifts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

/// A wish about everything that was taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To stop.
    Stop(Stop),
    /// To go on, made at this time.
    Start(Timestamp),
}

impl Wish {
    fn at(&self) -> Timestamp {
        match self {
            Self::Stop(stop) => stop.since,
            Self::Start(at) => *at,
        }
    }
}

/// The stop in force at `now`, of all wishes that were taken up. Of two made in the same second the
/// stop counts: it is the safe one.
pub fn in_force(wishes: &[Wish], now: Timestamp) -> Option<Stop> {
    let started = wishes
        .iter()
        .filter(|wish| matches!(wish, Wish::Start(_)))
        .map(Wish::at)
        .max();
    wishes
        .iter()
        .filter_map(|wish| match wish {
            Wish::Stop(stop) => Some(stop),
            Wish::Start(_) => None,
        })
        .filter(|stop| started.is_none_or(|started| stop.since >= started))
        .filter(|stop| stop.until.is_none_or(|until| now < until))
        .max_by_key(|stop| (stop.until.is_none(), stop.until, stop.since))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn stop(minute: i64, until: Option<i64>) -> Wish {
        Wish::Stop(Stop {
            by: "alice".into(),
            reason: "the database is down".into(),
            since: at(minute),
            until: until.map(at),
        })
    }

    #[test]
    fn a_stop_holds_until_somebody_starts_again() {
        assert_eq!(in_force(&[], at(9)), None);
        assert!(in_force(&[stop(1, None)], at(9)).is_some());
        assert!(in_force(&[Wish::Start(at(0)), stop(1, None)], at(9)).is_some());
        assert_eq!(in_force(&[stop(1, None), Wish::Start(at(2))], at(9)), None);
        assert!(in_force(&[stop(1, None), Wish::Start(at(1))], at(9)).is_some());
        assert!(in_force(&[stop(3, None), Wish::Start(at(2)), stop(1, None)], at(9)).is_some());
    }

    #[test]
    fn it_lifts_by_itself_at_its_time() {
        let wishes = [stop(1, Some(5))];
        assert!(in_force(&wishes, at(4)).is_some());
        assert_eq!(in_force(&wishes, at(5)), None);
    }

    #[test]
    fn of_several_the_longest_counts() {
        let wishes = [stop(1, Some(5)), stop(2, None), stop(3, Some(4))];
        assert_eq!(in_force(&wishes, at(3)).unwrap().until, None);
        assert!(in_force(&wishes, at(9)).is_some());
    }
}
