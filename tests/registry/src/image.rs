//! Builds the smallest real image: one layer, a config, a manifest.

use bytes::Bytes;
use serde_json::json;

use crate::store::digest_of;

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// The parts of one image. The digest of `manifest` is the image's.
pub(crate) struct Image {
    pub(crate) layer: Bytes,
    pub(crate) config: Bytes,
    pub(crate) manifest: Bytes,
}

impl Image {
    /// An image whose only layer is `content`. The same content is the same digest.
    pub(crate) fn of(content: &str) -> Self {
        let layer = Bytes::copy_from_slice(content.as_bytes());
        let config = Bytes::from(
            json!({
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(&layer)]},
            })
            .to_string(),
        );
        let manifest = Bytes::from(
            json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(&config), "size": config.len()},
                "layers": [{"mediaType": LAYER_TYPE, "digest": digest_of(&layer), "size": layer.len()}],
            })
            .to_string(),
        );
        Self {
            layer,
            config,
            manifest,
        }
    }
}

/// An image index over the manifests with these digests and sizes, one a platform.
pub(crate) fn index(manifests: &[(String, usize)]) -> Bytes {
    let architectures = ["amd64", "arm64", "s390x", "ppc64le"];
    let entries: Vec<_> = manifests
        .iter()
        .zip(architectures.iter().cycle())
        .map(|((digest, size), architecture)| {
            json!({
                "mediaType": MANIFEST_TYPE, "digest": digest, "size": size,
                "platform": {"architecture": architecture, "os": "linux"},
            })
        })
        .collect();
    Bytes::from(
        json!({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}).to_string(),
    )
}
