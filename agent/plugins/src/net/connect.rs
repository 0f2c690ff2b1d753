//! From a granted origin to an open connection: resolve once, judge every address, connect to the
//! address that was judged (plugins.md section 5, attacks 9, 10 and 12).

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use super::address::{Reach, refusal};
use super::fault::NetFault;
use super::origin::Origin;
use super::resolve::Resolve;

/// Most addresses of one name that are judged; a name with more is refused.
const MAX_ADDRESSES: usize = 32;
/// Most addresses that are tried one after the other.
const MAX_ATTEMPTS: usize = 4;

/// What all connections of a host share. No connection is ever shared.
pub(crate) struct Network {
    resolver: Arc<dyn Resolve>,
    denied: Vec<IpNet>,
    roots: Arc<RootCertStore>,
    verified: Arc<ClientConfig>,
}

impl Network {
    /// `extra_roots` are trusted beside the public ones; `denied` are nodes and API servers.
    ///
    /// # Errors
    /// In words: a root that is no certificate, or a TLS library without TLS 1.2 and 1.3.
    pub(crate) fn new(
        resolver: Arc<dyn Resolve>,
        denied: Vec<IpNet>,
        extra_roots: &[CertificateDer<'static>],
    ) -> Result<Network, String> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for root in extra_roots {
            roots
                .add(root.clone())
                .map_err(|error| format!("an extra root certificate is not usable: {error}"))?;
        }
        let roots = Arc::new(roots);
        let mut verified = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        verified.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Network {
            resolver,
            denied,
            roots,
            verified: Arc::new(verified),
        })
    }

    /// The roots that a peer is verified against.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        self.roots.clone()
    }

    /// Opens a TCP connection to the origin.
    pub(crate) async fn tcp(&self, origin: &Origin, reach: Reach) -> Result<TcpStream, NetFault> {
        let addresses = self.resolve(origin).await?;
        for address in &addresses {
            if let Some(why) = refusal(address.ip(), address.port(), reach, &self.denied) {
                return Err(NetFault::NotGranted(format!(
                    "{} leads to {}, which no plugin may reach: {why}",
                    origin,
                    address.ip()
                )));
            }
        }
        let mut last = None;
        for address in addresses.iter().take(MAX_ATTEMPTS) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Whole requests are written at once; waiting for more only adds latency.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = Some(error.kind().to_string()),
            }
        }
        let why = last.unwrap_or_else(|| "no address".to_owned());
        Err(NetFault::Connect(format!("{origin}: {why}")))
    }

    /// Encrypts a connection and verifies the peer.
    pub(crate) async fn tls(
        &self,
        origin: &Origin,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, NetFault> {
        handshake(origin, stream, self.verified.clone()).await
    }

    async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>, NetFault> {
        let addresses = match (&origin.host, origin.address()) {
            (_, Some(address)) => vec![SocketAddr::new(address, origin.port)],
            (host, None) => {
                let name = host.to_string();
                self.resolver
                    .resolve(&name, origin.port)
                    .await
                    .map_err(|error| NetFault::Resolve(format!("{name}: {}", error.kind())))?
            }
        };
        match addresses.len() {
            0 => Err(NetFault::Resolve(format!(
                "{} has no address",
                origin.host_text()
            ))),
            1..=MAX_ADDRESSES => Ok(addresses),
            more => Err(NetFault::Resolve(format!(
                "{} has {more} addresses; at most {MAX_ADDRESSES} are judged",
                origin.host_text()
            ))),
        }
    }
}

/// The handshake alone.
pub(crate) async fn handshake(
    origin: &Origin,
    stream: TcpStream,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, NetFault> {
    let name = match &origin.host {
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| NetFault::Tls(format!("{name} cannot be in a certificate")))?,
        Host::Ipv4(v4) => ServerName::from(IpAddr::V4(*v4)),
        Host::Ipv6(v6) => ServerName::from(IpAddr::V6(*v6)),
    };
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| {
            // rustls describes the peer's certificate here, never our own data.
            NetFault::Tls(crate::text::line(
                &format!("{}: {error}", origin.host_text()),
                300,
            ))
        })
}

/// ring, named here so that nothing depends on what a process installed as default.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
