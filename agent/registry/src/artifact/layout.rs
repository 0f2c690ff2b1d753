//! What a manifest of a plugin looks like. Pure: from bytes to a layer, or to a reason in words.
//!
//! The layout is the CNCF's: a configuration of type `application/vnd.wasm.config.v0+json` and exactly
//! one layer `application/wasm`. Whatever else registries hold is refused with the name of what it is.

use serde::Deserialize;
use sluice_core::hash::sha256_hex;

use super::{ArtifactFault, LAYOUT, WasmLayer};
use crate::digest::Digest;
use crate::fault::{Ask, quotable};
use crate::part::Part;

/// Media type of the configuration.
pub(super) const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// Media type of the layer.
pub(super) const LAYER_TYPE: &str = "application/wasm";
/// Media type of the manifest.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The interface family that plugins are built for.
pub(super) const OS: &str = "wasip2";

/// Why a manifest is none of a plugin: one clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Layout(String),
    TooLarge(String),
}

impl Unfit {
    pub(super) fn into_fault(self, ask: &Ask) -> ArtifactFault {
        match self {
            Self::Layout(why) => ArtifactFault::Layout(ask.message(why, LAYOUT)),
            Self::TooLarge(why) => ArtifactFault::TooLarge(ask.message(
                why,
                "Build it with optimisation for size and without debug information",
            )),
        }
    }
}

/// The two parts of a plugin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) config: WasmLayer,
    pub(super) layer: WasmLayer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<Part>,
    #[serde(default)]
    layers: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    layer_digests: Option<Vec<String>>,
}

/// The parts that a manifest declares, where it is one of a plugin of at most `most` bytes.
pub(super) fn manifest(bytes: &[u8], most: u64) -> Result<Parts, Unfit> {
    let refuse = |why: String| Err(Unfit::Layout(why));
    let Ok(document) = serde_json::from_slice::<Document>(bytes) else {
        return refuse("what has this digest is no image manifest".to_owned());
    };
    let kind = document.media_type.as_deref().unwrap_or_default();
    if document.manifests.is_some() || kind.contains("index") || kind.contains("manifest.list") {
        return refuse(
            "this is an index of several images, and a plugin is a single manifest".to_owned(),
        );
    }
    let Some(config) = document.config else {
        return refuse("its manifest has no configuration".to_owned());
    };
    if config.media_type != CONFIG_TYPE {
        return refuse(match config.media_type.as_str() {
            "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json" => {
                "this is a container image, not a plugin".to_owned()
            }
            other => format!(
                "its configuration is of type \"{}\", and that of a plugin of {CONFIG_TYPE}",
                quotable(other)
            ),
        });
    }
    let layers = document.layers.unwrap_or_default();
    let [layer] = layers.as_slice() else {
        return refuse(format!(
            "it has {} layers, and a plugin has exactly one",
            layers.len()
        ));
    };
    if layer.media_type != LAYER_TYPE {
        let shown = quotable(&layer.media_type);
        return refuse(if packed(&layer.media_type) {
            format!(
                "its layer is packed (\"{shown}\"); nothing is unpacked here, so the layer must be \
                 {LAYER_TYPE} as it is"
            )
        } else {
            format!("its layer is of type \"{shown}\", and that of a plugin of {LAYER_TYPE}")
        });
    }
    if layer.size > most {
        return Err(Unfit::TooLarge(format!(
            "the component has {} bytes, and at most {most} are read",
            layer.size
        )));
    }
    let part = |part: &Part| match Digest::parse(&part.digest) {
        Some(_) => Ok(WasmLayer {
            digest: part.digest.clone(),
            size: part.size,
        }),
        None => Err(Unfit::Layout(format!(
            "its manifest names \"{}\", which is not a sha256 digest",
            quotable(&part.digest)
        ))),
    };
    Ok(Parts {
        config: part(&config)?,
        layer: part(layer)?,
    })
}

/// Whether a media type says that its content is compressed or an archive.
fn packed(media_type: &str) -> bool {
    ["gzip", "zstd", "+zip", "tar", "compressed"]
        .iter()
        .any(|word| media_type.contains(word))
}

