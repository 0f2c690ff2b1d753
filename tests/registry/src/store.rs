//! What the registry holds: blobs, manifests, tags, and uploads under way. In memory only.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

/// All blobs, manifests and open uploads together; a test's images are a few hundred bytes each.
pub(crate) const MOST_BYTES: usize = 256 * 1024 * 1024;

/// `sha256:` and the hash of `bytes` in lower-case hex.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::from("sha256:"), |mut text, byte| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The registry holds no such image.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry holds no {what} in {repository}; push it first")]
pub struct UnknownImage {
    /// The repository, such as `shop/storefront`.
    pub repository: String,
    /// The tag or digest that is missing.
    pub what: String,
}

/// A stored manifest.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Default)]
struct Repository {
    blobs: HashMap<String, Bytes>,
    manifests: HashMap<String, Manifest>,
    tags: BTreeMap<String, String>,
}

/// Why a write was refused, as an OCI error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    DigestInvalid,
    ManifestInvalid,
    BlobUnknown,
    UploadUnknown,
    Full,
}

/// Everything the registry holds.
#[derive(Debug, Default)]
pub(crate) struct Store {
    repositories: BTreeMap<String, Repository>,
    uploads: HashMap<u64, BytesMut>,
    next_upload: u64,
    bytes: usize,
}

impl Store {
    /// Refuses a write that does not fit. What the registry's owner stores is not limited.
    pub(crate) fn room_for(&self, more: usize) -> Result<(), Refused> {
        let fits = self.bytes.saturating_add(more) <= MOST_BYTES;
        if fits { Ok(()) } else { Err(Refused::Full) }
    }

    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Bytes> {
        self.repositories
            .get(repository)?
            .blobs
            .get(digest)
            .cloned()
    }

    pub(crate) fn insert_blob(&mut self, repository: &str, bytes: Bytes) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        let held = self.repositories.entry(repository.to_owned()).or_default();
        held.blobs.insert(digest_of(&bytes), bytes);
    }

    pub(crate) fn begin_upload(&mut self) -> u64 {
        self.next_upload += 1;
        self.uploads.insert(self.next_upload, BytesMut::new());
        self.next_upload
    }

    /// Appends to an upload; answers its length.
    pub(crate) fn append(&mut self, upload: u64, bytes: &[u8]) -> Result<usize, Refused> {
        self.room_for(bytes.len())?;
        let so_far = self
            .uploads
            .get_mut(&upload)
            .ok_or(Refused::UploadUnknown)?;
        so_far.extend_from_slice(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len());
        Ok(so_far.len())
    }

    /// Ends an upload as the blob with this digest.
    pub(crate) fn finish_upload(
        &mut self,
        repository: &str,
        upload: u64,
        digest: &str,
    ) -> Result<(), Refused> {
        let bytes = self
            .uploads
            .remove(&upload)
            .ok_or(Refused::UploadUnknown)?
            .freeze();
        self.bytes = self.bytes.saturating_sub(bytes.len());
        if digest_of(&bytes) != digest {
            return Err(Refused::DigestInvalid);
        }
        self.insert_blob(repository, bytes);
        Ok(())
    }

    /// The manifest under a tag or a digest, with its digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<(String, Manifest)> {
        let held = self.repositories.get(repository)?;
        let digest = held.tags.get(reference).map_or(reference, String::as_str);
        held.manifests
            .get(digest)
            .map(|manifest| (digest.to_owned(), manifest.clone()))
    }

    /// Stores a manifest that came from outside: its digest, form and parts are checked.
    pub(crate) fn put_manifest(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: Manifest,
    ) -> Result<String, Refused> {
        self.room_for(manifest.bytes.len())?;
        if reference.contains(':') && reference != digest_of(&manifest.bytes) {
            return Err(Refused::DigestInvalid);
        }
        let parsed: serde_json::Value =
            serde_json::from_slice(&manifest.bytes).map_err(|_| Refused::ManifestInvalid)?;
        let held = self.repositories.get(repository);
        let has_blob = |digest| held.is_some_and(|held| held.blobs.contains_key(digest));
        let has_manifest = |digest| held.is_some_and(|held| held.manifests.contains_key(digest));
        let mut blobs = parsed
            .get("config")
            .into_iter()
            .chain(list(&parsed, "layers"));
        if !blobs.all(|descriptor| has_blob(digest_field(descriptor)))
            || !list(&parsed, "manifests").all(|entry| has_manifest(digest_field(entry)))
        {
            return Err(Refused::BlobUnknown);
        }
        Ok(self.insert_manifest(repository, reference, manifest))
    }

    /// Stores a manifest under its digest, and under `reference` where that is a tag.
    pub(crate) fn insert_manifest(
        &mut self,
        repository: &str,
        reference: &str,
        manifest: Manifest,
    ) -> String {
        self.bytes = self.bytes.saturating_add(manifest.bytes.len());
        let digest = digest_of(&manifest.bytes);
        let held = self.repositories.entry(repository.to_owned()).or_default();
        held.manifests.insert(digest.clone(), manifest);
        if !reference.contains(':') {
            held.tags.insert(reference.to_owned(), digest.clone());
        }
        digest
    }

    /// Descriptors of the manifests whose subject this digest is.
    pub(crate) fn referrers(&self, repository: &str, digest: &str) -> Vec<serde_json::Value> {
        let Some(held) = self.repositories.get(repository) else {
            return Vec::new();
        };
        let mut found: Vec<_> = held
            .manifests
            .iter()
            .filter_map(|(own, manifest)| {
                let parsed: serde_json::Value = serde_json::from_slice(&manifest.bytes).ok()?;
                let is_about = digest_field(parsed.get("subject")?) == digest;
                is_about.then(|| {
                    serde_json::json!({
                        "mediaType": manifest.media_type, "digest": own,
                        "size": manifest.bytes.len(),
                        "artifactType": parsed.get("artifactType"),
                        "annotations": parsed.get("annotations"),
                    })
                })
            })
            .collect();
        found.sort_by(|a, b| digest_field(a).cmp(digest_field(b)));
        found
    }

    /// All tags, sorted; `None` where the repository is unknown.
    pub(crate) fn tags(&self, repository: &str) -> Option<Vec<String>> {
        Some(
            self.repositories
                .get(repository)?
                .tags
                .keys()
                .cloned()
                .collect(),
        )
    }

    pub(crate) fn retag(
        &mut self,
        repository: &str,
        tag: &str,
        digest: &str,
    ) -> Result<(), UnknownImage> {
        let unknown = || UnknownImage {
            repository: repository.to_owned(),
            what: digest.to_owned(),
        };
        let held = self.repositories.get_mut(repository).ok_or_else(unknown)?;
        if !held.manifests.contains_key(digest) {
            return Err(unknown());
        }
        held.tags.insert(tag.to_owned(), digest.to_owned());
        Ok(())
    }

    pub(crate) fn delete_tag(&mut self, repository: &str, tag: &str) -> bool {
        let held = self.repositories.get_mut(repository);
        held.is_some_and(|held| held.tags.remove(tag).is_some())
    }
}

