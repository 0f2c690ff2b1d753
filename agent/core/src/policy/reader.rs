//! Takes values out of the tree and collects what is wrong with them.

use std::str::FromStr;

use super::tree::{Entry, Node, Value};
use crate::problem::{Problem, nearest, quoted};

/// Most problems that are listed. Nobody reads more, and a hostile file may have thousands.
const PROBLEM_LIMIT: usize = 100;
/// Longest text of any value.
const TEXT_LIMIT: usize = 1024;

/// Everything that is wrong so far.
#[derive(Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        // A default is read once per environment that takes it: one mistake, one line.
        if self.list.contains(&problem) {
            return;
        }
        if self.list.len() < PROBLEM_LIMIT {
            self.list.push(problem);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them in the order of the file, each with its place.
    pub(super) fn finish(self, root: &Node) -> Vec<Problem> {
        let mut list: Vec<Problem> = self
            .list
            .into_iter()
            .map(|problem| match problem.line {
                Some(_) => problem,
                None => {
                    let (line, column) = root.locate(&problem.field);
                    problem.at(line, column)
                }
            })
            .collect();
        list.sort_by_key(|problem| (problem.line, problem.column));
        if self.more > 0 {
            list.push(Problem::new("", format!("and {} more problems", self.more)));
        }
        list
    }
}

