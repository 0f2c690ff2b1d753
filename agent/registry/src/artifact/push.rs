//! Puts a plugin into a registry: two blobs and a manifest.
//!
//! The component goes up in pieces, so that progress can be told and a proxy in between needs to hold
//! little. What the registry has already is not sent again.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use sluice_core::port::RegistryFault;
use url::Url;

use super::layout::{CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, OS, declared};
use super::{ArtifactFault, TAMPERED, WasmLayer};
use crate::client::OciRegistry;
use crate::digest::Digest;
use crate::fault::{Ask, BROKEN};
use crate::repository::is_tag;
use crate::session::{Access, Session};
use crate::transport::same_origin;

/// One piece of an upload: what every registry takes in one request.
const PIECE_BYTES: usize = 1024 * 1024;
const DIGEST_HEADER: &str = "docker-content-digest";

/// A plugin that is to be pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewWasm {
    /// The component.
    pub component: Bytes,
    /// When it was made, as RFC 3339. The same component with the same time has the same digest.
    pub created: String,
    /// Annotations of the manifest, such as `org.opencontainers.image.title`.
    pub annotations: BTreeMap<String, String>,
}

/// How far the push of a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushProgress {
    /// Bytes that the registry has.
    pub sent: u64,
    /// Bytes of the component.
    pub total: u64,
    /// The registry had it before.
    pub existed: bool,
}

impl OciRegistry {
    /// Pushes a plugin, under a tag where one is given. Answers the digest of its manifest, which is
    /// its name from now on.
    ///
    /// # Errors
    /// Where the registry refuses, breaks the protocol, or says that it stored something else.
    pub async fn push_wasm(
        &self,
        repository: &str,
        tag: Option<&str>,
        new: &NewWasm,
        progress: &(dyn Fn(PushProgress) + Send + Sync),
    ) -> Result<String, ArtifactFault> {
        let limit = self.limits.transfer_deadline;
        let ask = Ask::push(repository, tag);
        self.call_within(limit, Access::Push, ask, repository, |session| async move {
            let layer = blob(&session, &new.component, progress).await?;
            let config = json!({
                "created": new.created, "architecture": "wasm", "os": OS,
                "layerDigests": [layer.digest],
            });
            let config = Bytes::from(config.to_string());
            let config = blob(&session, &config, &|_| ()).await?;
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
                "config": descriptor(CONFIG_TYPE, &config),
                "layers": [descriptor(LAYER_TYPE, &layer)],
                "annotations": new.annotations,
            });
            put_manifest(&session, tag, Bytes::from(manifest.to_string())).await
        })
        .await
    }
}

/// A descriptor of a blob.
pub(super) fn descriptor(media_type: &str, blob: &WasmLayer) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": blob.digest, "size": blob.size})
}

/// Makes sure that the repository has these bytes.
pub(super) async fn blob(
    session: &Session<'_>,
    bytes: &Bytes,
    progress: &(dyn Fn(PushProgress) + Send + Sync),
) -> Result<WasmLayer, ArtifactFault> {
    let own = declared(bytes);
    let tell = |sent: usize, existed: bool| {
        progress(PushProgress {
            sent: sent as u64,
            total: own.size,
            existed,
        });
    };
    let url = session.address(&format!("blobs/{}", own.digest))?;
    let known = session.send(Method::HEAD, url, HeaderMap::new()).await?;
    // A registry that keeps blobs elsewhere leads there; the manifest is refused where it has none.
    if known.status().is_success() || known.status().is_redirection() {
        tell(bytes.len(), true);
        return Ok(own);
    }
    if known.status() != StatusCode::NOT_FOUND {
        return Err(session.refusal(known).await.into());
    }
    tell(0, false);
    let begin = session.address("blobs/uploads/")?;
    let mut place = next(
        session,
        session.send(Method::POST, begin, HeaderMap::new()).await?,
        StatusCode::ACCEPTED,
    )
    .await?;
    let mut sent = 0;
    while sent < bytes.len() {
        let piece = bytes.slice(sent..bytes.len().min(sent + PIECE_BYTES));
        let end = sent + piece.len();
        let range = HeaderValue::from_str(&format!("{sent}-{}", end - 1))
            .map_err(|error| session.ask.unavailable(error, BROKEN))?;
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, octets()),
            (header::CONTENT_RANGE, range),
        ]);
        let response = session
            .send_with(Method::PATCH, place, headers, piece)
            .await?;
        place = next(session, response, StatusCode::ACCEPTED).await?;
        sent = end;
        tell(sent, false);
    }
    place.query_pairs_mut().append_pair("digest", &own.digest);
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, octets()),
        (header::CONTENT_LENGTH, HeaderValue::from_static("0")),
    ]);
    let response = session.send(Method::PUT, place, headers).await?;
    if response.status() != StatusCode::CREATED {
        return Err(session.refusal(response).await.into());
    }
    Ok(own)
}

fn octets() -> HeaderValue {
    HeaderValue::from_static("application/octet-stream")
}

/// Where an upload goes on. On another host it does not: the credentials would go along.
async fn next(
    session: &Session<'_>,
    response: reqwest::Response,
    expected: StatusCode,
) -> Result<Url, RegistryFault> {
    if response.status() != expected {
        return Err(session.refusal(response).await);
    }
    let place = response
        .headers()
        .get(header::LOCATION)
        .and_then(|location| session.base.join(location.to_str().ok()?).ok());
    match place {
        Some(place) if same_origin(&place, &session.base) => Ok(place),
        Some(place) => {
            let host = crate::realm::authority(&place).unwrap_or_default();
            Err(session.ask.unavailable(
                format!("the registry wants the upload to go on on {host}, which is not followed"),
                "Name the repository under the host that takes uploads",
            ))
        }
        None => Err(session
            .ask
            .unavailable("the registry does not say where the upload goes on", BROKEN)),
    }
}

/// Stores a manifest under a tag, or under its digest alone.
pub(super) async fn put_manifest(
    session: &Session<'_>,
    tag: Option<&str>,
    manifest: Bytes,
) -> Result<String, ArtifactFault> {
    let own = Digest::of(&manifest);
    let reference = match tag {
        Some(tag) if !is_tag(tag) => {
            let cause = format!("\"{}\" is not a tag", crate::fault::quotable(tag));
            return Err(session.ask.not_found(cause, "Check the tag's name").into());
        }
        Some(tag) => tag,
        None => own.as_str(),
    };
    let url = session.address(&format!("manifests/{reference}"))?;
    let headers = HeaderMap::from_iter([(
        header::CONTENT_TYPE,
        HeaderValue::from_static(MANIFEST_TYPE),
    )]);
    let response = session
        .send_with(Method::PUT, url, headers, manifest)
        .await?;
    if response.status() != StatusCode::CREATED {
        return Err(session.refusal(response).await.into());
    }
    let stored = response
        .headers()
        .get(DIGEST_HEADER)
        .map(HeaderValue::as_bytes);
    if let Some(stored) = stored.filter(|stored| *stored != own.as_str().as_bytes()) {
        let stored = crate::fault::quotable(&String::from_utf8_lossy(stored));
        let cause = format!("it was pushed as {own}, and the registry stored it as {stored}");
        return Err(ArtifactFault::Tampered(
            session.ask.message(cause, TAMPERED),
        ));
    }
    Ok(own.as_str().to_owned())
}
