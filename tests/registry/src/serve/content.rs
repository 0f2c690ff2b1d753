//! Manifests, blobs and uploads.

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};

use crate::behaviour::Behaviour;
use crate::registry::Shared;
use crate::serve::{empty, error, parameter, redirect, set, text, with_body};
use crate::store::{Manifest, Refused};

const DIGEST: header::HeaderName = header::HeaderName::from_static("docker-content-digest");

pub(crate) fn get_manifest(
    shared: &Shared,
    behaviour: &Behaviour,
    repository: &str,
    reference: &str,
    parts: &Parts,
) -> Response {
    let mut state = shared.state();
    let Some((digest, manifest)) = state.store.manifest(repository, reference) else {
        return error(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            "manifest unknown",
        );
    };
    if parts.method == Method::GET {
        state.manifest_gets += 1;
    }
    let swapped = behaviour
        .swap_manifest_from_get
        .is_some_and(|from| state.manifest_gets >= from);
    drop(state);

    let tag = format!("\"{digest}\"");
    if text(parts, &header::IF_NONE_MATCH) == tag {
        return empty(StatusCode::NOT_MODIFIED);
    }
    let mut bytes = manifest.bytes;
    if swapped {
        // The same JSON, one byte longer: still a manifest, no longer this one.
        bytes = [bytes.as_ref(), b"\n"].concat().into();
    }
    if let Some(body) = &behaviour.manifest_body {
        bytes = Bytes::copy_from_slice(body.as_bytes());
    }
    let mut response = with_body(StatusCode::OK, &manifest.media_type, bytes);
    set(&mut response, header::ETAG, &tag);
    if !behaviour.omit_digest_header {
        set(
            &mut response,
            DIGEST,
            behaviour.digest_header.as_deref().unwrap_or(&digest),
        );
    }
    response
}

pub(crate) fn put_manifest(
    shared: &Shared,
    repository: &str,
    reference: &str,
    parts: &Parts,
    bytes: Bytes,
) -> Response {
    let media_type = text(parts, &header::CONTENT_TYPE).to_owned();
    let manifest = Manifest { media_type, bytes };
    let stored = shared
        .state()
        .store
        .put_manifest(repository, reference, manifest);
    match stored {
        Ok(digest) => {
            let location = format!("/v2/{repository}/manifests/{digest}");
            created(&location, &digest)
        }
        Err(refused) => refuse(refused),
    }
}

pub(crate) fn get_blob(
    shared: &Shared,
    behaviour: &Behaviour,
    repository: &str,
    digest: &str,
) -> Response {
    if let Some(base) = &behaviour.redirect_blobs {
        return redirect(&format!("{base}/v2/{repository}/blobs/{digest}"));
    }
    let blob = shared.state().store.blob(repository, digest);
    match blob {
        Some(stored) => {
            let bytes = match &behaviour.blob_body {
                Some(body) => Bytes::copy_from_slice(body.as_bytes()),
                None => stored,
            };
            let mut response = with_body(StatusCode::OK, "application/octet-stream", bytes);
            set(&mut response, DIGEST, digest);
            response
        }
        None => error(
            StatusCode::NOT_FOUND,
            "BLOB_UNKNOWN",
            "blob unknown to registry",
        ),
    }
}

/// Opens an upload; with `?digest=` the body is the whole blob at once.
pub(crate) fn begin_upload(
    shared: &Shared,
    repository: &str,
    parts: &Parts,
    body: &Bytes,
) -> Response {
    let upload = shared.state().store.begin_upload();
    if parameter(parts.uri.query().unwrap_or_default(), "digest").is_some() {
        return finish_upload(shared, repository, upload, parts, body);
    }
    accepted(repository, upload, 0)
}

pub(crate) fn append(shared: &Shared, repository: &str, upload: u64, body: &Bytes) -> Response {
    let appended = shared.state().store.append(upload, body);
    match appended {
        Ok(length) => accepted(repository, upload, length),
        Err(refused) => refuse(refused),
    }
}

pub(crate) fn finish_upload(
    shared: &Shared,
    repository: &str,
    upload: u64,
    parts: &Parts,
    body: &Bytes,
) -> Response {
    let digest = parameter(parts.uri.query().unwrap_or_default(), "digest").unwrap_or_default();
    let mut state = shared.state();
    let finished = state
        .store
        .append(upload, body)
        .and_then(|_| state.store.finish_upload(repository, upload, &digest));
    drop(state);
    match finished {
        Ok(()) => created(&format!("/v2/{repository}/blobs/{digest}"), &digest),
        Err(refused) => refuse(refused),
    }
}

fn accepted(repository: &str, upload: u64, length: usize) -> Response {
    let mut response = empty(StatusCode::ACCEPTED);
    let location = format!("/v2/{repository}/blobs/uploads/{upload}");
    set(&mut response, header::LOCATION, &location);
    set(
        &mut response,
        header::RANGE,
        &format!("0-{}", length.saturating_sub(1)),
    );
    response
}

fn created(location: &str, digest: &str) -> Response {
    let mut response = empty(StatusCode::CREATED);
    set(&mut response, header::LOCATION, location);
    set(&mut response, DIGEST, digest);
    response
}

fn refuse(refused: Refused) -> Response {
    let (status, code, message) = match refused {
        Refused::DigestInvalid => (
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "the digest is not that of the bytes",
        ),
        Refused::ManifestInvalid => (
            StatusCode::BAD_REQUEST,
            "MANIFEST_INVALID",
            "the manifest is not JSON",
        ),
        Refused::BlobUnknown => (
            StatusCode::BAD_REQUEST,
            "MANIFEST_BLOB_UNKNOWN",
            "the manifest names a blob that was not pushed",
        ),
        Refused::UploadUnknown => (
            StatusCode::NOT_FOUND,
            "BLOB_UPLOAD_UNKNOWN",
            "no such upload is under way",
        ),
        Refused::Full => (
            StatusCode::INSUFFICIENT_STORAGE,
            "SIZE_INVALID",
            "the registry is full",
        ),
    };
    error(status, code, message)
}
