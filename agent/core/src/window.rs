//! Change windows and freezes: when an environment may change.
//!
//! The one evaluator for engine, web page and CLI (reliability.md T4):
//! - A freeze beats every allow window.
//! - Several allow windows are a union. Without any, the environment is open but for freezes.
//! - An allow window goes by the clock on the wall: an instant is inside when a clock in that time
//!   zone shows a weekday and time inside. What daylight saving skips never comes; what it repeats
//!   is inside both times. A window over midnight belongs to the day on which it begins.
//! - A freeze is a span between two instants. A wall-clock time that exists twice is taken as wide
//!   as possible: the first pass for the start, the second for the end. One that does not exist
//!   means the instant at which the clock jumps.
//!
//! A rollback never asks a window.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::zone;

mod freeze;
mod week;

use freeze::Freeze;
use week::Week;

/// Rules of one environment. More would be a calendar, and evaluation is on the path of every
/// decision.
const RULE_LIMIT: usize = 64;

/// How far ahead a change of the verdict is looked for, in seconds: 400 days, over every weekly
/// window and both yearly clock changes. Freezes are found at any distance.
const HORIZON: i64 = 400 * 86_400;

/// One line of an environment's `windows`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields, rename_all_fields = "camelCase")]
pub enum WindowRule {
    /// When changes may start.
    Allow {
        /// Weekdays and a time span, such as `MON-THU 09:00-17:00`.
        #[schemars(length(min = 1, max = 128), example = &"MON-THU 09:00-17:00")]
        allow: String,
        /// IANA name of the time zone.
        #[schemars(length(min = 1, max = 64), example = &"Europe/Berlin")]
        time_zone: String,
    },
    /// When nothing may change.
    Freeze {
        /// Start and end, such as `2026-12-20T00:00/2027-01-04T00:00`. The end is outside.
        #[schemars(length(min = 1, max = 64), example = &"2026-12-20T00:00/2027-01-04T00:00")]
        freeze: String,
        /// IANA name of the time zone. Default UTC.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1, max = 64))]
        time_zone: Option<String>,
        /// Why, for the people who wait.
        #[schemars(length(min = 1, max = 200), example = &"year end")]
        reason: String,
    },
}

enum Compiled {
    Allow(Week),
    Freeze(Freeze),
}

impl WindowRule {
    /// Checks one rule. The problem's field is relative to it.
    pub fn check(&self) -> Result<(), Problem> {
        self.compile().map(drop)
    }

    fn compile(&self) -> Result<Compiled, Problem> {
        match self {
            Self::Allow { allow, time_zone } => Week::parse(allow, time_zone).map(Compiled::Allow),
            Self::Freeze {
                freeze,
                time_zone,
                reason,
            } => {
                let zone = time_zone.as_deref().unwrap_or("UTC");
                Freeze::parse(freeze, zone, reason).map(Compiled::Freeze)
            }
        }
    }
}

/// The windows of one environment, ready for use.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<WindowRule>", into = "Vec<WindowRule>")]
#[schemars(with = "Vec<WindowRule>")]
pub struct Windows {
    rules: Vec<WindowRule>,
    weeks: Vec<Week>,
    freezes: Vec<Freeze>,
}

impl PartialEq for Windows {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Eq for Windows {}

/// Whether the environment may change now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowVerdict {
    /// Whether changes may start.
    pub open: bool,
    /// Why.
    pub reason: WindowReason,
    /// The first instant at which `open` is different. None: not within 400 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub changes_at: Option<Timestamp>,
}

/// Why an environment is open or closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum WindowReason {
    /// No rule restricts this moment: there are no allow windows, and no freeze is on.
    Unrestricted,
    /// Inside an allow window.
    Allowed {
        /// The window as written, with its zone.
        window: String,
    },
    /// Outside every allow window.
    OutsideWindows {
        /// The windows as written, with their zones.
        windows: Vec<String>,
    },
    /// A freeze is on.
    Frozen {
        /// Why, as the policy says.
        reason: String,
        /// When this freeze ends. Another one, or a closed window, may follow.
        #[schemars(with = "String")]
        until: Timestamp,
    },
}

impl std::fmt::Display for WindowReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unrestricted => f.write_str("no window restricts it"),
            Self::Allowed { window } => write!(f, "inside the window {window}"),
            Self::OutsideWindows { windows } => {
                write!(f, "outside the windows {}", windows.join(", "))
            }
            Self::Frozen { reason, until } => write!(f, "frozen until {until}: {reason}"),
        }
    }
}

