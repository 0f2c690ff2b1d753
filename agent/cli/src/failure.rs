//! What went wrong, for whoever typed the command: what, where, why, what to do.

use std::fmt;

use serde_json::{Value, json};

use crate::exit::Exit;

/// A command that could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Stable word for scripts, such as `forbidden`.
    pub code: &'static str,
    /// What did not work, in one sentence.
    pub what: String,
    /// Which cluster, file or object.
    pub place: Option<String>,
    /// The causes, one line each.
    pub why: Vec<String>,
    /// What to do about it.
    pub change: Option<String>,
    /// How the command ends.
    pub exit: Exit,
}

impl Failure {
    /// A failure that leaves open what is the case ([`Exit::CannotTell`]).
    pub fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            place: None,
            why: Vec::new(),
            change: None,
            exit: Exit::CannotTell,
        }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn change(mut self, change: impl Into<String>) -> Self {
        self.change = Some(change.into());
        self
    }

    /// Ends the command in another way.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// For `-o json`.
    pub fn to_json(&self) -> Value {
        json!({"error": {
            "code": self.code,
            "what": self.what,
            "where": self.place,
            "why": self.why,
            "change": self.change,
            "exit": self.exit.code(),
        }})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  where   {place}")?;
        }
        for (index, why) in self.why.iter().enumerate() {
            let label = if index == 0 { "why" } else { "" };
            write!(f, "\n  {label:<7} {why}")?;
        }
        match &self.change {
            Some(change) => write!(f, "\n  change  {change}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
