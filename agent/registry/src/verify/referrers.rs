//! Sigstore bundles that refer to the image, by the registry's list of referrers or by the tag
//! `sha256-<hex>` that stands for it where a registry has none (OCI distribution 1.1).

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use oci_client::manifest::OCI_IMAGE_INDEX_MEDIA_TYPE;
use serde::Deserialize;
use sluice_core::port::RegistryFault;

use super::{MOST_LIST_BYTES, MOST_SIGNATURE_BYTES, MOST_SIGNATURES, Search};
use crate::content;
use crate::digest::Digest;
use crate::part::Part;
use crate::signature::Signature;

/// Bundles of this version alone: older ones may lack the proof that the log has the entry.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Where cosign says, for whoever filters, what a bundle is about.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
/// A manifest of one bundle has under 1 KiB.
const MOST_MANIFEST_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    subject: Option<Part>,
    #[serde(default)]
    layers: Option<Vec<Part>>,
}

impl Descriptor {
    /// Whether it may be a signature. Attestations are told apart by the statement itself, too.
    fn may_sign(&self) -> bool {
        let predicate = self.annotations.as_ref().and_then(|all| all.get(PREDICATE));
        self.artifact_type.as_deref() == Some(BUNDLE)
            && predicate.is_none_or(|kind| kind == crate::sigstore::IMAGE_SIGNATURE)
    }
}

pub(super) async fn search(search: &mut Search<'_>) -> Result<(), RegistryFault> {
    let Some(list) = list(search).await? else {
        return Ok(());
    };
    let Ok(index) = serde_json::from_slice::<Index>(&list) else {
        search.cannot_tell("the list of what refers to the image is no image index");
        return Ok(());
    };
    let all = index.manifests.unwrap_or_default();
    let bundles: Vec<_> = all.iter().filter(|one| one.may_sign()).collect();
    if bundles.len() > MOST_SIGNATURES {
        search.cannot_tell(format!(
            "{} signatures refer to the image, of which only {MOST_SIGNATURES} are looked at",
            bundles.len()
        ));
    }
    for descriptor in bundles.into_iter().take(MOST_SIGNATURES) {
        if search.is_over() {
            break;
        }
        bundle(search, &descriptor.digest).await?;
    }
    Ok(())
}

/// The list of referrers, if there is any.
async fn list(search: &mut Search<'_>) -> Result<Option<bytes::Bytes>, RegistryFault> {
    let session = search.session;
    let mut url = session.address(&format!("referrers/{}", search.digest))?;
    url.query_pairs_mut().append_pair("artifactType", BUNDLE);
    let accept = HeaderValue::from_static(OCI_IMAGE_INDEX_MEDIA_TYPE);
    let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
    let response = session.send(Method::GET, url, headers).await?;
    match response.status() {
        StatusCode::OK => {
            if response.headers().contains_key(header::LINK) {
                search.cannot_tell(
                    "the registry's list of what refers to the image has more than one page",
                );
            }
            session.body(response, MOST_LIST_BYTES).await.map(Some)
        }
        // What registries answer that do not know the request.
        StatusCode::NOT_FOUND
        | StatusCode::BAD_REQUEST
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_IMPLEMENTED => {
            let tag = search.digest.as_str().replace(':', "-");
            content::tagged(session, &tag, MOST_LIST_BYTES).await
        }
        _ => Err(session.refusal(response).await),
    }
}

async fn bundle(search: &mut Search<'_>, digest: &str) -> Result<(), RegistryFault> {
    let session = search.session;
    let Some(digest) = Digest::parse(digest) else {
        search.cannot_tell("the list of what refers to the image has a digest that is none");
        return Ok(());
    };
    let bytes = content::manifest(session, &digest, MOST_MANIFEST_BYTES).await?;
    let part = serde_json::from_slice::<Manifest>(&bytes)
        .ok()
        .filter(|manifest| {
            let about = manifest.subject.as_ref().map(|subject| &*subject.digest);
            about == Some(search.digest.as_str())
        })
        .and_then(|manifest| one(manifest.layers?))
        .filter(|part| part.media_type == BUNDLE && part.size <= MOST_SIGNATURE_BYTES as u64)
        .and_then(|part| Digest::parse(&part.digest));
    let Some(part) = part else {
        search.cannot_tell(format!(
            "{digest} is listed as a signature of the image, and is none of at most \
             {MOST_SIGNATURE_BYTES} bytes"
        ));
        return Ok(());
    };
    let bundle = content::blob(session, &part, MOST_SIGNATURE_BYTES).await?;
    search.try_one(&Signature::Bundle(bundle));
    Ok(())
}

/// The only element.
fn one<T>(mut all: Vec<T>) -> Option<T> {
    let last = all.pop();
    last.filter(|_| all.is_empty())
}
