//! What becomes of a request after every check: it is sent, sent and written down, or answered from
//! what was written down.
//!
//! Grants, header rules and quotas stand before this point and hold in all three. So a plugin that
//! passes its recorded cases has used nothing that its manifest and grant do not give.

use std::time::Duration;

use tokio::time::Instant;

use super::exchange::{Answered, MAX_BODY_BYTES};
use super::fault::NetFault;
use super::headers::response_headers;
use super::inspect::Chain;
use crate::net::der;

mod tape;

pub use tape::{
    Body, Door, Exchange, SeenCertificate, SeenChain, SeenOutcome, SeenResponse, Surprise, Tape,
};

/// How the requests of a host's plugins leave it.
#[derive(Clone, Debug, Default)]
pub enum Wire {
    /// To the server.
    #[default]
    Live,
    /// To the server, and a copy of question and answer onto the tape.
    Record(Tape),
    /// Nowhere: the tape answers, exchange for exchange, in its order. A request that it does not
    /// expect fails, and [`Tape::surprises`] tells of it.
    Replay(Tape),
}

/// Lets the time of a played answer pass; at most until the deadline, which is then over.
pub(crate) async fn wait(delay: Duration, deadline: Instant) -> Result<(), NetFault> {
    // Without this a timer would round nothing up to a millisecond.
    if delay.is_zero() {
        return Ok(());
    }
    let due = Instant::now() + delay;
    tokio::time::sleep_until(due.min(deadline)).await;
    if due > deadline {
        return Err(NetFault::Timeout);
    }
    Ok(())
}

impl SeenOutcome {
    pub(crate) fn of_answer(outcome: &Result<Answered, NetFault>) -> SeenOutcome {
        match outcome {
            Ok(answered) => SeenOutcome::Response(SeenResponse {
                status: answered.status,
                headers: answered.headers.clone(),
                body: Body(answered.body.clone()),
                truncated: answered.truncated,
            }),
            Err(fault) => SeenOutcome::Fault(fault.clone()),
        }
    }

    pub(crate) fn of_chain(outcome: &Result<Chain, NetFault>) -> SeenOutcome {
        match outcome {
            Ok(chain) => SeenOutcome::Chain(SeenChain {
                certificates: chain
                    .certificates
                    .iter()
                    .map(|certificate| SeenCertificate {
                        subject: certificate.subject.clone(),
                        issuer: certificate.issuer.clone(),
                        not_after_unix_ms: certificate.not_after_unix_ms,
                    })
                    .collect(),
                unverified: chain.verified.clone().err(),
            }),
            Err(fault) => SeenOutcome::Fault(fault.clone()),
        }
    }

    /// What a guest sees of a played response: the same headers, and no more of the body, than it
    /// would see of a server's.
    pub(crate) fn answer(self, of_the_rollout: bool) -> Result<Answered, NetFault> {
        match self {
            SeenOutcome::Response(seen) => {
                let mut headers = http::HeaderMap::new();
                for (name, value) in &seen.headers {
                    let name = http::HeaderName::from_bytes(name.as_bytes());
                    let value = http::HeaderValue::from_str(value);
                    if let (Ok(name), Ok(value)) = (name, value) {
                        headers.append(name, value);
                    }
                }
                let mut body = seen.body.0;
                let truncated = seen.truncated || body.len() > MAX_BODY_BYTES;
                body.truncate(MAX_BODY_BYTES);
                Ok(Answered {
                    status: seen.status,
                    headers: response_headers(&headers, of_the_rollout),
                    body,
                    truncated,
                })
            }
            SeenOutcome::Chain(_) => Err(NetFault::Other(
                "the tape answers this request with a chain of certificates".to_owned(),
            )),
            SeenOutcome::Fault(fault) => Err(fault),
        }
    }

    /// The chain that is played.
    pub(crate) fn chain(self) -> Result<Chain, NetFault> {
        match self {
            SeenOutcome::Chain(seen) => Ok(Chain {
                certificates: seen
                    .certificates
                    .into_iter()
                    .map(|certificate| der::Certificate {
                        subject: certificate.subject,
                        issuer: certificate.issuer,
                        not_after_unix_ms: certificate.not_after_unix_ms,
                    })
                    .collect(),
                verified: seen.unverified.map_or(Ok(()), Err),
            }),
            SeenOutcome::Response(_) => Err(NetFault::Other(
                "the tape answers this handshake with a response".to_owned(),
            )),
            SeenOutcome::Fault(fault) => Err(fault),
        }
    }
}
