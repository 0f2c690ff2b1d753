//! The rules of a policy's own: a small part of CEL, read and worked out by hand.
//!
//! `a || b`, `a && b`, `!a`, `==`, `!=`, `<`, `>`, `x in list`, members, `map['key']`, `size(x)`,
//! `timestamp('…')`, `.contains()`, `.startsWith()`, `.endsWith()`, and literals. What cannot be worked
//! out is an error; `&&` and `||` swallow an error where the other side decides alone.

use serde_json::{Value, json};

use crate::civil::wall;

/// An expression as a tree.
#[derive(Clone, Debug)]
enum Tree {
    Literal(Value),
    Name(String),
    Member(Box<Tree>, String),
    Index(Box<Tree>, Box<Tree>),
    List(Vec<Tree>),
    Not(Box<Tree>),
    Pair(&'static str, Box<Tree>, Box<Tree>),
    Call(String, Vec<Tree>),
}

/// It cannot be worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// Whether a rule denies: it is true, or cannot be worked out.
pub(super) fn denies(text: &str, variables: &Value) -> bool {
    let words = words(text);
    let mut reader = Reader { words: &words };
    let tree = reader.or();
    assert!(
        reader.words.is_empty(),
        "{text}: {:?} is left",
        reader.words
    );
    work_out(&tree, variables) != Ok(json!(false))
}

fn work_out(tree: &Tree, variables: &Value) -> Result<Value, Failed> {
    let see = |tree: &Tree| work_out(tree, variables);
    match tree {
        Tree::Literal(value) => Ok(value.clone()),
        Tree::Name(name) => variables.get(name).cloned().ok_or(Failed),
        Tree::Member(of, name) => see(of)?.get(name).cloned().ok_or(Failed),
        Tree::Index(of, key) => {
            let key = see(key)?;
            see(of)?
                .get(key.as_str().ok_or(Failed)?)
                .cloned()
                .ok_or(Failed)
        }
        Tree::List(items) => items
            .iter()
            .map(see)
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Tree::Not(inner) => see(inner)?.as_bool().map(|b| json!(!b)).ok_or(Failed),
        Tree::Pair("&&", a, b) => shortened(see(a), see(b), false),
        Tree::Pair("||", a, b) => shortened(see(a), see(b), true),
        Tree::Pair(sign, a, b) => compared(sign, &see(a)?, &see(b)?),
        Tree::Call(name, given) => {
            let given = given.iter().map(see).collect::<Result<Vec<_>, _>>()?;
            called(name, &given)
        }
    }
}

/// `&&` is decided by one false, `||` by one true, whatever the other side is.
fn shortened(
    a: Result<Value, Failed>,
    b: Result<Value, Failed>,
    decides: bool,
) -> Result<Value, Failed> {
    if a == Ok(json!(decides)) || b == Ok(json!(decides)) {
        return Ok(json!(decides));
    }
    match (a?.as_bool(), b?.as_bool()) {
        (Some(_), Some(_)) => Ok(json!(!decides)),
        _ => Err(Failed),
    }
}

fn compared(sign: &str, a: &Value, b: &Value) -> Result<Value, Failed> {
    let number = |v: &Value| v.as_i64().or_else(|| v["instant"].as_i64()).ok_or(Failed);
    Ok(json!(match sign {
        "==" => a == b,
        "!=" => a != b,
        "<" => number(a)? < number(b)?,
        ">" => number(a)? > number(b)?,
        "in" => match b {
            Value::Array(list) => list.contains(a),
            Value::Object(map) => map.contains_key(a.as_str().ok_or(Failed)?),
            _ => return Err(Failed),
        },
        other => unreachable!("{other}"),
    }))
}

fn called(name: &str, given: &[Value]) -> Result<Value, Failed> {
    let text = |place: usize| given[place].as_str().ok_or(Failed);
    Ok(match name {
        "size" => match &given[0] {
            Value::Array(list) => json!(list.len()),
            Value::Object(map) => json!(map.len()),
            Value::String(text) => json!(text.chars().count()),
            _ => return Err(Failed),
        },
        "timestamp" => json!({"instant": wall(text(0)?.trim_end_matches('Z'))}),
        "contains" => json!(text(0)?.contains(text(1)?)),
        "startsWith" => json!(text(0)?.starts_with(text(1)?)),
        "endsWith" => json!(text(0)?.ends_with(text(1)?)),
        other => unreachable!("{other}"),
    })
}

/// Splits into names, texts (with their quote before them), numbers and signs.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let from = at;
        let run = |at: usize, good: &dyn Fn(char) -> bool| {
            at + letters[at..].iter().take_while(|c| good(**c)).count()
        };
        match letters[at] {
            ' ' => {
                at += 1;
                continue;
            }
            '\'' => at = run(at + 1, &|c| c != '\'') + 1,
            c if c.is_alphanumeric() => at = run(at, &|c| c.is_alphanumeric() || c == '_'),
            '=' | '!' | '&' | '|' if letters.get(at + 1).is_some_and(|c| "=&|".contains(*c)) => {
                at += 2;
            }
            _ => at += 1,
        }
        words.push(letters[from..at].iter().collect());
    }
    words
}

