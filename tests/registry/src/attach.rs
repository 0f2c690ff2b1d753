//! Stores signatures where clients look for them.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::image::MANIFEST_TYPE;
use crate::registry::Registry;
use crate::signing::Layer;
use crate::store::{Manifest, Store, digest_of};

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE_SIGNING_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

impl Registry {
    /// Stores all signatures of an image under the tag `sha256-<hex>.sig`, in place of those that
    /// were there.
    pub fn attach(&self, repository: &str, digest: &str, layers: &[Layer]) {
        let store = &mut self.shared().state().store;
        let layers: Vec<_> = layers
            .iter()
            .map(|layer| {
                let bytes = Bytes::copy_from_slice(&layer.payload);
                let mut described = put(store, repository, SIMPLE_SIGNING_TYPE, bytes);
                if let Some(described) = described.as_object_mut() {
                    described.insert("annotations".to_owned(), json!(layer.annotations));
                }
                described
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": put(store, repository, EMPTY_TYPE, Bytes::from_static(b"{}")),
            "layers": layers,
        });
        let tag = format!("{}.sig", digest.replace(':', "-"));
        store.insert_manifest(repository, &tag, document(&manifest));
    }

    /// Stores a bundle that refers to an image. Answers the digest of its manifest.
    pub fn refer(&self, repository: &str, digest: &str, bundle: &Value) -> String {
        self.refer_bytes(repository, digest, bundle.to_string().into_bytes())
    }

    /// The same with any bytes in the bundle's place.
    pub fn refer_bytes(&self, repository: &str, digest: &str, bundle: Vec<u8>) -> String {
        let store = &mut self.shared().state().store;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": BUNDLE_TYPE,
            "config": put(store, repository, EMPTY_TYPE, Bytes::from_static(b"{}")),
            "layers": [put(store, repository, BUNDLE_TYPE, bundle.into())],
            "subject": {"mediaType": MANIFEST_TYPE, "digest": digest, "size": 1},
        });
        let own = digest_of(manifest.to_string().as_bytes());
        store.insert_manifest(repository, &own, document(&manifest))
    }

    /// Stores a manifest as it is, under a tag or its own digest. Answers its digest.
    pub fn push_manifest(&self, repository: &str, tag: Option<&str>, manifest: &Value) -> String {
        let own = digest_of(manifest.to_string().as_bytes());
        let store = &mut self.shared().state().store;
        store.insert_manifest(repository, tag.unwrap_or(&own), document(manifest))
    }

    /// Stores a blob. Answers its descriptor, of this media type.
    pub fn push_blob(&self, repository: &str, media_type: &str, bytes: Vec<u8>) -> Value {
        let store = &mut self.shared().state().store;
        put(store, repository, media_type, bytes.into())
    }
}

fn put(store: &mut Store, repository: &str, media_type: &str, bytes: Bytes) -> Value {
    let described = json!({
        "mediaType": media_type, "digest": digest_of(&bytes), "size": bytes.len(),
    });
    store.insert_blob(repository, bytes);
    described
}

fn document(manifest: &Value) -> Manifest {
    let media_type = manifest
        .get("mediaType")
        .and_then(Value::as_str)
        .unwrap_or(MANIFEST_TYPE);
    Manifest {
        media_type: media_type.to_owned(),
        bytes: Bytes::from(manifest.to_string()),
    }
}
