//! PromQL with placeholders. What a placeholder becomes depends on where it stands: in a string it
//! is escaped as a string, in the string of a regular expression as that first, and outside of
//! strings only what this plugin writes itself can stand. So no name can end a string, add a
//! matcher or another query.

/// Names that stand in strings.
const TEXTS: [&str; 8] = [
    "namespace",
    "workload",
    "cluster",
    "environment",
    "release",
    "revision",
    "role",
    "pod-selector",
];
/// Names that stand outside of strings.
const BARE: [&str; 3] = ["labels", "window", "window-seconds"];

/// How a fact is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a string with this quote.
    Text(char),
    /// In a string with this quote, after `=~` or `!~`.
    Pattern(char),
    /// Outside of strings.
    Bare,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<'t> {
    Raw(&'t str),
    Fact(&'t str, Place),
}

/// A query that was read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template<'t> {
    parts: Vec<Part<'t>>,
}

/// A fact as it can be written into a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// Words of others: a name.
    Text(String),
    /// A regular expression, already escaped as one.
    Pattern(String),
    /// PromQL of this plugin's own.
    Bare(String),
}

impl<'t> Template<'t> {
    /// Reads a query.
    ///
    /// # Errors
    /// In words: a placeholder that nothing is called by, or that stands where it cannot.
    pub(crate) fn parse(text: &'t str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut scan = Scan::default();
        let mut raw = text;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if !scan.comment
                && let Some(after) = rest.strip_prefix("{{")
            {
                let Some((name, after)) = after.split_once("}}") else {
                    return Err("a placeholder opens with {{ and does not close".into());
                };
                let name = name.trim();
                let place = scan.place(name)?;
                let length = raw.len() - rest.len();
                parts.push(Part::Raw(raw.get(..length).unwrap_or_default()));
                parts.push(Part::Fact(name, place));
                (raw, rest) = (after, after);
                continue;
            }
            scan.step(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        if scan.quote.is_some() {
            return Err("a string opens and does not close".into());
        }
        parts.push(Part::Raw(raw));
        Ok(Self { parts })
    }

    /// Whether it names `{{labels}}`.
    pub(crate) fn wants_labels(&self) -> bool {
        let labels = Part::Fact("labels", Place::Bare);
        self.parts.contains(&labels)
    }

    /// The query with its facts.
    ///
    /// # Errors
    /// In words: a fact that is not known in this call.
    pub(crate) fn filled(
        &self,
        fact: impl Fn(&str) -> Result<Fact, String>,
    ) -> Result<String, String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Raw(text) => out.push_str(text),
                Part::Fact(name, place) => out.push_str(&written(&fact(name)?, *place)),
            }
        }
        Ok(out)
    }
}

/// Where in a query we are.
#[derive(Default)]
struct Scan {
    quote: Option<char>,
    escaped: bool,
    comment: bool,
    /// The last two characters outside of strings that are no space.
    before: (char, char),
}

impl Scan {
    fn step(&mut self, c: char) {
        if self.comment {
            self.comment = c != '\n';
            return;
        }
        if let Some(quote) = self.quote {
            if self.escaped {
                self.escaped = false;
            } else if c == '\\' && quote != '`' {
                self.escaped = true;
            } else if c == quote {
                self.quote = None;
                self.before = (' ', ' ');
            }
            return;
        }
        match c {
            '"' | '\'' | '`' => self.quote = Some(c),
            '#' => self.comment = true,
            c if c.is_whitespace() => {}
            c => self.before = (self.before.1, c),
        }
    }

    fn place(&self, name: &str) -> Result<Place, String> {
        let (text, bare) = (TEXTS.contains(&name), BARE.contains(&name));
        if !text && !bare {
            let known = [TEXTS.as_slice(), BARE.as_slice()].concat();
            return Err(format!(
                "nothing is called {{{{{name}}}}}; known are {}",
                known.join(", ")
            ));
        }
        let is_pattern = matches!(self.before, ('=' | '!', '~'));
        match self.quote {
            Some(_) if bare => Err(format!("{{{{{name}}}}} cannot stand in a string")),
            Some('`') => Err(format!(
                "{{{{{name}}}}} cannot be escaped in a string of backticks; use double quotes"
            )),
            Some(_) if self.escaped => Err(format!("a backslash stands before {{{{{name}}}}}")),
            Some(_) if name == "pod-selector" && !is_pattern => Err(
                "{{pod-selector}} is a regular expression: write pod=~\"{{pod-selector}}\"".into(),
            ),
            Some(quote) if is_pattern => Ok(Place::Pattern(quote)),
            Some(quote) => Ok(Place::Text(quote)),
            None if text => Err(format!("{{{{{name}}}}} can only stand in a string")),
            None => Ok(Place::Bare),
        }
    }
}

