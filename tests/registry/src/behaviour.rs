//! The knobs: how the registry deviates from a healthy, open one.

use std::time::Duration;

/// Who may read and write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    #[default]
    Open,
    /// HTTP basic authentication with one account.
    Basic {
        /// The account's name.
        username: String,
        /// The account's password.
        password: String,
    },
    /// Bearer tokens, issued for one account by the registry's own `/token` endpoint.
    Bearer {
        /// The account's name.
        username: String,
        /// The account's password.
        password: String,
        /// Whether the token endpoint gives a read-only token without credentials.
        anonymous_pull: bool,
        /// What `expires_in` says, and how long the registry honours a token.
        lifetime: Duration,
    },
}

/// An error answer in place of the real one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header, word for word.
    pub retry_after: Option<String>,
    /// The `message` in the OCI error envelope.
    pub message: String,
}

impl Fault {
    /// An error with this status, no `Retry-After` and a plain message.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            message: "injected fault".to_owned(),
        }
    }

    /// The same with a `Retry-After` header.
    #[must_use]
    pub fn retry_after(mut self, value: &str) -> Self {
        self.retry_after = Some(value.to_owned());
        self
    }

    /// The same with another message.
    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }
}

/// How the registry behaves. The default is healthy and open.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Who may read and write.
    pub auth: Auth,
    /// The token endpoint that the bearer challenge names; `None` is the registry's own.
    pub realm: Option<String>,
    /// At most so many tags a page, whatever the client asks.
    pub page_size: Option<usize>,
    /// Answer every tag list whole, whatever the client asks (CNCF distribution 2.8 does).
    pub ignore_paging: bool,
    /// Page the tag list but send no `Link` header.
    pub omit_link: bool,
    /// The `Link` header of every tag page, word for word, in place of the right one.
    pub link: Option<String>,
    /// The body of every tag page, word for word.
    pub tags_body: Option<String>,
    /// Answer the n-th page (from 1) of a tag list with this fault.
    pub fail_page: Option<(usize, Fault)>,
    /// Answer the next so many requests (`/token` included) with this fault.
    pub fail_next: Option<(u32, Fault)>,
    /// Cut every body of a GET after half of its bytes and break the connection.
    pub truncate: bool,
    /// Send bodies in chunks, without a `Content-Length`.
    pub chunked: bool,
    /// Wait so long before every answer.
    pub delay: Duration,
    /// Keep every request waiting until this is `false` again.
    pub hold: bool,
    /// Send no `Docker-Content-Digest` header.
    pub omit_digest_header: bool,
    /// The `Docker-Content-Digest` header, word for word, in place of the right one.
    pub digest_header: Option<String>,
    /// Refuse HEAD with 405.
    pub refuse_head: bool,
    /// From the n-th GET of a manifest on (from 1), serve other bytes under the same reference.
    pub swap_manifest_from_get: Option<usize>,
    /// The body of every manifest, word for word.
    pub manifest_body: Option<String>,
    /// Redirect every GET of a blob (307) to this base address, path kept, as registries do that
    /// keep blobs in storage under another name.
    pub redirect_blobs: Option<String>,
    /// Serve these bytes under every blob's digest.
    pub blob_body: Option<String>,
    /// Answer every list of referrers with this fault; 404 is what registries before OCI
    /// distribution 1.1 answer.
    pub fail_referrers: Option<Fault>,
    /// Redirect every `/v2/` request (307) to this base address, path and query kept.
    pub redirect: Option<String>,
}
