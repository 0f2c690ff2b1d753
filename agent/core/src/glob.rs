//! Patterns with `*` for repositories and tags. Always anchored at both ends: a pattern that
//! matches a part of a name is how look-alikes get in (reliability.md S3).

use std::fmt;

use regex::Regex;

use crate::problem::quoted;

/// Longest pattern. Repository names end at 255 characters.
const PATTERN_LIMIT: usize = 300;

/// Whether a star may step over a slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slash {
    /// `*` stays within one path part, `**` crosses them.
    Separates,
    /// The text has no parts: `*` matches anything.
    Ordinary,
}

/// A compiled pattern. Matching takes time linear in the text.
#[derive(Clone)]
pub(crate) struct Glob {
    pattern: String,
    regex: Regex,
}

impl Glob {
    /// Compiles a pattern of literal text, `*`, `**` and `?` (one character).
    pub(crate) fn new(pattern: &str, slash: Slash) -> Result<Self, String> {
        if pattern.is_empty() || pattern.len() > PATTERN_LIMIT {
            return Err(format!(
                "a pattern has between 1 and {PATTERN_LIMIT} characters"
            ));
        }
        let any = match slash {
            Slash::Separates => "[^/]",
            Slash::Ordinary => ".",
        };
        let mut source = String::from(r"\A(?s:");
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '*' => {
                    let mut stars = 1;
                    while letters.next_if_eq(&'*').is_some() {
                        stars += 1;
                    }
                    source.push_str(if stars > 1 { "." } else { any });
                    source.push('*');
                }
                '?' => source.push_str(any),
                letter => source.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4]))),
            }
        }
        source.push_str(r")\z");
        let regex = Regex::new(&source)
            .map_err(|_| format!("the pattern {} is too large", quoted(pattern)))?;
        Ok(Self {
            pattern: pattern.to_owned(),
            regex,
        })
    }

    /// Whether the whole text fits.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// As written.
    pub(crate) fn as_str(&self) -> &str {
        &self.pattern
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Glob {}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pattern: &str, text: &str) -> bool {
        Glob::new(pattern, Slash::Separates).unwrap().matches(text)
    }

    #[test]
    fn a_star_stays_in_its_part() {
        assert!(path(
            "r.example.com/shop/*",
            "r.example.com/shop/storefront"
        ));
        assert!(!path(
            "r.example.com/shop/*",
            "r.example.com/shop/team/storefront"
        ));
        assert!(path(
            "r.example.com/shop/**",
            "r.example.com/shop/team/storefront"
        ));
        assert!(!path(
            "r.example.com/shop/*",
            "r.example.com/shopping/storefront"
        ));
        assert!(path("a/?/c", "a/b/c"));
        assert!(!path("a?b", "a/b"));
    }

    #[test]
    fn is_anchored_and_literal() {
        assert!(!path("shop/*", "evil.example.com/shop/x"));
        assert!(!path("r.example.com/*", "rXexample.com/x"));
        assert!(!path("a/b", "a/b\n"));
        assert!(path("a+(b)[c]", "a+(b)[c]"));
    }

    #[test]
    fn a_tag_has_no_parts() {
        let glob = Glob::new("v*", Slash::Ordinary).unwrap();
        assert!(glob.matches("v1.2.3-rc.1"));
        assert!(!glob.matches("1.2.3"));
        assert!(!glob.matches("rev1"));
    }

    #[test]
    fn has_bounds() {
        assert!(Glob::new("", Slash::Ordinary).is_err());
        assert!(Glob::new(&"*".repeat(PATTERN_LIMIT + 1), Slash::Ordinary).is_err());
        // Many stars are where backtracking matchers take exponential time.
        let hostile = Glob::new(&"*a".repeat(100), Slash::Ordinary).unwrap();
        assert!(!hostile.matches(&"a".repeat(99)));
    }
}