impl Windows {
    /// Checks the rules and makes them ready. All problems at once; fields are relative to the
    /// list, such as `[1].freeze`.
    pub fn compile(rules: Vec<WindowRule>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        if rules.len() > RULE_LIMIT {
            problems.push(Problem::new("", format!("more than {RULE_LIMIT} windows")));
        }
        let (mut weeks, mut freezes) = (Vec::new(), Vec::new());
        for (index, rule) in rules.iter().enumerate().take(RULE_LIMIT) {
            match rule.compile() {
                Ok(Compiled::Allow(week)) => weeks.push(week),
                Ok(Compiled::Freeze(freeze)) => freezes.push(freeze),
                Err(problem) => problems.push(problem.under(&format!("[{index}]"))),
            }
        }
        if problems.is_empty() {
            Ok(Self {
                rules,
                weeks,
                freezes,
            })
        } else {
            Err(problems)
        }
    }

    /// The rules as written.
    pub fn rules(&self) -> &[WindowRule] {
        &self.rules
    }

    /// Whether changes may start at this instant, why, and until when that holds.
    pub fn evaluate(&self, now: Timestamp) -> WindowVerdict {
        let second = zone::floor_second(now);
        let (open, reason) = self.at(second);
        let changes_at = self
            .next_change(second, open)
            .and_then(|at| Timestamp::from_second(at).ok());
        WindowVerdict {
            open,
            reason,
            changes_at,
        }
    }

    fn at(&self, second: i64) -> (bool, WindowReason) {
        // Of several freezes the one that lasts longest is what a waiting person needs to know.
        if let Some(freeze) = self
            .freezes
            .iter()
            .filter(|f| f.holds(second))
            .max_by_key(|f| f.end)
        {
            let until = Timestamp::from_second(freeze.end).unwrap_or(Timestamp::MAX);
            return (
                false,
                WindowReason::Frozen {
                    reason: freeze.reason.clone(),
                    until,
                },
            );
        }
        if self.weeks.is_empty() {
            return (true, WindowReason::Unrestricted);
        }
        match self.weeks.iter().find(|week| week.holds(second)) {
            Some(week) => (
                true,
                WindowReason::Allowed {
                    window: week.to_string(),
                },
            ),
            None => {
                let windows = self.weeks.iter().map(Week::to_string).collect();
                (false, WindowReason::OutsideWindows { windows })
            }
        }
    }

    fn is_open(&self, second: i64) -> bool {
        !self.freezes.iter().any(|f| f.holds(second))
            && (self.weeks.is_empty() || self.weeks.iter().any(|week| week.holds(second)))
    }

    /// The first second after this one at which the environment is not as open as it is now.
    fn next_change(&self, from: i64, open: bool) -> Option<i64> {
        let mut at = from;
        let mut horizon = from.saturating_add(HORIZON);
        loop {
            let frozen_until = self
                .freezes
                .iter()
                .filter(|f| f.holds(at))
                .map(|f| f.end)
                .max();
            let next = match frozen_until {
                // Nothing else matters until it is over.
                Some(end) => {
                    horizon = horizon.max(end.saturating_add(HORIZON));
                    end
                }
                None => {
                    let freeze = self
                        .freezes
                        .iter()
                        .map(|f| f.start)
                        .filter(|s| *s > at)
                        .min();
                    let edge = self
                        .weeks
                        .iter()
                        .filter_map(|week| week.next_edge(at))
                        .min();
                    match (freeze, edge.filter(|edge| *edge <= horizon)) {
                        (Some(freeze), Some(edge)) => freeze.min(edge),
                        (Some(only), None) | (None, Some(only)) => only,
                        (None, None) => return None,
                    }
                }
            };
            if self.is_open(next) != open {
                return Some(next);
            }
            at = next;
        }
    }
}

impl TryFrom<Vec<WindowRule>> for Windows {
    type Error = Problem;

    fn try_from(rules: Vec<WindowRule>) -> Result<Self, Problem> {
        Self::compile(rules).map_err(|problems| {
            problems
                .into_iter()
                .next()
                .unwrap_or_else(|| Problem::new("", "bad windows"))
        })
    }
}

impl From<Windows> for Vec<WindowRule> {
    fn from(windows: Windows) -> Self {
        windows.rules
    }
}

#[cfg(test)]
mod tests;
