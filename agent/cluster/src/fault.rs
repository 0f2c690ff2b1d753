//! What can go wrong between Sluice and the API server, in the words that a decision needs.

use kube::core::Status;

/// Why a read or write had no (sure) effect.
#[derive(Debug, thiserror::Error)]
pub enum ClusterFault {
    /// The object is not the one that was decided on any more: look again.
    #[error("{object} was changed meanwhile")]
    Conflict {
        /// Kind, namespace and name.
        object: String,
    },
    /// The object is gone.
    #[error("{object} does not exist")]
    Gone {
        /// Kind, namespace and name.
        object: String,
    },
    /// The API server refuses: rights, admission or validation.
    #[error("the API server refuses to {verb} {object}: {message}")]
    Refused {
        /// The verb.
        verb: &'static str,
        /// Kind, namespace and name.
        object: String,
        /// Its words.
        message: String,
    },
    /// No answer, or not a sure one. The write may have been applied: read before deciding again.
    #[error("no sure answer to {verb} {object}")]
    Unsure {
        /// The verb.
        verb: &'static str,
        /// Kind, namespace and name.
        object: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// This process does not lead any more: it must not write.
    #[error("this agent does not lead any more, so it does not write {object}")]
    Deposed {
        /// Kind, namespace and name.
        object: String,
    },
    /// An object is not of the shape that it must have.
    #[error("{object}: {message}")]
    Malformed {
        /// Kind, namespace and name.
        object: String,
        /// What is wrong.
        message: String,
    },
}

impl ClusterFault {
    /// Sorts an error of the client. 409, 5xx and time-outs are never final (W3).
    pub fn sort(verb: &'static str, object: String, error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => match status.code {
                404 => Self::Gone { object },
                409 => Self::Conflict { object },
                400 | 401 | 403 | 405 | 422 => Self::Refused {
                    verb,
                    object,
                    message: words(status),
                },
                _ => Self::Unsure {
                    verb,
                    object,
                    source: Box::new(error),
                },
            },
            _ => Self::Unsure {
                verb,
                object,
                source: Box::new(error),
            },
        }
    }
}

fn words(status: &Status) -> String {
    status.message.chars().take(500).collect()
}
