//! What an image says about itself: annotations of its index and manifest, labels of its
//! configuration. The digest that was asked for stays the one that counts; a manifest for one
//! platform is read through it, by the digest that the index lists (attack 3).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use sluice_core::image::facts::{CREATED, ImageFacts, REVISION, SOURCE};
use sluice_core::port::RegistryFault;

use crate::content;
use crate::fault::BROKEN;
use crate::session::Session;

/// A configuration has the image's history: kilobytes, seldom more.
const MOST_CONFIG_BYTES: usize = 1024 * 1024;
/// Platforms and attestations that an index may list.
const MOST_CHILDREN: usize = 256;
/// Kept where the policy asks for nothing: what approvers want to see.
const WELL_KNOWN: [&str; 8] = [
    SOURCE,
    REVISION,
    CREATED,
    "org.opencontainers.image.version",
    "org.opencontainers.image.title",
    "org.opencontainers.image.url",
    "org.opencontainers.image.base.name",
    "org.opencontainers.image.base.digest",
];

type Annotations = BTreeMap<String, String>;

/// The parts of a manifest or index that are read. `null` stands for an empty list or map, as Go
/// programs write it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    annotations: Option<Annotations>,
    config: Option<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Descriptor {
    media_type: String,
    digest: String,
    annotations: Option<Annotations>,
    platform: Option<Platform>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    created: Option<String>,
    config: Option<Labels>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Labels {
    labels: Option<Annotations>,
}

/// Reads the facts of the image with this digest.
pub(crate) async fn describe(
    session: &Session<'_>,
    digest: &str,
    keys: &[String],
) -> Result<ImageFacts, RegistryFault> {
    // From the outermost, which is what was asked for, to the innermost.
    let mut sources: Vec<Annotations> = Vec::new();
    let mut document = read(session, digest).await?;
    sources.extend(document.annotations.take());
    if let Some(children) = &document.manifests {
        let child = child(session, children)?;
        sources.extend(child.annotations.clone());
        let inner = read(session, &child.digest).await?;
        sources.extend(inner.annotations.clone());
        document = inner;
    }
    let mut times = Vec::new();
    // Artifacts such as Helm charts have a configuration that is none of an image.
    if let Some(config) = document
        .config
        .filter(|config| is_image_config(&config.media_type))
    {
        let digest = content::named(session, &config.digest)?;
        let bytes = content::blob(session, &digest, MOST_CONFIG_BYTES).await?;
        let config: Config = parse(session, &bytes, "the image's configuration")?;
        times.extend(config.created);
        sources.extend(config.config.and_then(|config| config.labels));
    }
    times.extend(sources.iter().filter_map(|of| of.get(CREATED)).cloned());
    Ok(facts(&sources, &times, keys))
}

fn facts(sources: &[Annotations], times: &[String], keys: &[String]) -> ImageFacts {
    // The newest of several: a minimum age must not shrink by what only one part says.
    let times = times
        .iter()
        .filter_map(|text| text.parse::<Timestamp>().ok());
    let mut facts = ImageFacts {
        created: times.max(),
        ..ImageFacts::default()
    };
    let known = WELL_KNOWN.iter().copied();
    for key in keys.iter().map(String::as_str).chain(known) {
        // The outermost that has the key says it, also where its value is too long to be kept.
        if let Some(value) = sources.iter().find_map(|of| of.get(key)) {
            facts.keep(key, value);
        }
    }
    facts
}

async fn read(session: &Session<'_>, digest: &str) -> Result<Document, RegistryFault> {
    let digest = content::named(session, digest)?;
    let limit = session.registry.limits.manifest_bytes;
    let bytes = content::manifest(session, &digest, limit).await?;
    parse(session, &bytes, "the manifest")
}

fn parse<'a, T: Deserialize<'a>>(
    session: &Session<'_>,
    bytes: &'a [u8],
    what: &str,
) -> Result<T, RegistryFault> {
    serde_json::from_slice(bytes).map_err(|_| {
        let cause = format!("{what} is not the JSON that it should be");
        session.ask.unavailable(cause, BROKEN)
    })
}

/// The platform whose labels stand for all: linux/amd64, or the first that is one. All are built
/// from one source; attestations lie beside them as `unknown/unknown`.
fn child<'a>(
    session: &Session<'_>,
    children: &'a [Descriptor],
) -> Result<&'a Descriptor, RegistryFault> {
    if children.len() > MOST_CHILDREN {
        let cause = format!("the index lists more than {MOST_CHILDREN} manifests");
        return Err(session.ask.unavailable(cause, BROKEN));
    }
    let is = |child: &Descriptor, os: &str, architecture: &str| {
        child
            .platform
            .as_ref()
            .is_some_and(|on| on.os == os && on.architecture == architecture)
    };
    children
        .iter()
        .find(|child| is(child, "linux", "amd64"))
        .or_else(|| {
            children
                .iter()
                .find(|child| !is(child, "unknown", "unknown"))
        })
        .ok_or_else(|| {
            session
                .ask
                .unavailable("the index lists no image for any platform", BROKEN)
        })
}

fn is_image_config(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Annotations {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn the_outermost_says_it_and_asked_keys_come_first() {
        let sources = [
            of(&[(SOURCE, "https://git.example.com/a")]),
            of(&[(SOURCE, "https://git.example.com/b"), ("team", "shop")]),
        ];
        let facts = facts(&sources, &[], &["team".to_owned(), "missing".to_owned()]);
        assert_eq!(facts.source(), Some("https://git.example.com/a"));
        assert_eq!(facts.annotations.len(), 2);
    }

    #[test]
    fn a_value_that_is_too_long_is_not_replaced_by_an_inner_one() {
        let long = "x".repeat(600);
        let sources = [of(&[("team", &long)]), of(&[("team", "shop")])];
        let facts = facts(&sources, &[], &["team".to_owned()]);
        assert!(facts.annotations.is_empty());
    }

    #[test]
    fn the_newest_time_counts() {
        let times = [
            "2026-11-20T10:00:00Z",
            "soon",
            "2026-11-21T10:00:00.5+01:00",
        ];
        let facts = facts(&[], &times.map(str::to_owned), &[]);
        assert_eq!(
            facts.created,
            Some("2026-11-21T09:00:00.5Z".parse().unwrap())
        );
    }
}
