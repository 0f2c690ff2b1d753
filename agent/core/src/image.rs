//! Images as Kubernetes names them: repository, tag, digest.
//!
//! A tag is for people; only the digest travels (architecture invariant 7). Names are normalised
//! the way the container runtime does it, so that `nginx` and `docker.io/library/nginx` are the
//! same repository to every rule.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::glob::{Glob, Slash};
use crate::problem::quoted;

pub mod facts;

/// Longest repository name with its registry, as the distribution project counts.
const REPOSITORY_LIMIT: usize = 255;
/// Longest tag in the OCI distribution specification.
pub const TAG_LIMIT: usize = 128;
/// The registry of names that carry none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// A sha256 digest of an image index or manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// `sha256:` and 64 hexadecimal characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hexadecimal characters alone.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }

    /// The first twelve hexadecimal characters: enough for a person to tell two apart.
    pub fn short(&self) -> &str {
        self.hex().get(..12).unwrap_or(self.hex())
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| {
            format!(
                "{} is not a digest: only sha256: and 64 hexadecimal characters",
                quoted(text)
            )
        })?;
        let valid = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if hex.len() != 64 || !hex.bytes().all(valid) {
            return Err(format!(
                "{} is not a digest: after sha256: come 64 characters of 0-9 and a-f",
                quoted(text)
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A repository with its registry, normalised: `docker.io/library/nginx`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    full: String,
    registry_len: usize,
}

impl Repository {
    /// The whole name, such as `registry.example.com:5000/shop/storefront`.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// Host and port, such as `registry.example.com:5000`.
    pub fn registry(&self) -> &str {
        self.full.get(..self.registry_len).unwrap_or(&self.full)
    }

    /// The name within the registry, such as `shop/storefront`.
    pub fn path(&self) -> &str {
        self.full.get(self.registry_len + 1..).unwrap_or("")
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (registry, path) = split_registry(text);
        if !is_registry(&registry) {
            return Err(format!("{} has no valid registry host", quoted(text)));
        }
        if path.is_empty() || !path.split('/').all(is_path_part) {
            return Err(format!(
                "{} is not a repository: its parts are lower-case letters and digits, joined by \
                 one of . _ __ or dashes",
                quoted(text)
            ));
        }
        let full = format!("{registry}/{path}");
        if full.len() > REPOSITORY_LIMIT {
            return Err(format!(
                "{} is longer than {REPOSITORY_LIMIT} characters",
                quoted(text)
            ));
        }
        Ok(Self {
            full,
            registry_len: registry.len(),
        })
    }
}

/// An image reference as it stands in a pod, with what it names made explicit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    /// Where it lives.
    pub repository: Repository,
    /// The name that people use. For display and for tag rules only.
    pub tag: Option<String>,
    /// The content. Where present, the runtime ignores the tag.
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// `repository@digest`, what is written into a pod template. None without a digest.
    pub fn pinned(&self) -> Option<String> {
        self.digest
            .as_ref()
            .map(|digest| format!("{}@{digest}", self.repository))
    }
}

impl FromStr for ImageRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let path_start = name.rfind('/').map_or(0, |slash| slash + 1);
        let tag_colon = name
            .get(path_start..)
            .and_then(|path| path.find(':'))
            .map(|i| i + path_start);
        let (repository, tag) = match tag_colon.and_then(|colon| name.split_at_checked(colon)) {
            Some((repository, tag)) => (repository, Some(tag.strip_prefix(':').unwrap_or(tag))),
            None => (name, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(format!(
                "{} has a tag that no registry accepts: 1 to {TAG_LIMIT} letters, digits, dots, \
                 dashes and underscores, not starting with a dot or a dash",
                quoted(text)
            ));
        }
        Ok(Self {
            repository: repository.parse()?,
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether a text is a tag by the OCI distribution specification.
pub fn is_tag(text: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    text.len() <= TAG_LIMIT
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|c| word(c) || c == b'.' || c == b'-')
}

/// A pattern of repositories: `registry.example.com/shop/*`. `*` stays within one part, `**`
/// crosses parts. The registry is literal, but for a leading `*.`; `**` alone is every repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryGlob(Glob);

impl RepositoryGlob {
    /// Whether the repository fits the whole pattern.
    pub fn matches(&self, repository: &Repository) -> bool {
        self.0.matches(repository.as_str())
    }

    /// As written, with its registry made explicit.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for RepositoryGlob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "**" {
            return Glob::new(text, Slash::Separates).map(Self);
        }
        let (registry, path) = split_registry(text);
        let host = registry.strip_prefix("*.").unwrap_or(&registry);
        // `registry.example.com*` would also be `registry.example.com.evil.example`.
        if !is_registry(host) {
            return Err(format!(
                "{} needs a literal registry, such as registry.example.com/shop/*, \
                 *.example.com/shop/* or docker.io/library/*",
                quoted(text)
            ));
        }
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*?".contains(c);
        if path.is_empty() || !path.chars().all(allowed) || path.split('/').any(str::is_empty) {
            return Err(format!(
                "{} can match no repository: after the registry come lower-case parts with / \
                 between them",
                quoted(text)
            ));
        }
        Glob::new(&format!("{registry}/{path}"), Slash::Separates).map(Self)
    }
}

/// A pattern of tags: `v*`. `*` is any run of characters, `?` is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TagGlob(Glob);

impl TagGlob {
    /// Whether the whole tag fits.
    pub fn matches(&self, tag: &str) -> bool {
        self.0.matches(tag)
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for TagGlob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-*?".contains(c);
        if text.is_empty() || text.len() > TAG_LIMIT || !text.chars().all(allowed) {
            return Err(format!(
                "{} can match no tag: letters, digits, dots, dashes, underscores, * and ?",
                quoted(text)
            ));
        }
        Glob::new(text, Slash::Ordinary).map(Self)
    }
}

/// Registry and path, with the defaults that the runtime applies. The host is lower-cased: hosts
/// ignore case, so that a rule cannot be dodged by it.
fn split_registry(text: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (registry, path) = match text.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first != first.to_lowercase() =>
        {
            (Cow::Owned(first.to_lowercase()), rest)
        }
        Some(_) | None => (Cow::Borrowed(DEFAULT_REGISTRY), text),
    };
    let registry = if registry == "index.docker.io" {
        Cow::Borrowed(DEFAULT_REGISTRY)
    } else {
        registry
    };
    // Docker Hub keeps one-part names in `library`. A pattern that crosses parts means all of it.
    if registry == DEFAULT_REGISTRY && !path.contains('/') && !path.is_empty() && path != "**" {
        return (registry, Cow::Owned(format!("library/{path}")));
    }
    (registry, Cow::Borrowed(path))
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    };
    let valid_port = port.is_none_or(|port| {
        port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0)
    });
    let valid_host = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        // An IPv6 address by its characters; whether it exists is found by connecting.
        Some(address) => {
            address.contains(':')
                && address
                    .bytes()
                    .all(|c| c.is_ascii_hexdigit() || matches!(c, b':' | b'.'))
        }
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        }),
    };
    valid_port && valid_host
}

