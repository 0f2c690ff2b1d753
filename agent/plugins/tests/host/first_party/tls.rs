//! `tls-smoke` against servers with certificates of every kind.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sluice_core::plugin::{Outcome, Report};
use sluice_plugins::HostOptions;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::server::{self, Seen};
use crate::support::{Folder, invocation, operator_file, smoke, test_options};

/// Another era than today's, so that the tests hold for as long as anybody runs them.
const LONG_AGO: (i32, u8, u8) = (2020, 1, 1);
const FAR_AHEAD: (i32, u8, u8) = (2120, 1, 1);

/// An authority of the test's own.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a host, valid between two days.
fn leaf(host: &str, from: (i32, u8, u8), to: (i32, u8, u8)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params.distinguished_name.push(DnType::CommonName, host);
    params
}

/// A server that completes handshakes and waits for a request, which must not come.
struct Secure {
    url: String,
    _accept: JoinSet<()>,
}

async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> Secure {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut accept = JoinSet::new();
    accept.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    Secure {
        url: format!("https://localhost:{port}"),
        _accept: accept,
    }
}

/// A smoke test runs for each pod of the candidate, whatever it looks at.
fn pod() -> [String; 1] {
    ["http://127.0.0.1:9".to_owned()]
}

/// Looks at one server through the whole host.
async fn look(url: &str, root: CertificateDer<'static>, settings: Value) -> Report {
    let target = |url: &str| json!({ "url": url, "allowLoopback": true });
    let grants = json!({ "grants": { "http": { "public": target(url) } } });
    let folder = Folder::new().plugin("tls_smoke", "tls_smoke.wasm").file(
        "plugins.yaml",
        operator_file("tls-smoke", "tls_smoke.wasm", grants),
    );
    let options = HostOptions {
        extra_roots: vec![root],
        ..test_options()
    };
    let host = folder.host_with(options).await;
    smoke(&host, "tls-smoke", invocation(settings, &pod()))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_an_authority_that_is_trusted_passes() {
    let (authority, key) = (authority("Example Test CA"), KeyPair::generate().unwrap());
    let certificate = leaf("localhost", LONG_AGO, FAR_AHEAD)
        .signed_by(&key, &authority)
        .unwrap();
    let server = serve(certificate.der().clone(), &key).await;
    let settings = json!({ "hosts": [{ "target": "public", "minDays": 30,
        "subject": "localhost", "issuer": "Example Test CA" }] });
    let report = look(&server.url, authority.der().clone(), settings).await;
    assert_eq!(report.outcome, Outcome::Pass, "{report:?}");
    assert_eq!(report.checks.len(), 4, "{report:?}");
    assert!(
        report.checks[1].message.starts_with("ends on 2120-01-01"),
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let authority = authority("Example Test CA");
    let cases = [
        (
            leaf("localhost", LONG_AGO, (2021, 1, 1)),
            true,
            "expired on 2021-01-01",
        ),
        (
            leaf("localhost", (2110, 1, 1), FAR_AHEAD),
            true,
            "is not valid yet",
        ),
        (
            leaf("other.example", LONG_AGO, FAR_AHEAD),
            true,
            "is for another name",
        ),
        (
            leaf("localhost", LONG_AGO, FAR_AHEAD),
            false,
            "is self-signed by \"CN=localhost\", and nobody vouches for it",
        ),
    ];
    for (params, signed, words) in cases {
        let key = KeyPair::generate().unwrap();
        let certificate = match signed {
            true => params.signed_by(&key, &authority).unwrap(),
            false => params.self_signed(&key).unwrap(),
        };
        let server = serve(certificate.der().clone(), &key).await;
        let settings = json!({ "hosts": [{ "target": "public" }] });
        let report = look(&server.url, authority.der().clone(), settings).await;
        assert_eq!(report.outcome, Outcome::Fail, "{report:?}");
        assert!(report.checks[0].message.contains(words), "{report:?}");
    }
    // An authority that nobody told the agent about.
    let key = KeyPair::generate().unwrap();
    let certificate = leaf("localhost", LONG_AGO, FAR_AHEAD)
        .signed_by(&key, &authority)
        .unwrap();
    let server = serve(certificate.der().clone(), &key).await;
    for (name, words) in [
        (
            "Another CA",
            "is signed by an authority that the agent does not trust",
        ),
        (
            "Example Test CA",
            "is signed with another key than that of the authority that the agent trusts",
        ),
    ] {
        let other = self::authority(name).der().clone();
        let settings = json!({ "hosts": [{ "target": "public" }] });
        let report = look(&server.url, other, settings).await;
        assert!(report.checks[0].message.contains(words), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_server_that_leads_to_https_passes_and_another_fails() {
    let leads = server::start(|_: &Seen| {
        let mut reply = server::text("");
        *reply.status_mut() = http::StatusCode::PERMANENT_REDIRECT;
        let place = http::HeaderValue::from_static("https://shop.example.com/");
        reply.headers_mut().insert("location", place);
        reply
    })
    .await;
    let stays = server::start(|_: &Seen| server::text("hello")).await;
    for (server, outcome) in [(leads, Outcome::Pass), (stays, Outcome::Fail)] {
        let grants = json!({ "grants": { "http": { "plain": {
            "url": server.url(), "methods": ["GET"], "paths": ["/*"], "allowLoopback": true } } } });
        let folder = Folder::new().plugin("tls_smoke", "tls_smoke.wasm").file(
            "plugins.yaml",
            operator_file("tls-smoke", "tls_smoke.wasm", grants),
        );
        let host = folder.host().await;
        let settings = json!({ "redirects": [{ "target": "plain", "permanent": true }] });
        let report = smoke(&host, "tls-smoke", invocation(settings, &pod()))
            .await
            .unwrap();
        assert_eq!(report.outcome, outcome, "{report:?}");
        assert_eq!(server.requests()[0].uri.path(), "/");
    }
}
