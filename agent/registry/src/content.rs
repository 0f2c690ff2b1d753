//! Content by digest: manifests and blobs, whose bytes are hashed before anybody reads them
//! (reliability.md S1, attacks 2 and 3).
//!
//! Registries keep blobs in storage under another name and lead there. That host is told nothing:
//! no credentials, and no address within the cluster's network (attack 26). What it answers counts
//! only if it has the right hash.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::Response;
use sluice_core::port::RegistryFault;
use url::Url;

use crate::auth::request;
use crate::digest::Digest;
use crate::fault::{BROKEN, WAIT, quotable};
use crate::resolve::{accept, mismatch};
use crate::session::Session;

/// Hosts that a blob may be fetched by way of. Docker Hub and the clouds use one.
const MOST_HOSTS: usize = 3;

/// The manifest or index with this digest, of at most `limit` bytes.
pub(crate) async fn manifest(
    session: &Session<'_>,
    digest: &Digest,
    limit: usize,
) -> Result<Bytes, RegistryFault> {
    let url = session.address(&format!("manifests/{digest}"))?;
    let response = session.send(Method::GET, url, accept(session)?).await?;
    let body = found(session, response, limit).await?;
    hashed(session, digest, body)
}

/// The manifest that a tag names now, of at most `limit` bytes; `None` where there is no such tag.
/// For what proves itself: nothing else may be read by tag.
pub(crate) async fn tagged(
    session: &Session<'_>,
    tag: &str,
    limit: usize,
) -> Result<Option<Bytes>, RegistryFault> {
    let url = session.address(&format!("manifests/{tag}"))?;
    let response = session.send(Method::GET, url, accept(session)?).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    found(session, response, limit).await.map(Some)
}

/// The blob with this digest, of at most `limit` bytes.
pub(crate) async fn blob(
    session: &Session<'_>,
    digest: &Digest,
    limit: usize,
) -> Result<Bytes, RegistryFault> {
    let response = stored(session, digest).await?;
    let body = found(session, response, limit).await?;
    hashed(session, digest, body)
}

/// The answer to the question for a blob, wherever the registry keeps it. Its body is not believed.
pub(crate) async fn stored(
    session: &Session<'_>,
    digest: &Digest,
) -> Result<Response, RegistryFault> {
    let url = session.address(&format!("blobs/{digest}"))?;
    let mut response = session.send(Method::GET, url, HeaderMap::new()).await?;
    for _ in 0..MOST_HOSTS {
        let Some(target) = target(&response) else {
            break;
        };
        // From https never to http: who listens there could not change the bytes, but read them.
        if target.scheme() != "https" && target.scheme() != session.base.scheme() {
            break;
        }
        response = session
            .registry
            .transport
            .send(request(Method::GET, target, HeaderMap::new()))
            .await
            .map_err(|cause| session.ask.unavailable(cause, WAIT))?;
    }
    Ok(response)
}

/// Where a response leads, if it does.
fn target(response: &Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let target = response.url().join(location).ok()?;
    // A user name in an address would be sent as a credential, though not as one of ours.
    target.username().is_empty().then_some(target)
}

async fn found(
    session: &Session<'_>,
    response: Response,
    limit: usize,
) -> Result<Bytes, RegistryFault> {
    if response.status() == StatusCode::OK {
        session.body(response, limit).await
    } else {
        Err(session.refusal(response).await)
    }
}

fn hashed(session: &Session<'_>, digest: &Digest, body: Bytes) -> Result<Bytes, RegistryFault> {
    let actual = Digest::of(&body);
    if actual == *digest {
        Ok(body)
    } else {
        Err(mismatch(session, digest, &actual))
    }
}

/// The digest that a caller or a manifest names.
pub(crate) fn named(session: &Session<'_>, text: &str) -> Result<Digest, RegistryFault> {
    Digest::parse(text).ok_or_else(|| {
        let cause = format!("\"{}\" is not a sha256 digest", quotable(text));
        session.ask.unavailable(cause, BROKEN)
    })
}
