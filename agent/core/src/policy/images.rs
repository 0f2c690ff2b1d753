//! Which images may come: by repository, tag, annotations, signature and age.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::duration::HumanDuration;
use crate::glob::{Glob, Slash};
use crate::image::facts::ImageFacts;
use crate::image::facts::VALUE_LIMIT;
use crate::image::{ImageRef, RepositoryGlob, TagGlob};
use crate::problem::quoted;

/// Which images may come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagePolicy {
    /// Patterns, one of which must fit. `**` is every repository.
    #[schemars(length(min = 1))]
    pub repositories: Vec<RepositoryGlob>,
    /// Patterns, one of which must fit the tag. None: every tag that the pipeline follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagGlob>,
    /// How long the image must have been seen before it may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_age: Option<HumanDuration>,
    /// Names from `signers`, one of whom must have signed the digest. None: nobody needs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
    /// Annotations or labels of the image that must be there, each fitting its pattern.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, AnnotationGlob>,
}

/// A pattern of an annotation's whole value: `*` stays within one part of a path, `**` crosses parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AnnotationGlob(Glob);

impl AnnotationGlob {
    /// Whether the whole value fits.
    pub fn matches(&self, value: &str) -> bool {
        self.0.matches(value)
    }
}

impl FromStr for AnnotationGlob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err(format!("{} has control characters", quoted(text)));
        }
        Glob::new(text, Slash::Separates).map(Self)
    }
}

impl TryFrom<String> for AnnotationGlob {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AnnotationGlob> for String {
    fn from(glob: AnnotationGlob) -> Self {
        glob.to_string()
    }
}

impl fmt::Display for AnnotationGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl JsonSchema for AnnotationGlob {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AnnotationGlob".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A pattern of an annotation's value. * stays within one part of a path, \
                            ** crosses parts.",
            "minLength": 1,
            "maxLength": VALUE_LIMIT
        })
    }
}

/// Why an image may not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ImageRefusal {
    /// No pattern fits the repository.
    Repository {
        /// The repository.
        repository: String,
        /// The patterns.
        allowed: Vec<String>,
    },
    /// No pattern fits the tag.
    Tag {
        /// The tag. None: the image was named by digest alone, and so no tag can fit.
        tag: Option<String>,
        /// The patterns.
        allowed: Vec<String>,
    },
    /// The image does not say what it must.
    Annotation {
        /// The annotation or label.
        key: String,
        /// What it says. None: it is not there.
        found: Option<String>,
        /// The pattern.
        pattern: String,
    },
    /// None of the named signers signed this digest, as far as is known.
    Unsigned {
        /// Who should have.
        signers: Vec<String>,
        /// Who did, but under another definition than the policy's of now.
        outdated: Vec<String>,
    },
}

impl fmt::Display for ImageRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository {
                repository,
                allowed,
            } => {
                write!(
                    f,
                    "the repository {repository} fits none of {}",
                    allowed.join(", ")
                )
            }
            Self::Tag {
                tag: Some(tag),
                allowed,
            } => {
                write!(f, "the tag {tag} fits none of {}", allowed.join(", "))
            }
            Self::Tag { tag: None, allowed } => write!(
                f,
                "the image is named without a tag, and only the tags {} are allowed",
                allowed.join(", ")
            ),
            Self::Annotation {
                key,
                found: Some(found),
                pattern,
            } => write!(
                f,
                "its annotation {key} is {found}, which does not fit {pattern}"
            ),
            Self::Annotation {
                key,
                found: None,
                pattern,
            } => write!(f, "it has no annotation {key}, which must fit {pattern}"),
            Self::Unsigned { signers, outdated } => {
                write!(f, "it is not signed by {}", signers.join(" or "))?;
                if outdated.is_empty() {
                    return Ok(());
                }
                write!(
                    f,
                    "; the signature by {} was checked against an earlier definition of the signer: \
                     propose it again",
                    outdated.join(", ")
                )
            }
        }
    }
}

impl ImagePolicy {
    /// Whether repository and tag may come. Age is judged where the first sighting is known.
    pub fn check(&self, image: &ImageRef) -> Result<(), ImageRefusal> {
        if !self
            .repositories
            .iter()
            .any(|glob| glob.matches(&image.repository))
        {
            return Err(ImageRefusal::Repository {
                repository: image.repository.to_string(),
                allowed: self
                    .repositories
                    .iter()
                    .map(RepositoryGlob::to_string)
                    .collect(),
            });
        }
        let fits = |tag: &String| self.tags.iter().any(|glob| glob.matches(tag));
        if !self.tags.is_empty() && !image.tag.as_ref().is_some_and(fits) {
            return Err(ImageRefusal::Tag {
                tag: image.tag.clone(),
                allowed: self.tags.iter().map(TagGlob::to_string).collect(),
            });
        }
        Ok(())
    }

    /// Whether what the image says of itself, and who signed it, lets it come. All reasons against.
    pub fn check_facts(&self, about: &ImageFacts, policy: &Policy) -> Vec<ImageRefusal> {
        let mut out: Vec<ImageRefusal> = self
            .annotations
            .iter()
            .filter_map(|(key, pattern)| {
                let found = about.annotations.get(key);
                let fits = found.is_some_and(|text| pattern.matches(text));
                (!fits).then(|| ImageRefusal::Annotation {
                    key: key.clone(),
                    found: found.cloned(),
                    pattern: pattern.to_string(),
                })
            })
            .collect();
        if self.signed_by.is_empty() {
            return out;
        }
        let wanted = |name: &String| self.signed_by.contains(name);
        let proofs = about.signatures.iter().filter(|p| wanted(&p.signer));
        let (good, outdated): (Vec<_>, Vec<_>) = proofs.partition(|proof| {
            policy
                .signers
                .get(&proof.signer)
                .is_some_and(|signer| signer.definition() == proof.definition)
        });
        if good.is_empty() {
            out.push(ImageRefusal::Unsigned {
                signers: self.signed_by.clone(),
                outdated: outdated.iter().map(|p| p.signer.clone()).collect(),
            });
        }
        out
    }
}
