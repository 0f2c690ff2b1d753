//! A pair of keys.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rcgen::{PublicKeyData as _, SigningKey as _};

use super::base64;

/// A private key, new for every test.
pub struct Key(pub(super) KeyPair);

impl Key {
    /// ECDSA on P-256 with SHA-256, as cosign makes it.
    #[must_use]
    pub fn p256() -> Self {
        Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a P-256 key"))
    }

    /// ECDSA on P-384 with SHA-384, as Fulcio's authorities have it.
    #[must_use]
    pub fn p384() -> Self {
        Self(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a P-384 key"))
    }

    /// Ed25519.
    #[must_use]
    pub fn ed25519() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).expect("an Ed25519 key"))
    }

    /// The signature over a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).expect("a signature")
    }

    /// The private key in PEM, as PKCS#8.
    #[must_use]
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &self.0.serialize_der())
    }

    /// The public key in DER.
    #[must_use]
    pub fn public_der(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// The public key in PEM.
    #[must_use]
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }
}

/// A block of PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let mut lines = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines.push_str(&format!("-----END {label}-----\n"));
    lines
}
