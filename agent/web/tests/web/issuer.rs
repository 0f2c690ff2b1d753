//! A small identity provider on loopback with keys of its own: discovery, keys, codes for tokens. It
//! does what a real one does where the agent can see it, and lies where a test says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) const CLIENT: &str = "sluice-web";
pub(crate) const SECRET: &str = "a secret/with+odd:signs";

/// What a test changes.
pub(crate) struct Knobs {
    /// Claims of the next tokens, over the usual ones. `null` takes one away.
    pub(crate) claims: Value,
    /// The key id that tokens name and the keys have.
    pub(crate) key_id: String,
    /// What the discovery document says, over the usual.
    pub(crate) discovery: Value,
    /// The nonce and challenge of the code that was given out last.
    code: Option<(String, String, String)>,
    /// How often the keys were read.
    pub(crate) key_reads: usize,
    /// How often a code was asked to become a token.
    pub(crate) exchanges: usize,
    /// Answer everything with this status instead.
    pub(crate) fault: Option<StatusCode>,
    /// The instant of tokens.
    pub(crate) now: Timestamp,
}

struct Inner {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    url: String,
    /// Its certificate, for who wants to trust it.
    certificate: String,
    knobs: Mutex<Knobs>,
}

/// The running provider. Ends when it is dropped.
pub(crate) struct Issuer {
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

impl Issuer {
    pub(crate) async fn start(now: Timestamp) -> Self {
        // As the agent's main does: one provider of TLS for the process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let inner = Arc::new(Inner {
            pair: EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap(),
            random,
            url: format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            ),
            certificate: pem(made.cert.der()),
            knobs: Mutex::new(Knobs {
                claims: json!({}),
                key_id: "key-1".into(),
                discovery: json!({}),
                code: None,
                key_reads: 0,
                exchanges: 0,
                fault: None,
                now,
            }),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/redirect", get(redirect))
            .with_state(Arc::clone(&inner));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), router));
        Self {
            inner,
            _server: server,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.inner.url
    }

    pub(crate) fn certificate(&self) -> &str {
        &self.inner.certificate
    }

    pub(crate) fn knobs(&self) -> std::sync::MutexGuard<'_, Knobs> {
        self.inner.knobs.lock().unwrap()
    }

    /// What the provider does when somebody signs in there: remembers what the browser brought, and
    /// gives a code.
    pub(crate) fn code_for(&self, nonce: &str, challenge: &str, back: &str) -> String {
        let mut knobs = self.knobs();
        knobs.code = Some((nonce.to_owned(), challenge.to_owned(), back.to_owned()));
        "the-code".to_owned()
    }

    /// A token that is signed properly.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.knobs().key_id });
        self.sign_as(&header, claims)
    }

    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let inner = &self.inner;
        let signature = inner.pair.sign(&inner.random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The public key, as bytes that a careless verifier may take for a shared secret.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.inner.pair.public_key().as_ref().to_vec()
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    format!("{begin}\n{}\n{end}\n", lines.join("\n"))
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, router) = (tls.clone(), router.clone());
        connections.spawn(async move {
            // Whoever does not trust the certificate goes away here.
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let service = TowerToHyperService::new(router);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(Duration::from_secs(60), connection).await;
        });
    }
}

fn over(mut usual: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            usual.as_object_mut().unwrap().remove(name);
        } else {
            usual[name] = value.clone();
        }
    }
    usual
}

async fn discovery(State(inner): State<Arc<Inner>>) -> Response {
    let knobs = inner.knobs.lock().unwrap();
    if let Some(status) = knobs.fault {
        return status.into_response();
    }
    let url = &inner.url;
    let usual = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
    });
    Json(over(usual, &knobs.discovery)).into_response()
}

async fn redirect(State(inner): State<Arc<Inner>>) -> Response {
    (
        StatusCode::FOUND,
        [("location", format!("{}/keys", inner.url))],
    )
        .into_response()
}

async fn keys(State(inner): State<Arc<Inner>>) -> Response {
    let mut knobs = inner.knobs.lock().unwrap();
    knobs.key_reads += 1;
    let point = inner.pair.public_key().as_ref();
    Json(json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": knobs.key_id,
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    }]}))
    .into_response()
}

async fn token(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    let field = |name: &str| {
        let found = form.iter().find(|(n, _)| n == name);
        found.map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let (claims, key_id) = {
        let mut knobs = inner.knobs.lock().unwrap();
        knobs.exchanges += 1;
        // RFC 6749: both are encoded before they are joined.
        let encode =
            |t: &str| url::form_urlencoded::byte_serialize(t.as_bytes()).collect::<String>();
        let login = STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET)));
        let known = headers
            .get("authorization")
            .is_some_and(|v| v == format!("Basic {login}").as_str());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
        // A code is good once, for whoever has the verifier.
        let good = knobs.code.take().filter(|(_, wanted, back)| {
            *wanted == challenge && *back == field("redirect_uri") && field("code") == "the-code"
        });
        let Some((nonce, _, _)) = good.filter(|_| known) else {
            let error = json!({ "error": "invalid_grant" });
            return (StatusCode::BAD_REQUEST, Json(error)).into_response();
        };
        let second = knobs.now.as_second();
        let usual = json!({
            "iss": inner.url, "aud": CLIENT, "sub": "8f2c", "nonce": nonce, "iat": second,
            "exp": second + 3600, "name": "mallory", "email": "carol@example.com",
            "groups": ["tech-leads", "all"],
        });
        (over(usual, &knobs.claims), knobs.key_id.clone())
    };
    let issuer = Issuer {
        inner: Arc::clone(&inner),
        _server: JoinSet::new(),
    };
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": key_id });
    Json(json!({
        "access_token": "opaque", "token_type": "Bearer", "id_token": issuer.sign_as(&header, &claims),
    }))
    .into_response()
}
