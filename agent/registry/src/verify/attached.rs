//! Signatures under the tag `sha256-<hex>.sig`: each layer is a payload, its annotations have the
//! rest.

use std::collections::BTreeMap;

use serde::Deserialize;
use sluice_core::port::RegistryFault;

use super::{MOST_LIST_BYTES, MOST_SIGNATURE_BYTES, MOST_SIGNATURES, Search};
use crate::content;
use crate::digest::Digest;
use crate::signature::{SIGNATURE, SIMPLE_SIGNING, Signature};

const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const LOG: &str = "dev.sigstore.cosign/bundle";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

pub(super) async fn search(search: &mut Search<'_>) -> Result<(), RegistryFault> {
    let session = search.session;
    let tag = format!("{}.sig", search.digest.as_str().replace(':', "-"));
    let Some(list) = content::tagged(session, &tag, MOST_LIST_BYTES).await? else {
        return Ok(());
    };
    let Ok(list) = serde_json::from_slice::<Manifest>(&list) else {
        search.cannot_tell(format!("what the tag {tag} names is no list of signatures"));
        return Ok(());
    };
    let layers = list.layers.unwrap_or_default();
    if layers.len() > MOST_SIGNATURES {
        search.cannot_tell(format!(
            "the tag {tag} has {} signatures, of which only {MOST_SIGNATURES} are looked at",
            layers.len()
        ));
    }
    for layer in layers.into_iter().take(MOST_SIGNATURES) {
        if search.is_over() {
            break;
        }
        let mut annotations = layer.annotations.unwrap_or_default();
        let usable =
            layer.media_type == SIMPLE_SIGNING && layer.size <= MOST_SIGNATURE_BYTES as u64;
        let (Some(signature), Some(digest), true) = (
            annotations.remove(SIGNATURE),
            Digest::parse(&layer.digest),
            usable,
        ) else {
            search.cannot_tell(format!(
                "the tag {tag} has a layer that is no signature of at most {MOST_SIGNATURE_BYTES} \
                 bytes"
            ));
            continue;
        };
        let payload = content::blob(session, &digest, MOST_SIGNATURE_BYTES).await?;
        search.try_one(&Signature::Attached {
            payload,
            signature,
            certificate: annotations.remove(CERTIFICATE),
            log: annotations.remove(LOG),
        });
    }
    Ok(())
}
