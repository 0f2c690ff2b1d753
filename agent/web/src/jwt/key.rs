//! Public keys of issuers, and the algorithms that each is for. Signatures are checked by ring, which
//! the agent's TLS stands on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

use super::TokenFault;

/// Keys of one issuer at most. Large ones have a dozen.
const KEY_LIMIT: usize = 64;

/// The algorithms that are known. The names are those of RFC 7518 and RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// The one of this name. `none` and whatever begins with `HS` are not there.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}

/// One key of an issuer.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// How tokens name it.
    pub(crate) id: Option<String>,
    /// The only algorithm that it is for, where it says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The usable keys of a JSON Web Key Set. One that is of a kind that is not known is left out, as the
/// standard asks: issuers add kinds.
pub(crate) fn keys(document: &Value) -> Option<Vec<Key>> {
    let all = document.get("keys")?.as_array()?;
    Some(all.iter().take(KEY_LIMIT).filter_map(Key::new).collect())
}

impl Key {
    fn new(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|t| URL_SAFE_NO_PAD.decode(t).ok());
        // A key for encryption signs nothing.
        if text("use").is_some_and(|u| u != "sig") {
            return None;
        }
        let only = match text("alg") {
            None => None,
            Some(name) => Some(Algorithm::named(name)?),
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa {
                n: bytes("n")?,
                e: bytes("e")?,
            },
            ("EC", Some("P-256")) => Material::P256(point(&bytes("x")?, &bytes("y")?, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(&bytes("x")?, &bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Self {
            id: text("kid").map(str::to_owned),
            only,
            material,
        })
    }

    /// Whether this signature is this key's. What the algorithm must be is the key's to say.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenFault> {
        if self.only.is_some_and(|only| only != algorithm) {
            return Err(TokenFault::Algorithm);
        }
        let plain = |kind: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(kind, key).verify(signed, signature)
        };
        let fits = match (&self.material, algorithm) {
            (Material::Rsa { n, e }, algorithm) => {
                let parameters = algorithm.rsa().ok_or(TokenFault::Algorithm)?;
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature)
            }
            (Material::P256(key), Algorithm::Es256) => plain(&ECDSA_P256_SHA256_FIXED, key),
            (Material::P384(key), Algorithm::Es384) => plain(&ECDSA_P384_SHA384_FIXED, key),
            (Material::Ed25519(key), Algorithm::EdDsa) => plain(&ED25519, key),
            (Material::P256(_) | Material::P384(_) | Material::Ed25519(_), _) => {
                return Err(TokenFault::Algorithm);
            }
        };
        fits.map_err(|_| TokenFault::Signature)
    }
}

/// An uncompressed point of a curve.
fn point(x: &[u8], y: &[u8], len: usize) -> Option<Vec<u8>> {
    (x.len() == len && y.len() == len).then(|| [&[4], x, y].concat())
}
