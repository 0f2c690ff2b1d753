//! A YAML document as a tree that remembers where each part stood.
//!
//! Reading goes tree first, types second: only so can every mistake of a file be reported at once,
//! each with its line. All limits are set here (attack 44): the file is written by a person, and
//! anything larger is a mistake or an attack.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter, Spanned};

use crate::problem::Problem;

/// Largest file, in bytes. A ConfigMap holds 1 MiB; a policy of a hundred environments has 64 KiB.
const SIZE_LIMIT: usize = 256 * 1024;
/// Deepest nesting. A policy uses seven levels.
const DEPTH_LIMIT: usize = 24;
/// Most scalars, lists and maps, after aliases are filled in.
const NODE_LIMIT: usize = 20_000;

/// A value and where it starts, both counted from 1.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) line: u32,
    pub(super) column: u32,
}

#[derive(Debug)]
pub(super) enum Value {
    Nothing,
    Flag(bool),
    Whole(i128),
    /// A number that is not whole. No key takes one.
    Fraction,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) value: Node,
}

impl Node {
    /// What it is, for an error.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Nothing => "nothing",
            Value::Flag(_) => "true or false",
            Value::Whole(_) | Value::Fraction => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Reads a document, within the limits. The only problem of a broken one: a parser that lost
    /// its way cannot say what else is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > SIZE_LIMIT {
            return Err(Problem::new(
                "",
                format!("the file is larger than {SIZE_LIMIT} bytes"),
            ));
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: DEPTH_LIMIT,
                flow_nesting_limit: DEPTH_LIMIT,
                max_nodes: NODE_LIMIT,
                max_events: NODE_LIMIT * 2,
                max_anchors: 64,
                max_aliases: 256,
                max_recorded_anchor_events: NODE_LIMIT,
                max_documents: 1,
            },
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: NODE_LIMIT,
                max_replay_stack_depth: 8,
            },
            duplicate_keys: DuplicateKeyPolicy::Error,
            // A merge would hide which of two spellings of a key is in force.
            merge_keys: MergeKeyPolicy::Error,
            // `yes` and `on` are text: a namespace may have such a name.
            strict_booleans: true,
            with_snippet: false,
        };
        match serde_saphyr::from_str_with_options::<Spanned<Value>>(text, options) {
            Ok(root) => Ok(node(root)),
            Err(error) => {
                let message = DefaultMessageFormatter.format_message(error.without_snippet());
                let problem = Problem::new("", format!("the file cannot be read: {message}"));
                Err(match error.location() {
                    Some(at) => problem.at(number(at.line()), number(at.column())),
                    None => problem,
                })
            }
        }
    }

    /// Where a path such as `environments.production.windows[1].freeze` stands: the place of its
    /// longest beginning that is there. A map or a list is found by its key.
    pub(super) fn locate(&self, path: &str) -> (u32, u32) {
        let mut found = (self.line, self.column);
        let mut node = self;
        let mut rest = path;
        while !rest.is_empty() {
            match &node.value {
                Value::Map(entries) => {
                    // A key may hold dots itself: the longest that fits is meant.
                    let fits = |entry: &&Entry| {
                        rest.strip_prefix(entry.key.as_str())
                            .is_some_and(|tail| tail.is_empty() || tail.starts_with(['.', '[']))
                    };
                    let Some(entry) = entries.iter().filter(fits).max_by_key(|e| e.key.len())
                    else {
                        return found;
                    };
                    rest = rest.get(entry.key.len()..).unwrap_or("");
                    rest = rest.strip_prefix('.').unwrap_or(rest);
                    node = &entry.value;
                    found = match node.value {
                        Value::List(_) | Value::Map(_) => (entry.line, entry.column),
                        Value::Nothing
                        | Value::Flag(_)
                        | Value::Whole(_)
                        | Value::Fraction
                        | Value::Text(_) => (node.line, node.column),
                    };
                }
                Value::List(items) => {
                    let index = rest.strip_prefix('[').and_then(|r| r.split_once(']'));
                    let item = index.and_then(|(i, _)| items.get(i.parse::<usize>().ok()?));
                    let (Some((_, tail)), Some(item)) = (index, item) else {
                        return found;
                    };
                    rest = tail.strip_prefix('.').unwrap_or(tail);
                    node = item;
                    found = (node.line, node.column);
                }
                Value::Nothing
                | Value::Flag(_)
                | Value::Whole(_)
                | Value::Fraction
                | Value::Text(_) => return found,
            }
        }
        found
    }
}

fn number(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn node(spanned: Spanned<Value>) -> Node {
    Node {
        value: spanned.value,
        line: number(spanned.referenced.line()),
        column: number(spanned.referenced.column()),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Whole(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Fraction)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Value>>()? {
            items.push(node(item));
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push(Entry {
                line: number(key.referenced.line()),
                column: number(key.referenced.column()),
                key: key.value,
                value: node(map.next_value::<Spanned<Value>>()?),
            });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_where_things_stand() {
        let text = "a:\n  b.c: [1, two]\n  d:\n    - e: true\n    - f:\n";
        let root = Node::parse(text).unwrap();
        assert_eq!(root.locate("a"), (1, 1));
        assert_eq!(root.locate("a.b.c"), (2, 3));
        assert_eq!(root.locate("a.b.c[1]"), (2, 12));
        assert_eq!(root.locate("a.d[0].e"), (4, 10));
        assert_eq!(root.locate("a.d[1].g"), (5, 7), "the place that lacks it");
        assert_eq!(root.locate("x.y"), (1, 1));
    }

    #[test]
    fn broken_or_hostile_files_are_one_clear_problem() {
        let bomb = {
            let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
            for (name, before) in ["b", "c", "d", "e", "f", "g"]
                .iter()
                .zip(["a", "b", "c", "d", "e", "f"])
            {
                let list = vec![format!("*{before}"); 10].join(", ");
                text.push_str(&format!("{name}: &{name} [{list}]\n"));
            }
            text
        };
        for (text, says) in [
            ("a: 1\na: 2\n".to_owned(), "duplicate"),
            ("a: [1, 2\n".to_owned(), "cannot be read"),
            ("a: 1\n---\nb: 2\n".to_owned(), "document"),
            ("base: &b {x: 1}\na:\n  <<: *b\n".to_owned(), "merge"),
            (bomb, "cannot be read"),
            ("[".repeat(200), "cannot be read"),
            (format!("a: {}", "x".repeat(SIZE_LIMIT)), "larger"),
            ("- x\n".repeat(NODE_LIMIT + 1), "cannot be read"),
        ] {
            let problem = Node::parse(&text).unwrap_err();
            let message = problem.to_string();
            assert!(message.contains(says), "{says}: {message}");
            assert!(!message.contains('\n') && message.len() < 400, "{message}");
        }
        assert_eq!(Node::parse("a: 1\nb: 2\na: 3\n").unwrap_err().line, Some(3));
    }

    #[test]
    fn keeps_text_that_other_parsers_turn_into_something_else() {
        let root =
            Node::parse("{a: yes, b: on, c: 10%, d: 1h30m, e: 09:00, f: null, g: 1.5}").unwrap();
        let Value::Map(entries) = root.value else {
            panic!("no map")
        };
        let kinds: Vec<&str> = entries.iter().map(|entry| entry.value.kind()).collect();
        assert_eq!(
            kinds,
            [
                "text", "text", "text", "text", "text", "nothing", "a number"
            ]
        );
    }
}
