//! `matches`: a regular expression in linear time, compiled when the policy is read.
//!
//! The crate compiles the pattern anew at each call and takes any text for one. Here the pattern is
//! written in the expression, and its place becomes a variable that holds the compiled one.

use std::any::Any;

use cel::common::types::{BOOL_TYPE, CelBool, CelString, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError};
use regex::{Regex, RegexBuilder};

use crate::problem::quoted;

/// The function.
pub(super) const MATCHES: &str = "matches";

/// Sizes of compiled programs, in bytes: a pattern is priced by the first that holds it, and is
/// refused over the last. A class such as `\w` takes about 30 KiB.
const PROGRAM_BYTES: [usize; 7] = [
    2 << 10,
    4 << 10,
    8 << 10,
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
];

/// Bytes of a program times bytes of text that cost one unit. Where the automaton is too large to
/// be built, each byte of the text may meet every state of the program.
const UNIT: u64 = 12_800;

static TYPE: Type = of_patterns();

const fn of_patterns() -> Type {
    Type::new_unspecified_type("pattern")
}

/// The variable that stands for a pattern. No expression can spell it.
pub(super) fn name(index: usize) -> String {
    format!("@pattern{index}")
}

/// Compiles a pattern, and tells the size that it is priced by.
pub(super) fn compile(pattern: &str) -> Result<(Regex, u64), String> {
    let build = |bytes: usize| RegexBuilder::new(pattern).size_limit(bytes).build();
    for bytes in PROGRAM_BYTES {
        match build(bytes) {
            Ok(regex) => return Ok((regex, u64::try_from(bytes).unwrap_or(u64::MAX))),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(other) => {
                return Err(format!(
                    "the pattern {} is no regular expression: {}",
                    quoted(pattern),
                    other
                        .to_string()
                        .lines()
                        .last()
                        .unwrap_or_default()
                        .trim_start_matches("error: ")
                ));
            }
        }
    }
    Err(format!("the pattern {} is too large", quoted(pattern)))
}

/// Units to look for a pattern in a text.
pub(super) fn cost(program_bytes: u64, text_bytes: u64) -> u64 {
    program_bytes.saturating_mul(text_bytes) / UNIT + 50
}

/// A compiled pattern as a value.
pub(super) fn value(regex: &Regex) -> Box<dyn Val> {
    Box::new(Pattern(regex.clone()))
}

#[derive(Clone, Debug)]
struct Pattern(Regex);

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_member_overload(
        MATCHES,
        "text_matches_pattern",
        STRING_TYPE,
        vec![of_patterns()],
        matches,
    )
}

fn matches<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = args.first().and_then(|a| a.downcast_ref::<CelString>());
    let pattern = args.get(1).and_then(|a| a.downcast_ref::<Pattern>());
    match (text, pattern) {
        (Some(text), Some(Pattern(regex))) => {
            Ok(CowVal::owned(CelBool::from(regex.is_match(text.inner()))))
        }
        _ => Err(ExecutionError::function_error(MATCHES, BOOL_TYPE.name())),
    }
}
