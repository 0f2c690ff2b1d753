//! The shape of a public key in PEM. Whether its bytes are a key, the registry's verifier says.

use super::PEM_LIMIT;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// One block of base64 between the two lines, and nothing around it.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > PEM_LIMIT {
        return Err(format!("is longer than {PEM_LIMIT} bytes"));
    }
    if text.contains("PRIVATE KEY") {
        // Whoever reads the policy could now sign.
        return Err("is a private key: treat it as stolen, and make another pair".to_owned());
    }
    if text.contains("BEGIN CERTIFICATE") {
        return Err("is a certificate, not a public key".to_owned());
    }
    let body = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or_else(|| "is not one PEM block of a public key".to_owned())?;
    let letters: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let padding = letters.len() - letters.trim_end_matches('=').len();
    let base64 = |c: u8| c.is_ascii_alphanumeric() || c == b'+' || c == b'/';
    // 44 bytes, an Ed25519 key, are the least: 60 characters.
    let plausible = letters.len() >= 56 && letters.len().is_multiple_of(4) && padding <= 2;
    if !plausible || !letters.trim_end_matches('=').bytes().all(base64) {
        return Err("has a PEM body that is not base64 of a key".to_owned());
    }
    Ok(())
}
