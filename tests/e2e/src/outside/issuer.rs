//! An identity provider: OpenID Connect's code flow with PKCE, for one client and two people. It
//! believes nothing that a real one would not believe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Json, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Sluice's name there.
pub(crate) const CLIENT: &str = "sluice";
/// Its secret.
pub(crate) const SECRET: &str = "the secret of the client";
/// Who can sign in there: what they type, and their subject.
const PEOPLE: [(&str, &str); 2] = [("bob", "8f2c"), ("carol", "41aa")];

type Fields = HashMap<String, String>;

/// What the browser brought when somebody signed in, until the code is used.
struct Given {
    subject: String,
    nonce: String,
    challenge: String,
}

struct Inner {
    url: String,
    back: String,
    pair: EcdsaKeyPair,
    random: SystemRandom,
    codes: Mutex<HashMap<String, Given>>,
}

/// The provider.
pub(super) struct Issuer(Arc<Inner>);

impl Issuer {
    /// Signs people in for the page with this name.
    pub(super) fn new(url: &str, page: &str) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).map_err(|_| anyhow!("no key"))?;
        let pair = EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random);
        Ok(Self(Arc::new(Inner {
            url: url.to_owned(),
            back: format!("https://{page}/sign-in/oidc/callback"),
            pair: pair.map_err(|e| anyhow!("{e}"))?,
            random,
            codes: Mutex::default(),
        })))
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/authorize", get(authorize).post(login))
            .route("/token", post(token))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&self.0))
    }
}

async fn discovery(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let url = &inner.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(inner): State<Arc<Inner>>) -> Json<Value> {
    // An uncompressed point: one byte, then both coordinates.
    let point = inner.pair.public_key().as_ref();
    let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
    Json(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    }]}))
}

fn field<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.get(name).map(String::as_str).unwrap_or_default()
}

/// What a client must send along, and must not have been changed on the way.
fn faults(inner: &Inner, asked: &Fields) -> Vec<&'static str> {
    let rules = [
        (field(asked, "client_id") == CLIENT, "client_id"),
        (field(asked, "redirect_uri") == inner.back, "redirect_uri"),
        (field(asked, "response_type") == "code", "response_type"),
        (
            field(asked, "scope").split(' ').any(|s| s == "openid"),
            "scope",
        ),
        (
            field(asked, "code_challenge_method") == "S256",
            "code_challenge_method",
        ),
        (field(asked, "code_challenge").len() == 43, "code_challenge"),
        (field(asked, "state").len() >= 22, "state"),
        (field(asked, "nonce").len() >= 22, "nonce"),
    ];
    rules
        .iter()
        .filter(|(fine, _)| !fine)
        .map(|(_, name)| *name)
        .collect()
}

async fn authorize(State(inner): State<Arc<Inner>>, Query(asked): Query<Fields>) -> Response {
    let faults = faults(&inner, &asked);
    if !faults.is_empty() {
        return (StatusCode::BAD_REQUEST, format!("wrong: {faults:?}")).into_response();
    }
    let kept: String = asked
        .iter()
        .filter(|(_, value)| !value.contains(['"', '<', '&']))
        .map(|(name, value)| format!("<input type=hidden name=\"{name}\" value=\"{value}\">"))
        .collect();
    Html(format!(
        "<!doctype html><title>Example identity</title><h1>Example identity</h1>\
         <form method=post>{kept}<label>Name <input name=user></label><button>Sign in</button></form>"
    ))
    .into_response()
}

async fn login(State(inner): State<Arc<Inner>>, Form(asked): Form<Fields>) -> Response {
    let known = PEOPLE
        .iter()
        .find(|(name, _)| *name == field(&asked, "user"));
    let (Some((_, subject)), true) = (known, faults(&inner, &asked).is_empty()) else {
        return (StatusCode::FORBIDDEN, "nobody of that name").into_response();
    };
    let code = format!("{:032x}", rand::random::<u128>());
    let given = Given {
        subject: (*subject).to_owned(),
        nonce: field(&asked, "nonce").to_owned(),
        challenge: field(&asked, "code_challenge").to_owned(),
    };
    let mut codes = inner.codes.lock().unwrap_or_else(PoisonError::into_inner);
    codes.insert(code.clone(), given);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", field(&asked, "state"))
        .append_pair("iss", &inner.url)
        .finish();
    Redirect::to(&format!("{}?{query}", inner.back)).into_response()
}

async fn token(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Form(asked): Form<Fields>,
) -> Response {
    let refused =
        |why: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response();
    // RFC 6749: both are encoded as in a form before they are joined.
    let encode = |t: &str| url::form_urlencoded::byte_serialize(t.as_bytes()).collect::<String>();
    let login = STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET)));
    let login = format!("Basic {login}");
    let brought = headers.get(header::AUTHORIZATION);
    if brought.is_none_or(|v| v.as_bytes() != login.as_bytes()) {
        return refused("invalid_client");
    }
    let mut codes = inner.codes.lock().unwrap_or_else(PoisonError::into_inner);
    // Good once, for whoever has the verifier.
    let Some(given) = codes.remove(field(&asked, "code")) else {
        return refused("invalid_grant");
    };
    let challenge = Sha256::digest(field(&asked, "code_verifier").as_bytes());
    let same = URL_SAFE_NO_PAD.encode(challenge) == given.challenge
        && field(&asked, "redirect_uri") == inner.back
        && field(&asked, "grant_type") == "authorization_code";
    if !same {
        return refused("invalid_grant");
    }
    match inner.identity(&given) {
        Some(token) => Json(json!({
            "access_token": "of no use here", "token_type": "Bearer", "id_token": token,
        }))
        .into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Inner {
    fn identity(&self, given: &Given) -> Option<String> {
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": self.url, "aud": CLIENT, "sub": given.subject, "nonce": given.nonce,
            // A name and an address say nothing: these are somebody else's.
            "name": "alice", "email": "alice@example.com",
            "iat": now, "exp": now + 3600,
        });
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let head = json!({"alg": "ES256", "typ": "JWT", "kid": "1"});
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