/// A node and its path.
pub(super) struct Cursor<'t> {
    pub(super) node: &'t Node,
    pub(super) path: String,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(node: &'t Node, path: impl Into<String>) -> Self {
        Self {
            node,
            path: path.into(),
        }
    }

    /// A problem of this very value.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.path.clone(), message)
    }

    fn expected(&self, what: &str) -> Problem {
        self.problem(format!("expected {what}, found {}", self.node.kind()))
    }

    /// The entries of a map.
    pub(super) fn entries(&self, problems: &mut Problems) -> Vec<(&'t Entry, Cursor<'t>)> {
        match &self.node.value {
            Value::Map(entries) => entries
                .iter()
                .map(|entry| {
                    let path = join(&self.path, &entry.key);
                    (entry, Cursor::new(&entry.value, path))
                })
                .collect(),
            Value::Nothing
            | Value::Flag(_)
            | Value::Whole(_)
            | Value::Fraction
            | Value::Text(_)
            | Value::List(_) => {
                problems.push(self.expected("a map"));
                Vec::new()
            }
        }
    }

    /// A map with these keys; any other is a problem that names the nearest.
    pub(super) fn fields(&self, known: &[&str], problems: &mut Problems) -> Fields<'t> {
        self.fields_but(known, |_| false, problems)
    }

    /// As [`Cursor::fields`], passing over entries that the caller has reported in its own words.
    pub(super) fn fields_but(
        &self,
        known: &[&str],
        reported: impl Fn(&Entry) -> bool,
        problems: &mut Problems,
    ) -> Fields<'t> {
        let entries = self.entries(problems);
        for (entry, cursor) in &entries {
            if known.contains(&entry.key.as_str()) || reported(entry) {
                continue;
            }
            let problem = Problem::new(cursor.path.clone(), "unknown key");
            let hint = match nearest(&entry.key, known.iter().copied()) {
                Some(key) => format!("did you mean {key}?"),
                None => format!("known keys: {}", known.join(", ")),
            };
            problems.push(problem.with_hint(hint).at(entry.line, entry.column));
        }
        let is_map = matches!(self.node.value, Value::Map(_));
        Fields {
            path: self.path.clone(),
            is_map,
            entries,
            fallback: Vec::new(),
        }
    }

    /// The items of a list.
    pub(super) fn items(&self, problems: &mut Problems) -> Vec<Cursor<'t>> {
        match &self.node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Cursor::new(node, format!("{}[{index}]", self.path)))
                .collect(),
            Value::Nothing
            | Value::Flag(_)
            | Value::Whole(_)
            | Value::Fraction
            | Value::Text(_)
            | Value::Map(_) => {
                problems.push(self.expected("a list"));
                Vec::new()
            }
        }
    }

    /// Text that is not empty.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'t str> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => {
                problems.push(self.problem("is empty"));
                None
            }
            Value::Text(text) if text.len() > TEXT_LIMIT => {
                problems.push(self.problem(format!("is longer than {TEXT_LIMIT} characters")));
                None
            }
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Whole(_) | Value::Fraction => {
                problems.push(self.expected("text").with_hint("put it in quotes"));
                None
            }
            Value::Nothing | Value::List(_) | Value::Map(_) => {
                problems.push(self.expected("text"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, problems: &mut Problems) -> Option<bool> {
        match &self.node.value {
            Value::Flag(flag) => Some(*flag),
            Value::Nothing
            | Value::Whole(_)
            | Value::Fraction
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_) => {
                problems.push(self.expected("true or false"));
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&self, min: u32, max: u32, problems: &mut Problems) -> Option<u32> {
        let found = match &self.node.value {
            Value::Whole(number) => u32::try_from(*number).ok(),
            Value::Nothing
            | Value::Flag(_)
            | Value::Fraction
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_) => None,
        };
        let found = found.filter(|number| (min..=max).contains(number));
        if found.is_none() {
            problems.push(self.problem(format!("expected a whole number from {min} to {max}")));
        }
        found
    }

    /// Text that reads as a `T`.
    pub(super) fn parsed<T: FromStr<Err = String>>(&self, problems: &mut Problems) -> Option<T> {
        match self.text(problems)?.parse() {
            Ok(value) => Some(value),
            Err(message) => {
                problems.push(self.problem(message));
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(
        &self,
        words: &[(&'static str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let text = self.text(problems)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(text, known.iter().copied()) {
            Some(word) => format!("did you mean {word}?"),
            None => format!("write one of {}", known.join(", ")),
        };
        problems.push(
            self.problem(format!("{} is not known here", quoted(text)))
                .with_hint(hint),
        );
        None
    }

    /// A list of at least one value.
    pub(super) fn each<T>(
        &self,
        problems: &mut Problems,
        read: impl Fn(&Cursor<'t>, &mut Problems) -> Option<T>,
    ) -> Vec<(Cursor<'t>, T)> {
        let Value::List(list) = &self.node.value else {
            problems.push(self.expected("a list"));
            return Vec::new();
        };
        if list.is_empty() {
            problems.push(
                self.problem("the list is empty")
                    .with_hint("name at least one"),
            );
        }
        let items = self.items(problems).into_iter();
        items
            .filter_map(|item| read(&item, problems).map(|value| (item, value)))
            .collect()
    }

    /// A list of at least one value, none twice.
    pub(super) fn list<T: PartialEq>(
        &self,
        problems: &mut Problems,
        read: impl Fn(&Cursor<'t>, &mut Problems) -> Option<T>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for (item, value) in self.each(problems, read) {
            if values.contains(&value) {
                problems.push(item.problem("stands in the list twice"));
            } else {
                values.push(value);
            }
        }
        values
    }

    /// A list of texts, none twice.
    pub(super) fn texts(&self, problems: &mut Problems) -> Vec<String> {
        self.list(problems, |item, problems| {
            item.text(problems).map(str::to_owned)
        })
    }
}

/// The fields of a map.
pub(super) struct Fields<'t> {
    path: String,
    /// Of something that is no map at all nothing can be missing.
    is_map: bool,
    entries: Vec<(&'t Entry, Cursor<'t>)>,
    fallback: Vec<(&'t Entry, Cursor<'t>)>,
}

impl<'t> Fields<'t> {
    /// Takes what is missing here from another map.
    pub(super) fn or(mut self, fallback: Vec<(&'t Entry, Cursor<'t>)>) -> Self {
        self.fallback = fallback;
        self
    }

    /// The field's value, from here or from the fallback.
    pub(super) fn get(&self, key: &str) -> Option<&Cursor<'t>> {
        let all = self.entries.iter().chain(&self.fallback);
        all.into_iter()
            .find(|(entry, _)| entry.key == key)
            .map(|(_, cursor)| cursor)
    }

    /// The field's value, or a problem.
    pub(super) fn need(
        &self,
        key: &str,
        hint: &str,
        problems: &mut Problems,
    ) -> Option<&Cursor<'t>> {
        let found = self.get(key);
        if found.is_none() && self.is_map {
            problems.push(Problem::new(join(&self.path, key), "is missing").with_hint(hint));
        }
        found
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
