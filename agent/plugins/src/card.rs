//! The error card: what an operator reads when a plugin was not loaded.
//!
//! Four lines, always the same (plugins.md section 6): what happened and what follows from it, where,
//! why, and what to change. The codes are stable; the texts are golden tests. No text of the wasm
//! runtime ever enters a card: the trace goes to the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One complaint about a plugin, its grant or the file that names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Stable code such as `plugin/grant-missing`.
    pub code: String,
    /// What was not loaded, such as `slack 1.2.0`.
    pub subject: String,
    /// What follows, such as `was not loaded; slack 1.1.4 keeps serving`.
    pub effect: String,
    /// The file, the digest, the field.
    pub place: String,
    /// The reasons, all of them.
    pub why: Vec<String>,
    /// What to write or to run.
    pub change: String,
}

/// Longest part of a card, in bytes: room for a grant to paste, and for little else.
const PART: usize = 8 << 10;

/// Every part passes here: names of files and of plugins are foreign text, too.
fn part(text: impl Into<String>) -> String {
    crate::text::block(&text.into(), PART)
}

/// The first words of a card, in one line.
fn named(subject: impl Into<String>) -> String {
    crate::text::line(&subject.into(), PART)
}

impl Card {
    /// A card about `subject`. The effect is filled in by whoever knows what still serves.
    pub(crate) fn new(code: &str, subject: impl Into<String>) -> Card {
        Card {
            code: code.to_owned(),
            subject: named(subject),
            effect: "was not loaded".to_owned(),
            place: String::new(),
            why: Vec::new(),
            change: String::new(),
        }
    }

    /// What follows.
    pub(crate) fn effect(mut self, effect: impl Into<String>) -> Card {
        self.effect = part(effect);
        self
    }

    /// Where the cause stands.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Card {
        self.place = part(place);
        self
    }

    /// Adds a reason.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Card {
        self.why.push(part(why));
        self
    }

    /// Adds all of these reasons.
    pub(crate) fn because_of(mut self, reasons: impl IntoIterator<Item = String>) -> Card {
        self.why.extend(reasons.into_iter().map(part));
        self
    }

    /// What to do about it.
    pub(crate) fn change(mut self, change: impl Into<String>) -> Card {
        self.change = part(change);
        self
    }

    /// Puts `place` before what the card already says about where.
    pub(crate) fn within(mut self, place: &str) -> Card {
        self.place = match self.place.is_empty() {
            true => part(place),
            false => part(format!("{place}; {}", self.place)),
        };
        self
    }

    /// The card in one line, for a call that met the missing plugin.
    pub fn line(&self) -> String {
        format!(
            "[{}] {} {}: {}; to change it: {}",
            self.code,
            self.subject,
            self.effect,
            self.why.join("; "),
            self.change
        )
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{}] {} {}", self.code, self.subject, self.effect)?;
        writeln!(f, "  where   {}", self.place)?;
        let count = self.why.len();
        for (index, why) in self.why.iter().enumerate() {
            let label = if index == 0 { "why" } else { "" };
            let number = if count > 1 {
                format!("{} of {count}: ", index + 1)
            } else {
                String::new()
            };
            writeln!(f, "  {label:<7} {number}{why}")?;
        }
        write!(f, "  change  {}", self.change)
    }
}
