//! Callbacks: what a chat or a workflow system sends back to the agent about a request for approval.
//!
//! The host verifies a callback before any plugin sees it, and takes from it the two things that
//! have authority: who decided, and about what. Both stand where the operator's grant says, within
//! the verified body. The plugin only reads the rest (plugins.md section 1, reliability.md H1, H2).
//!
//! | module | what it does |
//! |---|---|
//! | `grant` | what the operator writes, and what is wrong with it |
//! | `signature` | HMAC over the raw bytes, and the time window |
//! | `document` | from raw bytes to one JSON document within bounds |
//! | `verify` | all of it in order, without a host |

mod document;
mod grant;
mod signature;
mod verify;

use jiff::Timestamp;
use sluice_core::policy::Identity;

use crate::host::Host;
use crate::secret::SecretRef;

pub use grant::{CallbackBody, CallbackGrant, CallbackPerson, CallbackSignature, CallbackSubject};

/// Largest callback, in bytes (reliability.md H4). Slack's are a few KiB.
pub const MAX_CALLBACK_BYTES: usize = 256 << 10;

/// A granted callback, with the place of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callbacks {
    pub(crate) grant: CallbackGrant,
    pub(crate) secret: SecretRef,
}

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
}

impl Host {
    /// Verifies one callback to `plugin` as it came over the wire: `raw_body` before any decoding.
    ///
    /// # Errors
    /// 404: no such plugin, or none that may be called back. 413: too large. 401: signature, time
    /// stamp or one of their headers is missing, doubled or wrong. 400: the body is not of the
    /// granted form. 403: another app or workspace, a guest, a bot. 503: the secret cannot be read.
    pub async fn receive_callback(
        &self,
        plugin: &str,
        headers: &[(String, String)],
        raw_body: &[u8],
        now: Timestamp,
    ) -> Result<VerifiedCallback, CallbackRefused> {
        let permissions = self
            .catalog_now()
            .slots
            .get(plugin)
            .and_then(|slot| slot.serving.as_ref())
            .map(|serving| serving.permissions.now());
        let callbacks = permissions
            .as_ref()
            .and_then(|permissions| permissions.callbacks.as_ref());
        let Some(callbacks) = callbacks else {
            return Err(CallbackRefused::new(
                404,
                "no plugin of this name may be called back; plugins.yaml grants it with grants.callbacks",
            ));
        };
        // Read now: after a rotation the old value counts for nothing.
        let secret = self
            .inner
            .runner
            .secrets
            .read(&callbacks.secret)
            .await
            .map_err(|fault| {
                tracing::warn!(target: "sluice::plugin", plugin, %fault, "the secret of callbacks cannot be read");
                CallbackRefused::new(
                    503,
                    "the secret that callbacks are signed with cannot be read now; look at the agent's log",
                )
            })?;
        verify::verify(plugin, &callbacks.grant, &secret, headers, raw_body, now)
    }
}