/// What is left to read.
struct Reader<'w> {
    words: &'w [String],
}

impl Reader<'_> {
    fn next(&mut self) -> String {
        let (first, rest) = self.words.split_first().unwrap();
        self.words = rest;
        first.clone()
    }

    /// Takes the word if it is the next.
    fn takes(&mut self, word: &str) -> bool {
        let found = self.words.first().is_some_and(|next| next == word);
        if found {
            self.next();
        }
        found
    }

    fn or(&mut self) -> Tree {
        let mut tree = self.and();
        while self.takes("||") {
            tree = Tree::Pair("||", Box::new(tree), Box::new(self.and()));
        }
        tree
    }

    fn and(&mut self) -> Tree {
        let mut tree = self.comparison();
        while self.takes("&&") {
            tree = Tree::Pair("&&", Box::new(tree), Box::new(self.comparison()));
        }
        tree
    }

    fn comparison(&mut self) -> Tree {
        let tree = self.not();
        for sign in ["==", "!=", "<", ">", "in"] {
            if self.takes(sign) {
                return Tree::Pair(sign, Box::new(tree), Box::new(self.not()));
            }
        }
        tree
    }

    fn not(&mut self) -> Tree {
        if self.takes("!") {
            return Tree::Not(Box::new(self.not()));
        }
        self.member()
    }

    fn member(&mut self) -> Tree {
        let mut tree = self.single();
        loop {
            if self.takes(".") {
                let name = self.next();
                tree = if self.takes("(") {
                    let mut given = vec![tree];
                    given.extend(self.until(")"));
                    Tree::Call(name, given)
                } else {
                    Tree::Member(Box::new(tree), name)
                };
            } else if self.takes("[") {
                tree = Tree::Index(Box::new(tree), Box::new(self.or()));
                assert!(self.takes("]"));
            } else {
                return tree;
            }
        }
    }

    fn single(&mut self) -> Tree {
        let word = self.next();
        if word == "(" {
            let inner = self.or();
            assert!(self.takes(")"));
            return inner;
        }
        if word == "[" {
            return Tree::List(self.until("]"));
        }
        if let Some(text) = word.strip_prefix('\'') {
            return Tree::Literal(json!(text.trim_end_matches('\'')));
        }
        if let Ok(number) = word.parse::<i64>() {
            return Tree::Literal(json!(number));
        }
        match word.as_str() {
            "true" => Tree::Literal(json!(true)),
            "false" => Tree::Literal(json!(false)),
            _ if self.takes("(") => Tree::Call(word, self.until(")")),
            _ => Tree::Name(word),
        }
    }

    fn until(&mut self, end: &str) -> Vec<Tree> {
        let mut items = Vec::new();
        while !self.takes(end) {
            items.push(self.or());
            self.takes(",");
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_worked_out() {
        let variables = json!({
            "rollout": {"image": {"tag": "v1.2.0-rc1", "annotations": {"team": "shop"}},
                        "checks": ["http-smoke"], "breakGlass": false},
            "now": {"instant": wall("2026-11-27T10:00")},
        });
        for (text, expected) in [
            ("rollout.image.tag.contains('-rc')", true),
            (
                "!rollout.image.tag.contains('-rc') || rollout.breakGlass",
                false,
            ),
            (
                "'http-smoke' in rollout.checks && size(rollout.checks) == 1",
                true,
            ),
            ("rollout.image.annotations['team'] != 'shop'", false),
            // An error denies, unless the other side decides.
            ("rollout.image.annotations['owner'] == 'shop'", true),
            (
                "'owner' in rollout.image.annotations && rollout.image.annotations['owner'] == 'x'",
                false,
            ),
            ("rollout.image.annotations['owner'] == 'x' && false", false),
            ("now > timestamp('2026-11-27T11:00:00Z')", false),
            ("rollout.image.tag in ['v1', 'v1.2.0-rc1']", true),
            ("rollout.image.tag", true),
        ] {
            assert_eq!(denies(text, &variables), expected, "{text}");
        }
    }
}
