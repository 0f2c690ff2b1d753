//! What a measurement must hold to: `< 0.1%`, `> 99.9%`, `< 1000`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::decimal::Decimal;
use crate::problem::{Problem, quoted};

/// A bound for the candidate. With `%` it is about `events` of `total`; a plain number is about
/// `value`, and about nothing else: a provider that found no value, but counted the requests
/// behind it, would otherwise pass with a ratio of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Requirement {
    operator: Operator,
    number: Decimal,
    percent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Longer ones first: `<=` begins with `<`.
const OPERATORS: [(&str, Operator); 4] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Operator {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::AtMost => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::AtLeast => found.is_ge(),
        }
    }
}

impl Requirement {
    /// Whether it is about `events` of `total`, and not about `value`.
    pub fn is_share(self) -> bool {
        self.percent
    }

    /// Whether less is worse, as for a rate of successes.
    pub fn wants_more(self) -> bool {
        match self.operator {
            Operator::Greater | Operator::AtLeast => true,
            Operator::Less | Operator::AtMost => false,
        }
    }

    /// Whether `events` of `total` hold to it, exactly. False where nothing was counted, and for a
    /// plain number.
    pub fn share_holds(self, events: u64, total: u64) -> bool {
        self.percent
            && total > 0
            && self
                .operator
                .holds(self.number.against_share(events, total))
    }

    /// Whether a value holds to it. False for what is no number, and for a percentage.
    pub fn value_holds(self, value: f64) -> bool {
        !self.percent
            && value
                .partial_cmp(&self.number.number())
                .is_some_and(|found| self.operator.holds(found))
    }

    /// Why it says nothing about any candidate, if so.
    pub fn emptiness(self) -> Option<Problem> {
        if !self.percent {
            return None;
        }
        let (none, all) = (self.number.against(0), self.number.against(100));
        let word = match self.operator {
            Operator::Less if none.is_eq() => "no",
            Operator::Greater if all.is_ge() => "no",
            Operator::AtLeast if all.is_gt() => "no",
            Operator::Less if all.is_gt() => "every",
            Operator::AtMost if all.is_ge() => "every",
            Operator::AtLeast if none.is_eq() => "every",
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
                return None;
            }
        };
        Some(
            Problem::new("", format!("`{self}` holds for {word} candidate"))
                .with_hint("a share of events lies between 0% and 100%: write it like < 0.1%"),
        )
    }
}

impl FromStr for Requirement {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let parsed = OPERATORS.iter().find_map(|(sign, operator)| {
            let rest = text.strip_prefix(sign)?.trim_start_matches(' ');
            let (number, percent) = match rest.strip_suffix('%') {
                Some(number) => (number.trim_end_matches(' '), true),
                None => (rest, false),
            };
            Some(Self {
                operator: *operator,
                number: Decimal::parse(number)?,
                percent,
            })
        });
        parsed.ok_or_else(|| {
            Problem::new("", format!("{} is no requirement", quoted(text))).with_hint(
                "write <, <=, > or >= and a number, such as < 0.1% for a share of events or \
                 < 1000 for a value",
            )
        })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS
            .iter()
            .find(|(_, operator)| *operator == self.operator)
            .map_or("", |(sign, _)| sign);
        let unit = if self.percent { "%" } else { "" };
        write!(f, "{sign} {}{unit}", self.number)
    }
}

impl TryFrom<String> for Requirement {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl From<Requirement> for String {
    fn from(requirement: Requirement) -> Self {
        requirement.to_string()
    }
}

/// What is written; [`Requirement::from_str`] reads exactly this.
const PATTERN: &str = r"^(<|<=|>|>=) *[0-9]{1,12}(\.[0-9]{1,6})?( *%)?$";

impl JsonSchema for Requirement {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Requirement".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A bound: `< 0.1%` and `> 99.9%` are about events of total, `< 1000` is \
                            about the value.",
            "pattern": PATTERN,
            "maxLength": 32
        })
    }
}

#[cfg(test)]
mod tests;
