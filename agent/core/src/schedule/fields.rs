//! The five fields that people write, and the six that the `cron` crate reads.
//!
//! The crate counts weekdays from 1 for Sunday, wants seconds, and joins day of month and day of
//! week with AND. So the fields are read here, and handed over as plain lists.

use crate::problem::quoted;

/// Longest expression.
const LENGTH_LIMIT: usize = 256;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Days of each month in a leap year.
const MONTH_DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// One field: how it is called, its numbers, its names and their first number.
struct Kind {
    name: &'static str,
    min: u8,
    max: u8,
    names: &'static [&'static str],
    names_from: u8,
    /// Whether a range may run over the end: FRI-MON.
    wraps: bool,
}

const MINUTE: Kind = Kind {
    name: "minute",
    min: 0,
    max: 59,
    names: &[],
    names_from: 0,
    wraps: false,
};
const HOUR: Kind = Kind {
    name: "hour",
    min: 0,
    max: 23,
    names: &[],
    names_from: 0,
    wraps: false,
};
const DAY: Kind = Kind {
    name: "day of month",
    min: 1,
    max: 31,
    names: &[],
    names_from: 0,
    wraps: false,
};
const MONTH: Kind = Kind {
    name: "month",
    min: 1,
    max: 12,
    names: &MONTHS,
    names_from: 1,
    wraps: false,
};
/// 0 and 7 are Sunday.
const WEEKDAY: Kind = Kind {
    name: "day of week",
    min: 0,
    max: 7,
    names: &WEEKDAYS,
    names_from: 0,
    wraps: true,
};

/// Sorted values of each field.
pub(super) struct Fields {
    minutes: Vec<u8>,
    hours: Vec<u8>,
    /// None: every day.
    days: Option<Vec<u8>>,
    months: Vec<u8>,
    /// 0 is Sunday. None: every day.
    weekdays: Option<Vec<u8>>,
    /// Whether the hour field starts with `*`: decides about gaps and folds.
    pub(super) every_hour: bool,
}

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > LENGTH_LIMIT {
            return Err(format!("a schedule has at most {LENGTH_LIMIT} characters"));
        }
        let text = match text {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * SUN",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = words.as_slice() else {
            return Err(format!(
                "{} has {} fields, not five",
                quoted(text),
                words.len()
            ));
        };
        let fields = Self {
            minutes: values(&MINUTE, minute)?,
            hours: values(&HOUR, hour)?,
            days: restricted(&DAY, day)?,
            months: values(&MONTH, month)?,
            weekdays: restricted(&WEEKDAY, weekday)?.map(sunday_is_zero),
            every_hour: hour.starts_with('*'),
        };
        if !fields.can_happen() {
            return Err(format!(
                "{} never happens: no such day in these months",
                quoted(text)
            ));
        }
        Ok(fields)
    }

    /// Expressions of the `cron` crate, any of which may match. Two where day of month and day of
    /// week are both restricted, since there the crate wants both and everybody else wants either.
    pub(super) fn civil_expressions(&self) -> Vec<String> {
        let line = |days: Option<&Vec<u8>>, weekdays: Option<&Vec<u8>>| {
            format!(
                "0 {} {} {} {} {}",
                list(&self.minutes),
                list(&self.hours),
                days.map_or("*".to_owned(), |days| list(days)),
                list(&self.months),
                weekdays.map_or("*".to_owned(), |weekdays| weekday_names(weekdays)),
            )
        };
        match (&self.days, &self.weekdays) {
            (Some(days), Some(weekdays)) => {
                vec![line(Some(days), None), line(None, Some(weekdays))]
            }
            (days, weekdays) => vec![line(days.as_ref(), weekdays.as_ref())],
        }
    }

    fn can_happen(&self) -> bool {
        let (Some(days), None) = (&self.days, &self.weekdays) else {
            return true;
        };
        self.months.iter().any(|month| {
            let last = MONTH_DAYS
                .get(usize::from(*month).saturating_sub(1))
                .copied()
                .unwrap_or(0);
            days.iter().any(|day| *day <= last)
        })
    }
}

fn list(values: &[u8]) -> String {
    values
        .iter()
        .map(u8::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn weekday_names(values: &[u8]) -> String {
    let name = |value: &u8| WEEKDAYS.get(usize::from(*value)).copied();
    values.iter().filter_map(name).collect::<Vec<_>>().join(",")
}

fn sunday_is_zero(values: Vec<u8>) -> Vec<u8> {
    let mut values: Vec<u8> = values.into_iter().map(|day| day % 7).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// None for a field that restricts nothing. As in Kubernetes, `*/2` restricts and `*/1` does not.
fn restricted(kind: &Kind, text: &str) -> Result<Option<Vec<u8>>, String> {
    match text {
        "*" | "?" | "*/1" => Ok(None),
        text => values(kind, text).map(Some),
    }
}

fn values(kind: &Kind, text: &str) -> Result<Vec<u8>, String> {
    let mut found: Vec<u8> = Vec::new();
    for item in text.split(',') {
        found.extend(item_values(kind, item)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// `*`, `5`, `1-5`, each with an optional `/step`. `5/15` runs from 5 to the end of the field.
fn item_values(kind: &Kind, item: &str) -> Result<Vec<u8>, String> {
    let bad = |why: &str| format!("{} in the {} field {why}", quoted(item), kind.name);
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (item, None),
    };
    // A star over weekdays means seven days, not Sunday twice: `*/7` is Sunday alone.
    let last = if kind.wraps { kind.max - 1 } else { kind.max };
    let width = last - kind.min + 1;
    let step = match step {
        None => 1,
        Some(step) => match number(step) {
            Some(step) if (1..=width).contains(&step) => step,
            Some(_) | None => return Err(bad(&format!("has a step that is not 1 to {width}"))),
        },
    };
    let (from, to) = match range.split_once('-') {
        _ if range == "*" => (kind.min, last),
        Some((from, to)) => (value(kind, from)?, value(kind, to)?),
        None => {
            let from = value(kind, range)?;
            (
                from,
                if item.contains('/') {
                    last.max(from)
                } else {
                    from
                },
            )
        }
    };
    if from <= to {
        return Ok((from..=to).step_by(usize::from(step)).collect());
    }
    if kind.wraps {
        // FRI-MON: over the end of the week.
        return Ok((from..=to + 7)
            .step_by(usize::from(step))
            .map(|day| day % 7)
            .collect());
    }
    Err(bad("runs backwards"))
}

fn value(kind: &Kind, text: &str) -> Result<u8, String> {
    let named = kind
        .names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text));
    let value = match named.and_then(|index| u8::try_from(index).ok()) {
        Some(index) => Some(index + kind.names_from),
        None => number(text),
    };
    value
        .filter(|value| (kind.min..=kind.max).contains(value))
        .ok_or_else(|| {
            let names = match (kind.names.first(), kind.names.last()) {
                (Some(first), Some(last)) => format!(" or {first} to {last}"),
                (None, _) | (_, None) => String::new(),
            };
            format!(
                "{} is not a {}: {} to {}{names}",
                quoted(text),
                kind.name,
                kind.min,
                kind.max
            )
        })
}

fn number(text: &str) -> Option<u8> {
    // `u8::from_str` would take a plus sign.
    text.bytes()
        .all(|c| c.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}
