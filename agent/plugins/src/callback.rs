//! Callbacks: what a chat or a workflow system sends back to the agent about a request for approval.
//!
//! The agent verifies a callback before any plugin sees it, and takes from it the two things that
//! have authority: who decided, and about what. Both stand where the operator's grant says, within
//! the verified body. The plugin only reads the rest (plugins.md section 1, reliability.md H1, H2).
//!
//! | module | what it does |
//! |---|---|
//! | `grant` | what the operator writes, and what is wrong with it |
//! | `signature` | HMAC over the raw bytes, and the time window |
//! | `document` | from raw bytes to one JSON document within bounds |
//! | `verify` | all of it in order |
//! | [`CallbackDesk`] | reads grant and secret as they are now, in the agent's process |

mod desk;
mod document;
mod grant;
mod signature;
mod verify;

use sluice_core::policy::Identity;

pub use desk::CallbackDesk;
pub use grant::{CallbackBody, CallbackGrant, CallbackPerson, CallbackSignature, CallbackSubject};

/// Largest callback, in bytes (reliability.md H4). Slack's are a few KiB.
pub const MAX_CALLBACK_BYTES: usize = 256 << 10;

/// A callback that is what the operator granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCallback {
    /// The plugin that it is for.
    pub plugin: String,
    /// Who sent it, as the provider vouches. For `plugin`, the plugin itself.
    pub person: Identity,
    /// The approval hash that it is about, if it names one. Not compared with anything yet.
    pub subject: Option<String>,
    /// The headers that a plugin may see.
    pub headers: Vec<(String, String)>,
    /// The JSON document, written anew: whoever parses it next reads what the host read.
    pub body: Vec<u8>,
    /// SHA-256 of the signature, in hexadecimal: the same for an exact replay, and only for it.
    pub key: String,
}

/// Why a callback goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct CallbackRefused {
    /// HTTP status: 400, 401, 403, 404, 413, or 503 where the fault is the agent's.
    pub status: u16,
    /// One sentence for people, without secrets and without anything out of the callback.
    pub sentence: String,
}

impl CallbackRefused {
    fn new(status: u16, sentence: impl Into<String>) -> CallbackRefused {
        CallbackRefused {
            status,
            sentence: sentence.into(),
        }
    }

    fn too_large() -> CallbackRefused {
        CallbackRefused::new(
            413,
            format!("a callback has at most {MAX_CALLBACK_BYTES} bytes"),
        )
    }
}
