//! The JSON documents of an image, after the OCI image specification 1.1.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::layer::Layer;
use crate::{Digest, Error, ImageSpec, Result};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Programs that start others look here; ours do not.
const PATH: &str = "PATH=/usr/bin:/bin";

/// The config: what a runtime does with the image.
pub(crate) fn config(spec: &ImageSpec, architecture: &str, layers: &[Layer]) -> Result<Vec<u8>> {
    let created = Timestamp::from_second(spec.created)
        .map_err(|_| Error::Value {
            what: "time of the image",
            value: spec.created.to_string(),
            why: "seconds since 1970 are expected",
        })?
        .to_string();
    let entrypoint = if spec.entrypoint.is_empty() {
        vec![spec.program_path.clone()]
    } else {
        spec.entrypoint.clone()
    };
    let variables: Vec<String> = std::iter::once(PATH.to_owned())
        .chain(
            spec.env
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        )
        .collect();
    let history: Vec<Value> = layers
        .iter()
        .map(|layer| json!({"created": created, "created_by": "sluice-image", "comment": layer.title}))
        .collect();
    let diff_ids: Vec<String> = layers.iter().map(|l| l.diff_id.to_string()).collect();
    Ok(bytes(&json!({
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": format!("{0}:{0}", spec.user),
            "Env": variables,
            "Entrypoint": entrypoint,
            "Cmd": spec.cmd,
            "WorkingDir": "/",
            "Labels": spec.labels,
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    })))
}

/// The manifest: its digest is the image's.
pub(crate) fn manifest(spec: &ImageSpec, config: &[u8], layers: &[Layer]) -> Vec<u8> {
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| {
            json!({
                "mediaType": LAYER,
                "digest": layer.digest.to_string(),
                "size": layer.bytes.len(),
            })
        })
        .collect();
    bytes(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": CONFIG,
            "digest": Digest::of(config).to_string(),
            "size": config.len(),
        },
        "layers": layers,
        "annotations": spec.labels,
    }))
}

/// The index of an archive: which manifest, and what it is called.
pub(crate) fn index(spec: &ImageSpec, architecture: &str, manifest: &[u8]) -> Result<Vec<u8>> {
    Ok(bytes(&json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST,
            "digest": Digest::of(manifest).to_string(),
            "size": manifest.len(),
            "platform": {"architecture": architecture, "os": "linux"},
            "annotations": {
                "io.containerd.image.name": spec.name,
                "org.opencontainers.image.ref.name": tag(&spec.name)?,
            },
        }],
    })))
}

/// The tag in a full name.
fn tag(name: &str) -> Result<&str> {
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, tag)) if !tag.is_empty() && !tag.contains('@') && name.contains('/') => Ok(tag),
        _ => Err(Error::Value {
            what: "image name",
            value: name.to_owned(),
            why: "a full name with a tag is expected, such as registry.example.com/shop/web:v1.0.0",
        }),
    }
}

/// Keys in order: `serde_json` keeps them sorted.
fn bytes(document: &Value) -> Vec<u8> {
    document.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn a_name_has_a_tag() {
        assert_eq!(tag("127.0.0.1:5000/shop/web:v1").unwrap(), "v1");
        for name in [
            "web:v1",
            "127.0.0.1:5000/shop/web",
            "r.example.com/web:",
            "r.example.com/web:v1@sha256:a",
            "",
        ] {
            assert!(tag(name).is_err(), "{name}");
        }
    }
}