fn written(fact: &Fact, place: Place) -> String {
    match (fact, place) {
        (Fact::Text(text), Place::Text(quote)) => string(text, quote),
        (Fact::Text(text), Place::Pattern(quote)) => string(&pattern(text), quote),
        (Fact::Pattern(text), Place::Text(quote) | Place::Pattern(quote)) => string(text, quote),
        (Fact::Bare(text), _) => text.clone(),
        // `parse` lets only our own PromQL stand outside of strings.
        (Fact::Text(text) | Fact::Pattern(text), Place::Bare) => quoted(text),
    }
}

/// A text as a string of PromQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", string(text, '"'))
}

/// A text within a string of PromQL, whose escapes are those of Go.
fn string(text: &str, quote: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// A text that a regular expression (RE2) matches as it stands.
pub(crate) fn pattern(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    let mut out = String::new();
    for c in text.chars() {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The name of a label.
pub(crate) fn label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, value: &str) -> Result<String, String> {
        Template::parse(text)?.filled(|name| {
            Ok(match name {
                "window" => Fact::Bare("300s".into()),
                "pod-selector" => Fact::Pattern("a\\.b-.*".into()),
                _ => Fact::Text(value.into()),
            })
        })
    }

    #[test]
    fn a_fact_cannot_leave_its_string() {
        let evil = "a\"} or vector(1) # \\ \n'`";
        assert_eq!(
            filled("up{namespace=\"{{namespace}}\"}", evil).unwrap(),
            "up{namespace=\"a\\\"} or vector(1) # \\\\ \\u000a'`\"}"
        );
        assert_eq!(
            filled("up{namespace='{{namespace}}'}", evil).unwrap(),
            "up{namespace='a\"} or vector(1) # \\\\ \\u000a\\'`'}"
        );
    }

    #[test]
    fn after_a_tilde_a_fact_is_no_pattern_unless_it_is_one() {
        let query =
            "up{namespace =~ \"x-{{namespace}}\", pod!~\"{{pod-selector}}\", b=\"{{workload}}\"}";
        assert_eq!(
            filled(query, "a.b|c").unwrap(),
            "up{namespace =~ \"x-a\\\\.b\\\\|c\", pod!~\"a\\\\.b-.*\", b=\"a.b|c\"}"
        );
    }

    #[test]
    fn strings_and_comments_are_told_apart() {
        let query = "f(\"\\\"\", '\"', `\\`, x[{{window}}]) # \" {{nothing}} '\n + \"{{role}}\"";
        assert_eq!(
            filled(query, "r").unwrap(),
            "f(\"\\\"\", '\"', `\\`, x[300s]) # \" {{nothing}} '\n + \"r\""
        );
    }

    #[test]
    fn a_placeholder_in_the_wrong_place_is_named() {
        for (query, words) in [
            ("up{{{namespace}}}", "nothing is called {{{namespace}}"),
            ("{{ namespace }}", "can only stand in a string"),
            ("up[{{namespace}}]", "can only stand in a string"),
            ("x{a=\"{{window}}\"}", "cannot stand in a string"),
            ("x{a=`{{role}}`}", "cannot be escaped"),
            ("x{a=\"\\{{role}}\"}", "a backslash"),
            ("x{a=\"{{pod-selector}}\"}", "is a regular expression"),
            ("x{a=\"{{rolle}}\"}", "nothing is called {{rolle}}"),
            ("x{a=\"{{role\"}", "does not close"),
            ("x{a=\"b}", "a string opens"),
        ] {
            let why = filled(query, "x").unwrap_err();
            assert!(why.contains(words), "{query}: {why}");
        }
    }
}
