//! Custom rules: expressions in CEL, the language that Kubernetes' own admission policies use.
//!
//! This folder is all that knows the crate `cel`, which changes often. What the rest sees is
//! [`Expression`] and [`Variables`].
//!
//! Everything that can be known early is an error when the policy is read: an unknown variable, a
//! comparison of text with a number, a pattern that does not compile, a result that is no yes or
//! no. What remains for the time of the decision is a missing annotation, an index outside its
//! list, an overflow and inputs that are too large. Those are errors too, and who asks takes an
//! error for a "no".
//!
//! The crate counts no cost. So the cost of the worst inputs is computed when the policy is read
//! ([`check`]), and an expression over the budget is refused.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};
use jiff::Timestamp;
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::quoted;

mod check;
mod pattern;
mod time;
mod variables;

pub use variables::{ImageVariables, RequesterVariables, Variables};

/// Longest expression, in bytes. What does not fit is a program, and belongs into a plugin.
pub(crate) const TEXT_LIMIT: usize = 1024;

/// One custom rule's condition, checked and ready for use.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression {
    text: String,
    compiled: Arc<Compiled>,
}

struct Compiled {
    root: IdedExpr,
    /// The variables that it names: those alone are bound, and must fit their limits.
    uses: BTreeSet<&'static str>,
    /// Patterns of `matches`, in the order of their names.
    patterns: Vec<Regex>,
}

/// The functions of the language, made once: the crate's, and ours for times and patterns.
static ENVIRONMENT: LazyLock<Result<Arc<Env>, String>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    time::declare(&mut env)
        .and_then(|()| pattern::declare(&mut env))
        .map_err(|e| e.to_string())?;
    Ok(Arc::new(env))
});

fn environment() -> Result<Arc<Env>, String> {
    ENVIRONMENT
        .clone()
        .map_err(|why| format!("expressions cannot be used: {why}"))
}

impl Expression {
    /// Reads and checks an expression. The error says what is wrong, where, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > TEXT_LIMIT {
            return Err(format!(
                "the expression has {} bytes; at most {TEXT_LIMIT} are allowed: split it into \
                 several rules",
                text.len()
            ));
        }
        if text.trim().is_empty() {
            return Err("the expression is empty".to_owned());
        }
        check::nesting(text)?;
        let program = environment()?.compile(text).map_err(|e| syntax(&e))?;
        let mut root = program.expression().clone();
        let checked = check::check(&mut root, program.source_info())?;
        Ok(Self {
            text: text.to_owned(),
            compiled: Arc::new(Compiled {
                root,
                uses: checked.uses,
                patterns: checked.patterns,
            }),
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The variables that it looks at, such as `rollout.image.tag`.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.compiled.uses.iter().copied()
    }

    /// Whether it holds. An error says why that cannot be told, and then the answer is no.
    pub fn evaluate(&self, variables: &Variables, now: Timestamp) -> Result<bool, String> {
        let mut context = Context::with_env(environment()?);
        for path in &self.compiled.uses {
            context.add_variable_as_val(*path, variables::bind(path, variables, now)?);
        }
        for (index, regex) in self.compiled.patterns.iter().enumerate() {
            context.add_variable_as_val(pattern::name(index), pattern::value(regex));
        }
        let result = Value::resolve_val(&self.compiled.root, &context).map_err(|e| failure(&e))?;
        match result.downcast_ref::<CelBool>() {
            Some(answer) => Ok(*answer.inner()),
            None => Err("the expression gave no yes or no".to_owned()),
        }
    }
}

/// The first mistake of the text, in one line. The parser lists every token that would do, which
/// helps nobody.
fn syntax(errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else {
        return "the expression cannot be read".to_owned();
    };
    let (line, column) = first.pos;
    let place = match line {
        1 => format!("character {column}"),
        _ => format!("line {line}, character {column}"),
    };
    let message = first.msg.lines().next().unwrap_or_default();
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let (message, _) = message.split_once(" expecting ").unwrap_or((message, ""));
    let met = message
        .split_once('\'')
        .map(|(_, rest)| rest.trim_end_matches('\''));
    match met {
        Some(met) if met.ends_with("<EOF>") => {
            format!("at {place}: something is missing at the end")
        }
        Some(met) => format!("at {place}: {} cannot stand here", quoted(met)),
        None => format!("at {place}: {message}"),
    }
}

/// What went wrong while deciding, without the values: they can be long.
fn failure(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!(
            "there is no annotation {}; ask with `in` or `has` first",
            quoted(key)
        ),
        ExecutionError::IndexOutOfBounds(_) => {
            "an index is outside its list; ask with `size` first".to_owned()
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "a division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::FunctionError { function, .. } => {
            format!("{function} cannot read the text that it was given")
        }
        other => quoted(&other.to_string()),
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Expression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Expression> for String {
    fn from(expression: Expression) -> Self {
        expression.text
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for Expression {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A condition in CEL over `rollout` and `now`.",
            "minLength": 1,
            "maxLength": TEXT_LIMIT
        })
    }
}

#[cfg(test)]
mod tests;
