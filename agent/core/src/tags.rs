//! Which tags a pipeline follows, and which of two is newer.
//!
//! Three ways: a semantic version range, a pattern with an order, or one tag that moves. Rules for
//! ranges are those of the Kubernetes world (Flux, Helm), not of Cargo: a bare `1.2.3` is exactly
//! that version, and pre-releases stay out unless they are asked for.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::{TAG_LIMIT, is_tag};
use crate::problem::{Problem, quoted};

mod range;

use range::Range;

/// Longest pattern that is compiled.
const PATTERN_LIMIT: usize = 512;
/// Memory that a compiled pattern may take, in bytes.
const PATTERN_MEMORY: usize = 1 << 20;

/// A tag policy as it stands in a Pipeline. Exactly one of `semver`, `pattern` and `mutable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagPolicy {
    /// A range of semantic versions: comparators joined by spaces are all required, `||` separates
    /// alternatives. A `v` before the version in the tag is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), example = &">=1.0.0 <2.0.0")]
    pub semver: Option<String>,
    /// With `semver`: whether versions such as 1.2.0-rc.1 are followed. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_releases: Option<bool>,
    /// A regular expression that the whole tag must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), example = &"main-(?P<ts>[0-9]+)-[0-9a-f]{7}")]
    pub pattern: Option<String>,
    /// With `pattern`: what makes one tag newer than another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<TagOrder>,
    /// One tag whose digest moves, such as `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), example = &"latest")]
    pub mutable: Option<String>,
}

/// Names the group of the pattern that orders tags. Exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TagOrder {
    /// The group holds a number; any count of digits. The greatest is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub numerical: Option<String>,
    /// The group holds text, compared byte by byte. The last is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub alphabetical: Option<String>,
}

impl TagPolicy {
    /// Checks the policy and makes it ready for use. The problem's field is relative to the policy.
    pub fn compile(&self) -> Result<TagFilter, Problem> {
        let (semver, pattern, mutable) = (&self.semver, &self.pattern, &self.mutable);
        if self.pre_releases.is_some() && semver.is_none() {
            return Err(Problem::new("preReleases", "belongs to a semver range"));
        }
        if self.order.is_some() && pattern.is_none() {
            return Err(Problem::new("order", "belongs to a pattern"));
        }
        let kind = match (semver, pattern, mutable) {
            (Some(range), None, None) => {
                Kind::Semver(Range::parse(range, self.pre_releases.unwrap_or(false))?)
            }
            (None, Some(pattern), None) => compile_pattern(pattern, self.order.as_ref())?,
            (None, None, Some(tag)) => {
                if !is_tag(tag) {
                    return Err(Problem::new(
                        "mutable",
                        format!("{} is not a tag", quoted(tag)),
                    ));
                }
                Kind::Mutable(tag.clone())
            }
            (None, None, None) => {
                return Err(Problem::new("", "no tag policy")
                    .with_hint("write one of semver, pattern (with order) or mutable"));
            }
            (Some(_), _, _) | (None, Some(_), Some(_)) => {
                return Err(Problem::new("", "more than one tag policy")
                    .with_hint("keep one of semver, pattern or mutable"));
            }
        };
        Ok(TagFilter { kind })
    }
}

