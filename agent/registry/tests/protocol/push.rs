//! A push by a client that is not ours: `oci-client`, as other tools use it.

use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::OciImageManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};

use super::{PASSWORD, USERNAME, install_tls};

/// Pushes one small image under all of these tags with the tests' account; answers its digest as the registry named it.
pub(crate) async fn push(host: &str, path: &str, tags: &[String]) -> String {
    install_tls();
    let auth = RegistryAuth::Basic(USERNAME.to_owned(), PASSWORD.to_owned());
    let client = Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    });
    let layer = ImageLayer::oci_v1(b"the first release".to_vec(), None);
    let config = Config::oci_v1(br#"{"architecture":"amd64","os":"linux"}"#.to_vec(), None);
    let manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, None);
    let at = |tag: &String| Reference::with_tag(host.to_owned(), path.to_owned(), tag.clone());
    let first = at(tags.first().unwrap());
    client
        .auth(&first, &auth, RegistryOperation::Push)
        .await
        .unwrap();
    let pushed = client
        .push(&first, &[layer], config, &auth, Some(manifest.clone()))
        .await
        .unwrap();
    for tag in &tags[1..] {
        client
            .push_manifest(&at(tag), &manifest.clone().into())
            .await
            .unwrap();
    }
    let (_, digest) = pushed.manifest_url.rsplit_once('/').unwrap();
    digest.to_owned()
}