fn list<'a>(
    value: &'a serde_json::Value,
    field: &str,
) -> impl Iterator<Item = &'a serde_json::Value> {
    value
        .get(field)
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
}

fn digest_field(descriptor: &serde_json::Value) -> &str {
    descriptor
        .get("digest")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_needs_its_blobs_and_its_own_digest() {
        let image = crate::image::Image::of("one");
        let manifest = Manifest {
            media_type: crate::image::MANIFEST_TYPE.to_owned(),
            bytes: image.manifest,
        };
        let mut store = Store::default();
        let missing = store.put_manifest("shop/a", "v1", manifest.clone());
        assert_eq!(missing, Err(Refused::BlobUnknown));
        store.insert_blob("shop/a", image.layer);
        store.insert_blob("shop/a", image.config);
        let other = format!("sha256:{}", "0".repeat(64));
        assert_eq!(
            store.put_manifest("shop/a", &other, manifest.clone()),
            Err(Refused::DigestInvalid)
        );
        let digest = store.put_manifest("shop/a", "v1", manifest).unwrap();
        assert_eq!(store.manifest("shop/a", "v1").unwrap().0, digest);
        assert!(store.manifest("shop/b", &digest).is_none());
    }

    #[test]
    fn an_upload_is_refused_under_a_foreign_digest() {
        let mut store = Store::default();
        let upload = store.begin_upload();
        assert_eq!(store.append(upload, b"ab"), Ok(2));
        assert_eq!(store.append(upload, b"cd"), Ok(4));
        let refused = store.finish_upload("a", upload, &digest_of(b"abc"));
        assert_eq!(refused, Err(Refused::DigestInvalid));
        assert_eq!(store.append(upload, b"e"), Err(Refused::UploadUnknown));
        assert!(store.blob("a", &digest_of(b"abcd")).is_none());
    }
}
