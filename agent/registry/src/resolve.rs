//! The digest behind a tag. A registry's word is not enough: the manifest's own bytes must have the
//! digest (reliability.md S1, attack 2). What was checked once is remembered, so that an unmoved tag
//! costs one HEAD.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE, OciManifest,
};
use reqwest::Response;
use sluice_core::port::RegistryFault;

use crate::digest::Digest;
use crate::fault::{BROKEN, WAIT, quotable};
use crate::repository::is_tag;
use crate::session::Session;

const DIGEST_HEADER: &str = "docker-content-digest";
/// Entity tags are short; a longer one is not worth remembering.
const MOST_ETAG_BYTES: usize = 256;

/// The digest of what `tag` names now.
pub(crate) async fn resolve(session: &Session<'_>, tag: &str) -> Result<Digest, RegistryFault> {
    if !is_tag(tag) {
        let cause = format!("\"{}\" is not a tag", quotable(tag));
        return Err(session.ask.not_found(cause, "Check the tag's name"));
    }
    let url = session.address(&format!("manifests/{tag}"))?;
    let response = session.send(Method::HEAD, url, accept(session)?).await?;
    match response.status() {
        StatusCode::OK => match stated(session, &response)? {
            Some(digest) => verify(session, digest).await,
            None => download(session, tag).await,
        },
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            download(session, tag).await
        }
        _ => Err(session.refusal(response).await),
    }
}

/// Indexes and manifests, OCI's and Docker's: whatever the tag names, not a conversion of it.
pub(crate) fn accept(session: &Session<'_>) -> Result<HeaderMap, RegistryFault> {
    let types = [
        OCI_IMAGE_INDEX_MEDIA_TYPE,
        OCI_IMAGE_MEDIA_TYPE,
        IMAGE_MANIFEST_LIST_MEDIA_TYPE,
        IMAGE_MANIFEST_MEDIA_TYPE,
    ];
    let value = HeaderValue::from_str(&types.join(", "))
        .map_err(|error| session.ask.unavailable(error, BROKEN))?;
    Ok(HeaderMap::from_iter([(header::ACCEPT, value)]))
}

/// The digest that the registry states; `None` where it states none.
fn stated(session: &Session<'_>, response: &Response) -> Result<Option<Digest>, RegistryFault> {
    let Some(value) = response
        .headers()
        .get(DIGEST_HEADER)
        .filter(|value| !value.is_empty())
    else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    Digest::parse(&text).map(Some).ok_or_else(|| {
        let cause = format!("the registry states the digest \"{}\"", quotable(&text));
        session.ask.unavailable(
            cause,
            "Only sha256 digests are accepted; nothing was changed",
        )
    })
}

/// Makes sure that the registry serves content with this very digest.
async fn verify(session: &Session<'_>, digest: Digest) -> Result<Digest, RegistryFault> {
    let key = (session.repository.clone(), digest.clone());
    if session.memory().verified.get(&key).is_some() {
        return Ok(digest);
    }
    let url = session.address(&format!("manifests/{digest}"))?;
    let response = session.send(Method::GET, url, accept(session)?).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            let cause = format!("the registry states the digest {digest} but has no such manifest");
            return Err(session.ask.unavailable(cause, WAIT));
        }
        _ => return Err(session.refusal(response).await),
    }
    let actual = hash(session, response).await?;
    if actual != digest {
        return Err(mismatch(session, &digest, &actual));
    }
    session.memory().verified.put(key, ());
    Ok(digest)
}

/// Reads the manifest under the tag and hashes it, for registries that state no digest. An unchanged
/// one is not sent again where the registry knows entity tags.
async fn download(session: &Session<'_>, tag: &str) -> Result<Digest, RegistryFault> {
    let key = (session.repository.clone(), tag.to_owned());
    let known = session.memory().etags.get(&key).cloned();
    let mut headers = accept(session)?;
    if let Some((etag, _)) = &known {
        headers.insert(header::IF_NONE_MATCH, etag.clone());
    }
    let url = session.address(&format!("manifests/{tag}"))?;
    let response = session.send(Method::GET, url, headers).await?;
    match (response.status(), known) {
        (StatusCode::NOT_MODIFIED, Some((_, digest))) => return Ok(digest),
        (StatusCode::OK, _) => {}
        _ => return Err(session.refusal(response).await),
    }
    let stated = stated(session, &response)?;
    let etag = response.headers().get(header::ETAG).cloned();
    let actual = hash(session, response).await?;
    if let Some(stated) = stated.filter(|stated| *stated != actual) {
        return Err(mismatch(session, &stated, &actual));
    }
    let mut memory = session.memory();
    memory
        .verified
        .put((session.repository.clone(), actual.clone()), ());
    match etag.filter(|etag| etag.len() <= MOST_ETAG_BYTES) {
        Some(etag) => memory.etags.put(key, (etag, actual.clone())),
        None => memory.etags.remove(&key),
    }
    Ok(actual)
}

/// The digest of a body, which must be a manifest: a proxy's login page has a hash too.
async fn hash(session: &Session<'_>, response: Response) -> Result<Digest, RegistryFault> {
    let body = session
        .body(response, session.registry.limits.manifest_bytes)
        .await?;
    serde_json::from_slice::<OciManifest>(&body).map_err(|_| {
        session
            .ask
            .unavailable("the answer is not an image manifest or index", BROKEN)
    })?;
    Ok(Digest::of(&body))
}

pub(crate) fn mismatch(session: &Session<'_>, stated: &Digest, actual: &Digest) -> RegistryFault {
    let cause = format!("the registry states the digest {stated}, but its manifest has {actual}");
    session.ask.unavailable(
        cause,
        "The image was not used; find out who or what changes content between the registry and \
         here",
    )
}
