//! Puts an archive into a registry.

use std::path::Path;
use std::time::Duration;

use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use crate::archive::Archive;
use crate::{Digest, Error, Result, documents};

/// To connect, and between two parts of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pushes the image of an archive under this name with tag, and answers its digest: the registry
/// stores the manifest byte for byte. Parts that are there already are not sent. `insecure` means
/// plain HTTP. Without credentials: for a registry that wants some, use `skopeo copy` or `crane push`.
pub async fn push(archive: &Path, reference: &str, insecure: bool) -> Result<Digest> {
    let failed = |why: String| Error::Push {
        reference: reference.to_owned(),
        why,
    };
    let image: Reference = reference
        .parse()
        .map_err(|e: oci_client::ParseError| failed(e.to_string()))?;
    let archive = Archive::read(archive)?;
    // The HTTP client panics without a provider; a process that has one keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let protocol = if insecure {
        ClientProtocol::Http
    } else {
        ClientProtocol::Https
    };
    let client = Client::try_from(ClientConfig {
        protocol,
        use_monolithic_push: true,
        connect_timeout: Some(PATIENCE),
        read_timeout: Some(PATIENCE),
        ..ClientConfig::default()
    })
    .map_err(|e| failed(e.to_string()))?;
    send(&client, &image, &archive)
        .await
        .map_err(|e| failed(e.to_string()))?;
    Ok(archive.digest)
}

async fn send(
    client: &Client,
    image: &Reference,
    archive: &Archive,
) -> std::result::Result<(), OciDistributionError> {
    client
        .auth(image, &RegistryAuth::Anonymous, RegistryOperation::Push)
        .await?;
    for part in archive.layers.iter().chain([&archive.config]) {
        let name = part.digest.to_string();
        if !client.blob_exists(image, &name).await? {
            client.push_blob(image, part.bytes.clone(), &name).await?;
        }
    }
    // Last: a manifest names only what is there.
    let kind = HeaderValue::from_static(documents::MANIFEST);
    client
        .push_manifest_raw(image, archive.manifest.clone(), kind)
        .await?;
    Ok(())
}