/// Runs of letters and digits, joined by one dot, one or two underscores, or any dashes.
fn is_path_part(part: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(alnum)
        && part.ends_with(alnum)
        && part
            .split(alnum)
            .filter(|joint| !joint.is_empty())
            .all(|joint| matches!(joint, "." | "_" | "__") || joint.bytes().all(|c| c == b'-'))
}

/// A string in serde and in JSON Schema, read by `FromStr`.
macro_rules! text_type {
    ($name:ident, $schema:literal, $description:literal, $limit:expr) => {
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "description": $description,
                    "minLength": 1,
                    "maxLength": $limit
                })
            }
        }
    };
}

text_type!(
    Digest,
    "Digest",
    "sha256: and 64 hexadecimal characters.",
    71
);
text_type!(
    Repository,
    "Repository",
    "A repository with its registry, such as registry.example.com/shop/storefront.",
    REPOSITORY_LIMIT
);
text_type!(
    ImageRef,
    "ImageRef",
    "An image, such as registry.example.com/shop/storefront:v1.4.2.",
    REPOSITORY_LIMIT + TAG_LIMIT + 73
);
text_type!(
    RepositoryGlob,
    "RepositoryGlob",
    "A pattern of repositories, such as registry.example.com/shop/*. * stays within one part, ** crosses parts; ** alone is every repository.",
    300
);
text_type!(
    TagGlob,
    "TagGlob",
    "A pattern of tags, such as v*.",
    TAG_LIMIT
);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Display for RepositoryGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TagGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
