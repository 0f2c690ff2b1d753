//! `tls.inspect`: completes the handshake, sends no request, reports the chain as data even where it
//! does not verify (plugins.md section 5).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::connect::{handshake, provider};
use super::der;
use super::exchange::{Found, Outbound};
use super::fault::NetFault;
use super::origin::Scheme;
use super::wire::{Door, Exchange, SeenOutcome, Wire, wait};

/// Longest chain that is reported.
const MAX_CHAIN: usize = 16;

/// What was presented, and whether it verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) certificates: Vec<der::Certificate>,
    pub(crate) verified: Result<(), String>,
}

impl Outbound {
    /// Looks at the certificates of a granted target.
    pub(crate) async fn inspect(
        &self,
        target: &str,
        timeout_ms: Option<u32>,
    ) -> Result<Chain, NetFault> {
        let deadline = self.deadline_of(timeout_ms);
        let found = self.find(target)?;
        if found.origin.scheme != Scheme::Https {
            return Err(NetFault::Tls(format!("{} is not encrypted", found.origin)));
        }
        self.count(&found)?;
        let mut exchange = Exchange {
            door: Door::Tls,
            target: target.to_owned(),
            method: String::new(),
            path: String::new(),
            headers: Vec::new(),
            body: None,
            outcome: SeenOutcome::Fault(NetFault::Timeout),
        };
        if let Wire::Replay(tape) = &self.wire {
            let delay = tape.delay();
            let outcome = tape.play(exchange);
            wait(delay, deadline).await?;
            return outcome.chain();
        }
        let looking = async {
            // A certificate can bear what an earlier request brought there.
            self.read_secrets(&found, &BTreeMap::new()).await?;
            self.handshake(&found).await
        };
        let outcome = match tokio::time::timeout_at(deadline, looking).await {
            Ok(outcome) => outcome.map(|chain| self.without_secrets(chain)),
            Err(_) => Err(NetFault::Timeout),
        };
        if let Wire::Record(tape) = &self.wire {
            exchange.outcome = SeenOutcome::of_chain(&outcome);
            tape.record(exchange);
        }
        outcome
    }

    fn without_secrets(&self, mut chain: Chain) -> Chain {
        for certificate in &mut chain.certificates {
            certificate.subject = self.redactor.text(&certificate.subject);
            certificate.issuer = self.redactor.text(&certificate.issuer);
        }
        chain.verified = chain.verified.map_err(|why| self.redactor.text(&why));
        chain
    }

    async fn handshake(&self, found: &Found) -> Result<Chain, NetFault> {
        let inner = WebPkiServerVerifier::builder_with_provider(self.network.roots(), provider())
            .build()
            .map_err(|_| NetFault::Other("there are no root certificates".to_owned()))?;
        let witness = Arc::new(Witness {
            inner,
            seen: Mutex::default(),
        });
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| NetFault::Other("TLS cannot be set up".to_owned()))?
            .dangerous()
            .with_custom_certificate_verifier(witness.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tcp = self.network.tcp(&found.origin, found.target.reach).await?;
        let shaken = handshake(&found.origin, tcp, Arc::new(config)).await;
        let seen = witness
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (seen, shaken) {
            (Some(chain), Ok(_)) => Ok(chain),
            (_, Err(fault)) => Err(fault),
            (None, Ok(_)) => Err(NetFault::Tls("the server showed no certificate".to_owned())),
        }
    }
}

/// Records the verdict and lets the handshake go on: nothing is ever sent on this connection.
#[derive(Debug)]
struct Witness {
    inner: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<Chain>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map(|_| ())
            .map_err(|error| crate::text::line(&error.to_string(), 300));
        let certificates = std::iter::once(end_entity)
            .chain(intermediates)
            .take(MAX_CHAIN)
            .filter_map(|certificate| der::certificate(certificate))
            .collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Chain {
            certificates,
            verified,
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