fn compile_pattern(pattern: &str, order: Option<&TagOrder>) -> Result<Kind, Problem> {
    let bad = |message: String| Problem::new("pattern", message);
    if pattern.is_empty() || pattern.len() > PATTERN_LIMIT {
        return Err(bad(format!(
            "a pattern has between 1 and {PATTERN_LIMIT} characters"
        )));
    }
    let build = |source: &str| RegexBuilder::new(source).size_limit(PATTERN_MEMORY).build();
    // Alone first: `a)|(b` would step out of the anchors that are put around it.
    build(pattern).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => bad("the pattern is too large when compiled".to_owned()),
        error => {
            // The crate draws the pattern over several lines; the last one says what is wrong.
            let text = error.to_string();
            let cause = text
                .lines()
                .last()
                .unwrap_or("")
                .trim_start_matches("error: ");
            bad(format!(
                "{} is not a regular expression: {cause}",
                quoted(pattern)
            ))
        }
    })?;
    let regex = build(&format!(r"\A(?:{pattern})\z"))
        .map_err(|_| bad("the pattern is too large when compiled".to_owned()))?;
    let by = |group: &str, field: &str| {
        if regex.capture_names().flatten().any(|name| name == group) {
            return Ok(group.to_owned());
        }
        Err(Problem::new(
            field,
            format!("the pattern has no group named {}", quoted(group)),
        )
        .with_hint(format!(
            "write (?P<{group}>…) around the part that orders the tags"
        )))
    };
    let (group, numerical) = match order.map(|o| (&o.numerical, &o.alphabetical)) {
        Some((Some(group), None)) => (by(group, "order.numerical")?, true),
        Some((None, Some(group))) => (by(group, "order.alphabetical")?, false),
        Some((Some(_), Some(_)) | (None, None)) | None => {
            return Err(Problem::new("order", "a pattern needs one order")
                .with_hint("write order: {numerical: GROUP} or order: {alphabetical: GROUP}"));
        }
    };
    Ok(Kind::Pattern {
        regex,
        group,
        numerical,
    })
}

/// A tag policy ready for use.
#[derive(Clone, Debug)]
pub struct TagFilter {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Semver(Range),
    Pattern {
        regex: Regex,
        group: String,
        numerical: bool,
    },
    Mutable(String),
}

/// Where a tag stands in the order of its filter.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank<'t> {
    Version(semver::Version),
    /// Without leading zeros, so that a longer number is a greater one.
    Number(usize, &'t str),
    Text(&'t str),
    Only,
}

impl TagFilter {
    /// Whether the pipeline follows this tag.
    pub fn matches(&self, tag: &str) -> bool {
        self.rank(tag).is_some()
    }

    /// The newest tag that the policy follows. Where two tags are equally new (`v1.0.0` and
    /// `1.0.0`), the one that sorts last, so that every agent picks the same. One pass, no memory:
    /// the length of the list is bounded by whoever read it from the registry.
    pub fn newest<'t>(&self, tags: &'t [String]) -> Option<&'t str> {
        tags.iter()
            .filter_map(|tag| self.rank(tag).map(|rank| (rank, tag.as_str())))
            .max()
            .map(|(_, tag)| tag)
    }

    /// Whether `a` is older (`Less`), as new, or newer (`Greater`) than `b`. None where the policy
    /// does not follow one of them.
    pub fn compare(&self, a: &str, b: &str) -> Option<Ordering> {
        Some(self.rank(a)?.cmp(&self.rank(b)?))
    }

    /// Whether the policy follows one tag whose digest moves.
    pub fn is_mutable(&self) -> bool {
        match &self.kind {
            Kind::Mutable(_) => true,
            Kind::Semver(_) | Kind::Pattern { .. } => false,
        }
    }

    fn rank<'t>(&self, tag: &'t str) -> Option<Rank<'t>> {
        if tag.len() > TAG_LIMIT || !is_tag(tag) {
            return None;
        }
        match &self.kind {
            Kind::Semver(range) => {
                let version = range::version_of(tag)?;
                range.contains(&version).then_some(Rank::Version(version))
            }
            Kind::Pattern {
                regex,
                group,
                numerical,
            } => {
                let text = regex.captures(tag)?.name(group)?.as_str();
                if !numerical {
                    return Some(Rank::Text(text));
                }
                if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
                    return None;
                }
                let digits = text.trim_start_matches('0');
                Some(Rank::Number(digits.len(), digits))
            }
            Kind::Mutable(only) => (tag == only).then_some(Rank::Only),
        }
    }
}

#[cfg(test)]
mod tests;
