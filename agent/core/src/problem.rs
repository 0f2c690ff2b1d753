//! What is wrong with something that a person wrote: which field, why, and what to write instead.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most characters of a user's own text that an error repeats.
const QUOTE_LIMIT: usize = 80;

/// One mistake in a configuration. Checks collect all of them before they answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Path of the field, such as `environments.production.windows[1].freeze`. Empty: the whole
    /// document.
    pub field: String,
    /// What is wrong with it, without a full stop.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Line in the source text, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in the source text, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Problem {
    /// A problem of one field. The place in a source text is unknown until [`Problem::at`].
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
            hint: None,
            line: None,
            column: None,
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the place in the source text, both counted from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    /// Puts a path in front of the field: a part that was checked on its own becomes part of a
    /// larger document.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.field = match (prefix.is_empty(), self.field.is_empty()) {
            (true, _) => self.field,
            (false, true) => prefix.to_owned(),
            (false, false) if self.field.starts_with('[') => format!("{prefix}{}", self.field),
            (false, false) => format!("{prefix}.{}", self.field),
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        if !self.field.is_empty() {
            line.push_str(&self.field);
        }
        match (self.line, self.column) {
            (Some(row), Some(column)) => line.push_str(&format!(" (line {row}, column {column})")),
            (Some(row), None) => line.push_str(&format!(" (line {row})")),
            (None, _) => {}
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&self.message);
        if let Some(hint) = &self.hint {
            line.push_str("; ");
            line.push_str(hint);
        }
        f.write_str(one_line(line.trim_start()).as_str())
    }
}

impl std::error::Error for Problem {}

/// Repeats a user's text in an error: in backticks, on one line, cut where it is long.
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTE_LIMIT).collect();
    if text.chars().nth(QUOTE_LIMIT).is_some() {
        shown.push('…');
    }
    format!("`{}`", one_line(&shown))
}

/// Control characters would break the line, or repaint a terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The known word that the writer most likely meant, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of any length would make the distance cost quadratic in the attacker's favour.
    if word.chars().count() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance with neighbouring letters swapped counted once ("optimal string alignment").
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous: Option<char> = None;
    for (row, letter) in a.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in b.iter().enumerate() {
            let cost = usize::from(letter != *other);
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX);
            let mut best = (at(&above, column) + cost)
                .min(at(&above, column + 1).saturating_add(1))
                .min(at(&line, column).saturating_add(1));
            let swapped = column > 0
                && previous == Some(*other)
                && b.get(column.wrapping_sub(1)) == Some(&letter);
            if swapped {
                best = best.min(at(&before, column - 1).saturating_add(1));
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
        previous = Some(letter);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_one_line() {
        let problem = Problem::new("environments.production.windows[1].freeze", "no\nend")
            .with_hint("write START/END")
            .at(12, 7);
        assert_eq!(
            problem.to_string(),
            "environments.production.windows[1].freeze (line 12, column 7): no end; write START/END"
        );
        assert_eq!(Problem::new("", "not YAML").to_string(), "not YAML");
        assert_eq!(
            Problem::new("", "not YAML").at(3, 1).to_string(),
            "(line 3, column 1): not YAML"
        );
    }

    #[test]
    fn a_part_becomes_a_field_of_the_whole() {
        assert_eq!(
            Problem::new("cron", "x").under("triggers[0]").field,
            "triggers[0].cron"
        );
        assert_eq!(
            Problem::new("[2]", "x").under("windows").field,
            "windows[2]"
        );
        assert_eq!(Problem::new("", "x").under("windows").field, "windows");
        assert_eq!(Problem::new("cron", "x").under("").field, "cron");
    }

    #[test]
    fn quotes_cannot_break_out() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), "` a [2Jb `".replace("` a", "`a"));
        assert_eq!(quoted(&"x".repeat(200)).chars().count(), QUOTE_LIMIT + 3);
    }

    #[test]
    fn names_the_nearest_key() {
        let known = ["windows", "approvals", "targets", "after"];
        assert_eq!(nearest("window", known), Some("windows"));
        assert_eq!(nearest("aprovals", known), Some("approvals"));
        assert_eq!(nearest("tragets", known), Some("targets"));
        assert_eq!(nearest("Windows", known), Some("windows"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"a".repeat(10_000), known), None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("same", "same"), 0);
    }
}
