//! Semantic version ranges as Kubernetes users write them, over the `semver` crate, which reads
//! Cargo's dialect: there a bare `1.2.3` means `^1.2.3`, and comparators are joined by commas.

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

use crate::problem::{Problem, quoted};

/// Longest range.
const RANGE_LIMIT: usize = 256;

/// Alternatives, each a set of comparators that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    alternatives: Vec<VersionReq>,
    pre_releases: bool,
}

impl Range {
    pub(super) fn parse(text: &str, pre_releases: bool) -> Result<Self, Problem> {
        let bad = |message: String| {
            Problem::new("semver", message)
                .with_hint("write comparators such as >=1.0.0 <2.0.0, ~1.4 or 1.x, with || between alternatives")
        };
        if text.trim().is_empty() || text.len() > RANGE_LIMIT {
            return Err(bad(format!(
                "a range has between 1 and {RANGE_LIMIT} characters"
            )));
        }
        let mut alternatives = Vec::new();
        for part in text.split("||") {
            let words = comparators(part);
            if words.is_empty() {
                return Err(bad(format!("{} has an empty alternative", quoted(text))));
            }
            let alternative = VersionReq::parse(&words.join(", "))
                .map_err(|error| bad(format!("{} is not a range: {error}", quoted(text))))?;
            alternatives.push(alternative);
        }
        let named = alternatives
            .iter()
            .flat_map(|req| &req.comparators)
            .any(|c| !c.pre.is_empty());
        if named && !pre_releases {
            return Err(Problem::new(
                "semver",
                format!(
                    "{} names a pre-release, but preReleases is not set",
                    quoted(text)
                ),
            )
            .with_hint("add preReleases: true, or name a release"));
        }
        Ok(Self {
            alternatives,
            pre_releases,
        })
    }

    /// Whether a version is in the range. A pre-release is in where its own release is in and it
    /// does not come before the range's lower bound: `<2.0.0` does not let 2.0.0-rc.1 in, and
    /// `>=1.0.0` does not let 1.0.0-rc.1 in.
    pub(super) fn contains(&self, version: &Version) -> bool {
        if version.pre.is_empty() {
            return self.alternatives.iter().any(|range| range.matches(version));
        }
        if !self.pre_releases {
            return false;
        }
        let release = Version {
            pre: Prerelease::EMPTY,
            build: BuildMetadata::EMPTY,
            ..version.clone()
        };
        self.alternatives.iter().any(|range| {
            range.matches(version)
                || (range.matches(&release)
                    && range
                        .comparators
                        .iter()
                        .all(|c| reaches_lower_bound(c, version)))
        })
    }
}

fn reaches_lower_bound(comparator: &Comparator, version: &Version) -> bool {
    let bound = Version {
        major: comparator.major,
        minor: comparator.minor.unwrap_or(0),
        patch: comparator.patch.unwrap_or(0),
        pre: comparator.pre.clone(),
        build: BuildMetadata::EMPTY,
    };
    match comparator.op {
        Op::Less | Op::LessEq => true,
        // The crate's enum is open; an unknown operator is held to its bound.
        _ => version.cmp_precedence(&bound).is_ge(),
    }
}

/// Splits `>= 1.0.0 <v2` into `>=1.0.0` and `<2`, and makes bare versions exact.
fn comparators(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
        let number = word.trim_start_matches(['<', '>', '=', '~', '^']);
        let operator = word.strip_suffix(number).unwrap_or("");
        let number = number.strip_prefix('v').unwrap_or(number);
        match words.last_mut() {
            // An operator that stood alone waits for its number.
            Some(last) if last.ends_with(['<', '>', '=', '~', '^']) && operator.is_empty() => {
                last.push_str(number);
            }
            Some(_) | None => {
                let wild = number.contains(['*', 'x', 'X']);
                let bare = operator.is_empty() && !wild;
                words.push(format!("{}{number}", if bare { "=" } else { operator }));
            }
        }
    }
    words
}

/// The version that a tag names: `v` is dropped, and the first `_` is the `+` that a tag cannot
/// hold. None where it is not a whole semantic version.
pub(super) fn version_of(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    Version::parse(&text.replacen('_', "+", 1)).ok()
}
