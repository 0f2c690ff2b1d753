//! Instants and lengths of time, with CEL's names and meanings, by the time zones that the windows
//! use. The crate's own would bring a second time zone database and a clock.
//!
//! Months and days of a month count from 0 as in CEL, `getDate` from 1, weekdays from Sunday = 0.

use std::any::Any;
use std::cmp::Ordering;

use cel::common::traits::{Adder, Comparer, Subtractor};
use cel::common::types::{CelInt, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError, Value};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use crate::duration::HumanDuration;
use crate::zone;

static INSTANT: Type = of_instants();
static SPAN: Type = of_spans();

const fn of_instants() -> Type {
    Type::new_unspecified_type("google.protobuf.Timestamp")
}

const fn of_spans() -> Type {
    Type::new_unspecified_type("google.protobuf.Duration")
}

/// Makes an instant of text.
pub(super) const TIMESTAMP: &str = "timestamp";
/// Makes a length of time of text.
pub(super) const DURATION: &str = "duration";

/// What can be asked of an instant, with or without a time zone.
pub(super) const PARTS: [&str; 9] = [
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
];

/// What can be asked of a length of time.
pub(super) const TOTALS: [&str; 3] = ["getHours", "getMinutes", "getSeconds"];

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(SignedDuration);

/// Reads an instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "an instant is written such as 2026-12-24T10:00:00Z".to_owned())
}

/// Reads a length of time.
pub(super) fn span(text: &str) -> Result<SignedDuration, String> {
    let (text, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let length: HumanDuration = text.parse()?;
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    let millis = if negative { -millis } else { millis };
    Ok(SignedDuration::from_millis(millis))
}

macro_rules! value {
    ($name:ident, $type:ident, $($trait:ident $accessor:ident),*) => {
        impl Val for $name {
            fn get_type(&self) -> &Type {
                <Self as Val>::cel_type()
            }

            fn cel_type() -> &'static Type {
                &$type
            }

            fn as_comparer(&self) -> Option<&dyn Comparer> {
                Some(self)
            }

            $(fn $accessor<'b, 'v>(&'b self) -> Option<&'b (dyn $trait + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            })*

            fn equals(&self, other: &dyn Val) -> bool {
                other.downcast_ref::<Self>() == Some(self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                Box::new(*self)
            }

            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }

        impl StaticVal for $name {}

        impl Comparer for $name {
            fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
                other
                    .downcast_ref::<Self>()
                    .map(|other| self.0.cmp(&other.0))
                    .ok_or(ExecutionError::ValuesNotComparable(Value::Null, Value::Null))
            }
        }
    };
}

value!(Time, INSTANT, Adder as_adder, Subtractor as_subtractor);
value!(Span, SPAN, Adder as_adder, Subtractor as_subtractor);

/// The result of an addition or subtraction, or that it left the representable time.
fn within<'b, 'v, T: Val + 'v>(result: Option<T>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    result
        .map(CowVal::owned)
        .ok_or(ExecutionError::Overflow("time", Value::Null, Value::Null))
}

fn unsupported(operator: &'static str) -> ExecutionError {
    ExecutionError::UnsupportedBinaryOperator(operator, Value::Null, Value::Null)
}

impl Adder for Time {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let span = other
            .downcast_ref::<Span>()
            .ok_or_else(|| unsupported("add"))?;
        within(self.0.checked_add(span.0).ok().map(Self))
    }
}

impl Subtractor for Time {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(span) = other.downcast_ref::<Span>() {
            return within(self.0.checked_sub(span.0).ok().map(Self));
        }
        let other = other
            .downcast_ref::<Self>()
            .ok_or_else(|| unsupported("sub"))?;
        Ok(CowVal::owned(Span(self.0.duration_since(other.0))))
    }
}

impl Adder for Span {
    fn add<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        if let Some(instant) = other.downcast_ref::<Time>() {
            return within(instant.0.checked_add(self.0).ok().map(Time));
        }
        let other = other
            .downcast_ref::<Self>()
            .ok_or_else(|| unsupported("add"))?;
        within(self.0.checked_add(other.0).map(Self))
    }
}

impl Subtractor for Span {
    fn sub<'b, 'v>(&'b self, other: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let other = other
            .downcast_ref::<Self>()
            .ok_or_else(|| unsupported("sub"))?;
        within(self.0.checked_sub(other.0).map(Self))
    }
}

type Called<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn text<'a>(args: &'a [CowVal<'_, '_>], index: usize) -> Option<&'a str> {
    let value = args.get(index)?.downcast_ref::<CelString>()?;
    Some(value.inner())
}

fn make_instant<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    instant(text(&args, 0).unwrap_or_default())
        .map(|at| CowVal::owned(Time(at)))
        .map_err(|why| ExecutionError::function_error(TIMESTAMP, why))
}

fn make_span<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    span(text(&args, 0).unwrap_or_default())
        .map(|length| CowVal::owned(Span(length)))
        .map_err(|why| ExecutionError::function_error(DURATION, why))
}

/// What a clock on the wall shows at that instant.
fn civil(args: &[CowVal<'_, '_>]) -> Result<DateTime, ExecutionError> {
    let failed = |why: &str| ExecutionError::function_error(TIMESTAMP, why);
    let at = args
        .first()
        .and_then(|a| a.downcast_ref::<Time>())
        .ok_or_else(|| failed("no instant"))?;
    let zone = match args.len() {
        1 => "UTC",
        _ => text(args, 1).unwrap_or_default(),
    };
    let zone = zone::find(zone).map_err(|why| failed(&why))?;
    Ok(zone.to_datetime(at.0))
}

macro_rules! part {
    ($function:ident, $at:ident => $value:expr) => {
        fn $function<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
            let $at = civil(&args)?;
            Ok(CowVal::owned(CelInt::from(i64::from($value))))
        }
    };
}

part!(year, at => at.year());
part!(month, at => at.month() - 1);
part!(date, at => at.day());
part!(day_of_month, at => at.day() - 1);
part!(day_of_week, at => at.weekday().to_sunday_zero_offset());
part!(day_of_year, at => at.day_of_year() - 1);
part!(hours, at => at.hour());
part!(minutes, at => at.minute());
part!(seconds, at => at.second());

macro_rules! total {
    ($function:ident, $seconds:expr) => {
        fn $function<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
            let span = args.first().and_then(|a| a.downcast_ref::<Span>());
            let seconds = span.map_or(0, |span| span.0.as_secs());
            Ok(CowVal::owned(CelInt::from(seconds / $seconds)))
        }
    };
}

total!(total_hours, 3600);
total!(total_minutes, 60);
total!(total_seconds, 1);

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    let texts = || vec![STRING_TYPE];
    env.add_overload(TIMESTAMP, "text_to_instant", texts(), make_instant)?;
    env.add_overload(DURATION, "text_to_span", texts(), make_span)?;
    let parts = [
        year,
        month,
        date,
        day_of_month,
        day_of_week,
        day_of_year,
        hours,
        minutes,
        seconds,
    ];
    for (name, function) in PARTS.into_iter().zip(parts) {
        let id = |zone: &str| format!("{name}_of_instant{zone}");
        env.add_member_overload(name, &id(""), of_instants(), Vec::new(), function)?;
        env.add_member_overload(name, &id("_in_zone"), of_instants(), texts(), function)?;
    }
    let totals = [total_hours, total_minutes, total_seconds];
    for (name, function) in TOTALS.into_iter().zip(totals) {
        let id = format!("{name}_of_span");
        env.add_member_overload(name, &id, of_spans(), Vec::new(), function)?;
    }
    Ok(())
}
