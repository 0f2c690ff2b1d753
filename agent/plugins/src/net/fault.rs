//! Why a request failed, in the words of `types.net-error`.

use serde::{Deserialize, Serialize};

/// One failed request. Mirrors `net-error` in `wit/types.wit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetFault {
    /// No grant allows it. The text says what to add.
    NotGranted(String),
    /// The name has no usable address.
    Resolve(String),
    /// Nobody answered there.
    Connect(String),
    /// The peer could not prove who it is.
    Tls(String),
    /// The one deadline over all phases passed.
    Timeout,
    /// The request is larger than this many bytes.
    TooLarge(u64),
    /// The call has used up its requests.
    Quota,
    /// The peer does not speak HTTP as it should.
    Protocol(String),
    /// Anything else.
    Other(String),
}

impl NetFault {
    /// For people, where no other place says which kind it is.
    pub(crate) fn words(&self) -> String {
        match self {
            NetFault::NotGranted(words) => format!("not granted: {words}"),
            NetFault::Resolve(words) | NetFault::Connect(words) | NetFault::Tls(words) => {
                words.clone()
            }
            NetFault::Timeout => "no answer before the deadline".to_owned(),
            NetFault::TooLarge(limit) => format!("larger than {limit} bytes"),
            NetFault::Quota => "the call has used up its requests".to_owned(),
            NetFault::Protocol(words) | NetFault::Other(words) => words.clone(),
        }
    }
}
