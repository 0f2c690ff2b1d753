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

/// Largest compiled program, in bytes. Its size times the text's length is the worst time of one
/// match; a class such as `\w` takes about a tenth.
const PROGRAM_BYTES: usize = 128 * 1024;

static TYPE: Type = of_patterns();

const fn of_patterns() -> Type {
    Type::new_unspecified_type("pattern")
}

/// The variable that stands for a pattern. No expression can spell it.
pub(super) fn name(index: usize) -> String {
    format!("@pattern{index}")
}

/// Compiles a pattern.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(PROGRAM_BYTES)
        .build()
        .map_err(|e| match e {
            regex::Error::CompiledTooBig(_) => {
                format!("the pattern {} is too large", quoted(pattern))
            }
            other => format!(
                "the pattern {} is no regular expression: {}",
                quoted(pattern),
                other.to_string().lines().last().unwrap_or_default()
            ),
        })
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
