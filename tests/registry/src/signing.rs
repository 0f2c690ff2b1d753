//! Signatures for tests: keys, a Sigstore instance of one's own, and what cosign would push.
//!
//! Everything is made by the code here and nothing by the verifier that it tests. Parts are plain
//! values, so that a test can change any of them before it is signed or pushed.

#![expect(
    clippy::expect_used,
    reason = "what fails here is the test's own set-up; it says so and ends"
)]

mod instance;
mod key;
mod material;
mod transparency;

pub use instance::{Certified, Instance, Validity};
pub use key::Key;
pub use material::{
    Layer, bundle, certificate_pem, dsse_body, hashedrekord_body, in_toto, layer,
    pre_authentication, simple_signing,
};
pub use transparency::{Entry, Transparency};

/// Encodes bytes in base64.
pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// SHA-256 of all parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