/// `Ok` where the configuration is that of this component and of interfaces that are served here.
pub(super) fn configuration(bytes: &[u8], layer: &WasmLayer) -> Result<(), Unfit> {
    let Ok(configuration) = serde_json::from_slice::<Configuration>(bytes) else {
        return Err(Unfit::Layout("its configuration is no JSON".to_owned()));
    };
    if let Some(os) = configuration.os.filter(|os| os != OS) {
        return Err(Unfit::Layout(format!(
            "it is built for \"{}\", and plugins are built for {OS}",
            quotable(&os)
        )));
    }
    match configuration.layer_digests {
        Some(digests) if digests != [layer.digest.as_str()] => Err(Unfit::Layout(
            "its configuration is that of another component".to_owned(),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Digest and size of these bytes, as a manifest declares them.
pub(super) fn declared(bytes: &[u8]) -> WasmLayer {
    WasmLayer {
        digest: format!("sha256:{}", sha256_hex(bytes)),
        size: bytes.len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// A change of one part.
    type Change = fn(&mut Value);

    fn document() -> Value {
        let digest = |byte: &str| format!("sha256:{}", byte.repeat(32));
        json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest("0c"), "size": 100},
            "layers": [{"mediaType": LAYER_TYPE, "digest": digest("0a"), "size": 1000}],
        })
    }

    fn of(change: Change) -> Result<Parts, Unfit> {
        let mut value = document();
        change(&mut value);
        manifest(value.to_string().as_bytes(), 1000)
    }

    #[test]
    fn one_uncompressed_layer_is_a_plugin() {
        let parts = of(|_| ()).unwrap();
        assert_eq!(parts.layer.size, 1000);
        assert!(parts.layer.digest.contains("0a0a") && parts.config.digest.contains("0c0c"));
        assert_eq!(of(|v| v["mediaType"] = Value::Null), of(|_| ()));
        assert_eq!(of(|v| v["annotations"] = json!({"a": "b"})), of(|_| ()));
    }

    #[test]
    fn everything_else_is_refused_by_its_name() {
        let refused: [(Change, &str); 11] = [
            (|v| *v = json!("x"), "no image manifest"),
            (|v| v["manifests"] = json!([]), "an index"),
            (
                |v| v["mediaType"] = json!("application/vnd.oci.image.index.v1+json"),
                "an index",
            ),
            (|v| v["config"] = Value::Null, "no configuration"),
            (
                |v| v["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json"),
                "container image",
            ),
            (
                |v| v["config"]["mediaType"] = json!("text/plain"),
                "text/plain",
            ),
            (
                |v| {
                    let layer = v["layers"][0].clone();
                    v["layers"] = json!([layer, layer]);
                },
                "2 layers",
            ),
            (|v| v["layers"] = Value::Null, "0 layers"),
            (
                |v| v["layers"][0]["mediaType"] = json!("application/wasm+gzip"),
                "packed",
            ),
            (
                |v| v["layers"][0]["mediaType"] = json!("application/octet-stream"),
                "octet-stream",
            ),
            (|v| v["layers"][0]["digest"] = json!("md5:00"), "md5:00"),
        ];
        for (change, part) in refused {
            let Err(Unfit::Layout(why)) = of(change) else {
                panic!("taken: {part}");
            };
            assert!(why.contains(part), "{why}");
        }
        let Err(Unfit::TooLarge(why)) = of(|v| v["layers"][0]["size"] = json!(1001)) else {
            panic!("taken");
        };
        assert!(why.contains("1001"), "{why}");
    }

    #[test]
    fn the_configuration_is_that_of_the_component() {
        let layer = declared(b"component");
        let of = |value: Value| configuration(value.to_string().as_bytes(), &layer);
        assert_eq!(of(json!({})), Ok(()));
        let own = json!({"os": OS, "architecture": "wasm", "layerDigests": [layer.digest]});
        assert_eq!(of(own), Ok(()));
        for (value, part) in [
            (json!({"os": "wasip1"}), "wasip1"),
            (json!({"layerDigests": []}), "another component"),
            (json!({"layerDigests": ["sha256:00"]}), "another component"),
            (json!("x"), "no JSON"),
        ] {
            let Err(Unfit::Layout(why)) = of(value) else {
                panic!("taken: {part}");
            };
            assert!(why.contains(part), "{why}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(manifest(&bytes, 1).is_err());
            let _ = configuration(&bytes, &declared(b""));
        }
    }
}
