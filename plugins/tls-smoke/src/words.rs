//! Why a chain does not verify, in words for whoever has to repair it.

use sluice_sdk::text::excerpt;
use sluice_sdk::{Certificate, Chain};

use crate::date::{DAY_MS, day, days};

/// Longest account of the host's own words.
const HOST_CHARS: usize = 300;

/// What is wrong with a chain that does not verify. `why` is what the host says, which is matched on
/// a few words that its TLS library has had for years; what can be seen in the certificates
/// themselves is taken from there.
pub(crate) fn fault(chain: &Chain, why: &str, now_unix_ms: i64) -> String {
    let Some(leaf) = chain.certificates.first() else {
        return format!("does not verify: {}", excerpt(why, HOST_CHARS));
    };
    let expired = chain
        .certificates
        .iter()
        .find(|certificate| certificate.not_after_unix_ms <= now_unix_ms);
    if let Some(certificate) = expired {
        return expiry(certificate, leaf, now_unix_ms);
    }
    if why.contains("not valid yet") {
        return format!(
            "is not valid yet, or the agent's clock is wrong: {}",
            excerpt(why, HOST_CHARS)
        );
    }
    if why.contains("not valid for name") {
        return format!("is for another name: {}", excerpt(why, HOST_CHARS));
    }
    if leaf.subject == leaf.issuer && chain.certificates.len() == 1 {
        return format!(
            "is self-signed by {}, and nobody vouches for it",
            name(&leaf.issuer)
        );
    }
    if why.contains("UnknownIssuer") {
        let last = chain.certificates.last().unwrap_or(leaf);
        return format!(
            "is signed by an authority that the agent does not trust, {}, or the server leaves out \
             an intermediate certificate",
            name(&last.issuer)
        );
    }
    if why.contains("BadSignature") {
        return format!(
            "is signed with another key than that of the authority that the agent trusts under the \
             name {}",
            name(&leaf.issuer)
        );
    }
    format!("does not verify: {}", excerpt(why, HOST_CHARS))
}

fn expiry(certificate: &Certificate, leaf: &Certificate, now_unix_ms: i64) -> String {
    let ago = (now_unix_ms - certificate.not_after_unix_ms) / DAY_MS;
    let when = day(certificate.not_after_unix_ms);
    let whose = whose(certificate, leaf);
    format!("{whose}expired on {when}, {} ago", days(ago))
}

/// Nothing for the leaf; which one for another certificate of the chain.
pub(crate) fn whose(certificate: &Certificate, leaf: &Certificate) -> String {
    if certificate == leaf {
        String::new()
    } else {
        format!("has an intermediate, {}, that ", name(&certificate.subject))
    }
}

/// A name in a certificate, which may be empty.
pub(crate) fn name(name: &str) -> String {
    match excerpt(name, HOST_CHARS) {
        empty if empty.is_empty() => "a name that is empty".into(),
        shown => format!("\"{shown}\""),
    }
}
