//! What is outside the cluster, each under its own name at one address: an ingress that ends TLS before
//! the agent's page, an identity provider, Slack, and a site of somebody who means no good.

mod issuer;
pub(crate) mod slack;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::RawQuery;
use axum::response::Html;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use issuer::Issuer;
pub(crate) use issuer::{CLIENT, SECRET};
use slack::Workspace;

/// The page, as people type it.
pub(crate) const PAGE: &str = "sluice.example.com";
/// The identity provider.
pub(crate) const IDENTITIES: &str = "id.example.com";
/// Where `slack-approval` goes, and nowhere else.
pub(crate) const SLACK: &str = "slack.com";
/// A neighbour of the page: to a browser they are one site, and cookies go along.
pub(crate) const NEIGHBOUR: &str = "evil.example.com";
/// Another site.
pub(crate) const STRANGER: &str = "evil.example.net";
const NAMES: [&str; 5] = [PAGE, IDENTITIES, SLACK, NEIGHBOUR, STRANGER];

/// For a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Runs until it is dropped.
pub(crate) struct Outside {
    pub(crate) address: SocketAddr,
    /// The authority behind every name, as PEM.
    pub(crate) authority: String,
    /// SHA-256 of the one key that all names use, as base64.
    pub(crate) key: String,
    pub(crate) slack: Workspace,
    _server: JoinSet<()>,
}

/// Who answers behind the names.
struct Behind {
    page: SocketAddr,
    identities: Router,
    slack: Router,
    attack: Router,
}

impl Outside {
    /// Listens at this address; the page is behind `page`, without TLS.
    pub(crate) async fn start(listen: SocketAddr, page: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names: Vec<String> = NAMES.iter().map(|n| (*n).to_owned()).collect();
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let slack = Workspace::new();
        let behind = Arc::new(Behind {
            page,
            identities: Issuer::new(&format!("https://{IDENTITIES}"), PAGE)?.router(),
            slack: slack.router(),
            attack: Router::new().route("/", get(attack)),
        });
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), behind));
        Ok(Self {
            address,
            authority: pem(authority.as_ref().der()),
            key: STANDARD.encode(Sha256::digest(key.subject_public_key_info())),
            slack,
            _server: server,
        })
    }

    /// Where a browser finds the names.
    pub(crate) fn lead(&self) -> String {
        let rules: Vec<String> = NAMES
            .iter()
            .map(|name| format!("MAP {name}:443 {}", self.address))
            .collect();
        rules.join(", ")
    }

    /// A program that reaches the page by its name.
    pub(crate) fn client(&self) -> anyhow::Result<reqwest::Client> {
        let authority = reqwest::Certificate::from_pem(self.authority.as_bytes())?;
        // An address of port 0 leaves the port to the URL.
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .tls_certs_only([authority]);
        for name in NAMES {
            client = client.resolve(name, self.address);
        }
        Ok(client.build()?)
    }
}

/// A certificate as text.
fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out + "-----END CERTIFICATE-----\n"
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, behind: Arc<Behind>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                let (tls, behind) = (tls.clone(), Arc::clone(&behind));
                open.spawn(async move {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                        // Whoever is gone in the middle does not want to know.
                        let _ = answer(stream, &behind).await;
                    }
                });
            }
            Some(_) = open.join_next() => {}
        }
    }
}

async fn answer(mut stream: TlsStream<TcpStream>, behind: &Behind) -> anyhow::Result<()> {
    let name = stream.get_ref().1.server_name().unwrap_or_default();
    let router = match name {
        PAGE => {
            let mut page = TcpStream::connect(behind.page).await?;
            copy_bidirectional(&mut stream, &mut page).await?;
            return Ok(());
        }
        IDENTITIES => behind.identities.clone(),
        SLACK => behind.slack.clone(),
        _ => behind.attack.clone(),
    };
    let served = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    served.map_err(|error| anyhow::anyhow!("{error}"))
}

/// A page that sends a form to the agent's page as soon as somebody opens it: `?PATH&HASH`.
async fn attack(RawQuery(query): RawQuery) -> Html<String> {
    let query = query.unwrap_or_default();
    let (path, hash) = query.split_once('&').unwrap_or((&query, ""));
    Html(format!(
        "<form method=post action=\"https://{PAGE}{path}\"><input name=hash value=\"{hash}\">\
         <input name=csrf value=\"\"></form><script>document.forms[0].submit()</script>"
    ))
}
