//! Words for what went wrong: which repository, what was asked, the cause, and what to do.

use std::fmt::Display;

use oci_client::errors::OciEnvelope;
use sluice_core::port::RegistryFault;

/// The longest text of a registry that is repeated, in characters.
const MOST_QUOTED: usize = 200;

/// What is asked of which repository; every message begins with it.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    sentence: String,
}

impl Ask {
    pub(crate) fn tags(repository: &str) -> Self {
        Self {
            sentence: format!("cannot list the tags of {}", quotable(repository)),
        }
    }

    pub(crate) fn resolve(repository: &str, tag: &str) -> Self {
        let (repository, tag) = (quotable(repository), quotable(tag));
        Self {
            sentence: format!("cannot find the digest of {repository}:{tag}"),
        }
    }

    pub(crate) fn describe(repository: &str, digest: &str) -> Self {
        let (repository, digest) = (quotable(repository), quotable(digest));
        Self {
            sentence: format!("cannot read what {repository}@{digest} says about itself"),
        }
    }

    pub(crate) fn verify(repository: &str, digest: &str) -> Self {
        let (repository, digest) = (quotable(repository), quotable(digest));
        Self {
            sentence: format!("cannot tell who signed {repository}@{digest}"),
        }
    }

    pub(crate) fn pull(repository: &str, digest: &str) -> Self {
        let (repository, digest) = (quotable(repository), quotable(digest));
        Self {
            sentence: format!("cannot pull the plugin {repository}@{digest}"),
        }
    }

    pub(crate) fn push(repository: &str, tag: Option<&str>) -> Self {
        let tag = tag.map(|tag| format!(":{}", quotable(tag)));
        Self {
            sentence: format!(
                "cannot push to {}{}",
                quotable(repository),
                tag.unwrap_or_default()
            ),
        }
    }

    pub(crate) fn sign(repository: &str, digest: &str) -> Self {
        let (repository, digest) = (quotable(repository), quotable(digest));
        Self {
            sentence: format!("cannot store the signature of {repository}@{digest}"),
        }
    }

    pub(crate) fn not_found(&self, cause: impl Display, to_do: &str) -> RegistryFault {
        RegistryFault::NotFound(self.message(cause, to_do))
    }

    pub(crate) fn denied(&self, cause: impl Display, to_do: &str) -> RegistryFault {
        RegistryFault::Denied(self.message(cause, to_do))
    }

    pub(crate) fn unavailable(&self, cause: impl Display, to_do: &str) -> RegistryFault {
        RegistryFault::Unavailable(self.message(cause, to_do))
    }

    pub(crate) fn rate_limited(&self, cause: impl Display, seconds: u32) -> RegistryFault {
        let to_do = "Sluice asks again by itself after that time; if it happens often, poll less \
                     often or use an account with a higher limit";
        RegistryFault::RateLimited {
            message: self.message(cause, to_do),
            retry_after_seconds: seconds,
        }
    }

    /// What was asked, the cause, and what to do.
    pub(crate) fn message(&self, cause: impl Display, to_do: &str) -> String {
        format!("{}: {cause}. {to_do}", self.sentence)
    }
}

/// What to do where waiting is all there is to do.
pub(crate) const WAIT: &str = "Sluice asks again by itself; nothing was changed";
/// What to do where the registry breaks the protocol.
pub(crate) const BROKEN: &str =
    "Nothing was changed; if it stays so, look at the registry or a proxy in front of it";

/// One line of at most 200 printable characters.
pub(crate) fn quotable(text: &str) -> String {
    let clean = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    let mut quoted: String = text.chars().take(MOST_QUOTED).map(clean).collect();
    if text.chars().nth(MOST_QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}

/// The registry's own explanation, in brackets, from an OCI error envelope; empty where the body is
/// none or where it repeats one of `secrets`.
pub(crate) fn said(body: &[u8], secrets: &[String]) -> String {
    let Ok(envelope) = serde_json::from_slice::<OciEnvelope>(body) else {
        return String::new();
    };
    let Some(first) = envelope.errors.first() else {
        return String::new();
    };
    let leaks = |secret: &String| !secret.is_empty() && first.message.contains(secret.as_str());
    if secrets.iter().any(leaks) {
        return " (its explanation repeats a credential and is withheld)".to_owned();
    }
    if first.message.is_empty() {
        String::new()
    } else {
        format!(" ({})", quotable(&first.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_all_four() {
        let RegistryFault::Denied(message) =
            Ask::resolve("a.example/x", "v1").denied("it said no", "Ask again")
        else {
            panic!("another fault");
        };
        assert_eq!(
            message,
            "cannot find the digest of a.example/x:v1: it said no. Ask again"
        );
    }

    #[test]
    fn a_registry_cannot_write_into_the_log() {
        let body = br#"{"errors":[{"code":"X","message":"a\nb\u001b[31m"}]}"#;
        assert_eq!(said(body, &[]), " (a b [31m)");
        let long = serde_json::json!({"errors": [{"code": "X", "message": "é".repeat(5000)}]});
        assert_eq!(said(long.to_string().as_bytes(), &[]).chars().count(), 204);
        for body in [&b"<html>"[..], b"{}", b"", br#"{"errors":[]}"#] {
            assert_eq!(said(body, &[]), "");
        }
    }

    #[test]
    fn an_echoed_credential_is_withheld() {
        let body = br#"{"errors":[{"code":"X","message":"bad password sesame"}]}"#;
        let said = said(body, &["sesame".to_owned()]);
        assert!(
            said.contains("withheld") && !said.contains("sesame"),
            "{said}"
        );
    }
}
