//! Sign-in with an identity provider: OpenID Connect's authorization code flow with PKCE, state and
//! nonce, each bound to the browser that began (reliability.md I4).
//!
//! Nothing is kept between the two requests: state, nonce and verifier are made from one random
//! number in a short-lived cookie, with a key that only this process knows. So whoever begins a
//! million sign-ins costs no memory and pushes nobody out.

mod config;
mod flow;

pub use config::OidcConfig;
pub(crate) use flow::Flow;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;
use sluice_core::policy::{Identity, IdentityProvider};
use url::{Url, form_urlencoded};

use crate::app::App;
use crate::jwt::{Claims, TokenFault, Unverified, Wanted};
use crate::page;
use crate::problem::Problem;
use crate::session;

/// Where the provider sends people back to.
pub(crate) const CALLBACK: &str = "/sign-in/oidc/callback";
/// Longest authorization code.
const CODE_LIMIT: usize = 2048;
/// Longest subject: OpenID Connect says so.
const SUBJECT_LIMIT: usize = 255;
/// Groups that are taken over. More do not fit into a vote.
const GROUPS: usize = 128;
/// Longest name of a group.
const GROUP_LIMIT: usize = 256;

/// Leads a browser to the provider.
pub(crate) async fn begin(app: &App, parts: &Parts, query: &str) -> Result<Response, Problem> {
    let config = offered(app)?;
    let now = app.now();
    let asked = place(app).await?;
    let discovery = app.issuers.discover(&config.issuer, now).await;
    drop(asked);
    let discovery = discovery.map_err(|fault| unavailable(&fault.to_string()))?;
    let authorize = discovery
        .authorize
        .ok_or_else(|| unavailable("its discovery document names no authorization_endpoint"))?;
    let mut to = app
        .issuers
        .fetch()
        .check(&authorize)
        .map_err(|why| unavailable(&format!("its authorization_endpoint: {why}")))?;
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = next.map(|(_, path)| path.into_owned());
    let flow = Flow::new(page::local(next.as_deref()), now);
    let proof = flow.proof(&app.flow_key);
    let back = redirect_uri(app, parts)?;
    to.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &config.client_id)
        .append_pair("redirect_uri", &back)
        .append_pair("scope", &config.scopes.join(" "))
        .append_pair("state", &proof.state)
        .append_pair("nonce", &proof.nonce)
        .append_pair("code_challenge", &proof.challenge())
        .append_pair("code_challenge_method", "S256");
    let mut response = page::see_other(to.as_str());
    let cookie = flow.cookie(&app.flow_key, app.config.secure_cookies);
    page::add_cookie(&mut response, cookie)?;
    Ok(response)
}

/// Signs in whoever comes back from the provider.
pub(crate) async fn finish(app: &App, parts: &Parts, query: &str) -> Result<Response, Problem> {
    let config = offered(app)?;
    let now = app.now();
    let secure = app.config.secure_cookies;
    let flow = Flow::of(&parts.headers, secure, &app.flow_key, now)
        .ok_or_else(|| not_begun("the sign-in was not begun in this browser, or too long ago"))?;
    let proof = flow.proof(&app.flow_key);
    let given = Returned::parse(query)?;
    if !given
        .state
        .is_some_and(|state| session::same_secret(&state, &proof.state))
    {
        return Err(not_begun("the answer is to another sign-in"));
    }
    // The provider says who it is where it can (RFC 9207): another one could have been mixed in.
    if given.issuer.is_some_and(|issuer| issuer != config.issuer) {
        return Err(not_begun("the answer is from another provider"));
    }
    let Some(code) = given.code.filter(|_| !given.failed) else {
        return Err(not_begun("the identity provider did not sign you in"));
    };
    let back = redirect_uri(app, parts)?;
    let asked = place(app).await?;
    let token = exchange(app, config, &code, &back, &proof.verifier).await?;
    let believed = believe(app, config, &token, &proof.nonce, now).await;
    drop(asked);
    let (who, until) = believed.map_err(|fault| {
        tracing::warn!(issuer = config.issuer, %fault, "the token of a sign-in is refused");
        refused(&format!(
            "the token of the identity provider is refused: {fault}"
        ))
    })?;
    tracing::info!(by = who.username, "signed in to the web page");
    let id = app.sessions.start(who, Some(until), now);
    let mut response = page::see_other(page::local(Some(&flow.next)));
    page::add_cookie(&mut response, session::cookie(secure, Some(&id)))?;
    page::add_cookie(&mut response, Flow::no_cookie(secure))?;
    Ok(response)
}

/// What the provider sent back with the browser.
#[derive(Default)]
struct Returned {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    failed: bool,
}

impl Returned {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut out = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "code" if value.len() <= CODE_LIMIT => &mut out.code,
                "state" => &mut out.state,
                "iss" => &mut out.issuer,
                "error" => {
                    out.failed = true;
                    continue;
                }
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(not_begun("the answer says something twice"));
            }
        }
        Ok(out)
    }
}

async fn exchange(
    app: &App,
    config: &OidcConfig,
    code: &str,
    back: &str,
    verifier: &str,
) -> Result<String, Problem> {
    let discovery = app.issuers.discover(&config.issuer, app.now()).await;
    let discovery = discovery.map_err(|fault| unavailable(&fault.to_string()))?;
    let at = discovery
        .token
        .ok_or_else(|| unavailable("its discovery document names no token_endpoint"))?;
    let secret = match config.client_secret_file.clone() {
        None => None,
        Some(path) => {
            let read = tokio::task::spawn_blocking(move || config::secret(&path)).await;
            let secret = read.map_err(|_| Problem::ours("the client secret was not read"))?;
            Some(secret.map_err(|why| unavailable(&format!("our client secret: {why}")))?)
        }
    };
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", back),
        ("code_verifier", verifier),
    ];
    let encoded = secret.as_deref().map(|s| {
        // RFC 6749 encodes both before they are a basic login.
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let pair: (String, String) = (encode(&config.client_id), encode(s));
        pair
    });
    let mut login = None;
    match (&secret, &encoded) {
        (Some(_), Some((id, secret))) if discovery.basic => {
            login = Some((id.as_str(), secret.as_str()))
        }
        (Some(secret), _) => {
            fields.push(("client_id", &config.client_id));
            fields.push(("client_secret", secret));
        }
        (None, _) => fields.push(("client_id", &config.client_id)),
    }
    let answer = app.issuers.fetch().form(&at, login, &fields).await;
    let (status, document) =
        answer.map_err(|why| unavailable(&format!("its token_endpoint: {why}")))?;
    if status != 200 {
        let code = document.get("error").and_then(Value::as_str);
        tracing::warn!(
            status,
            code,
            issuer = config.issuer,
            "a code is refused at the sign-in"
        );
        return Err(refused("the identity provider does not accept the code"));
    }
    document
        .get("id_token")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| unavailable("its answer holds no id_token"))
}

/// Who the token is about, and until when.
async fn believe(
    app: &App,
    config: &OidcConfig,
    token: &str,
    nonce: &str,
    now: Timestamp,
) -> Result<(Identity, Timestamp), TokenFault> {
    let token = Unverified::parse(token)?;
    let claims = app.issuers.verify(&config.issuer, token, now).await?;
    let wanted = Wanted {
        issuer: &config.issuer,
        audience: &config.client_id,
        alone: false,
        max_age: None,
    };
    let until = claims.check(&wanted, now)?;
    // Of several audiences the one that asked must be us, and whoever asked at all.
    let audiences = claims
        .get("aud")
        .and_then(Value::as_array)
        .map_or(1, Vec::len);
    match claims.get("azp") {
        Some(party) if *party != config.client_id => return Err(TokenFault::Claim("azp")),
        None if audiences > 1 => return Err(TokenFault::Claim("azp")),
        Some(_) | None => {}
    }
    if !session::same_secret(claims.text("nonce")?, nonce) {
        return Err(TokenFault::Claim("nonce"));
    }
    let subject = claims.text("sub")?;
    if subject.len() > SUBJECT_LIMIT {
        return Err(TokenFault::Claim("sub"));
    }
    if until <= now {
        return Err(TokenFault::Expired);
    }
    let who = Identity {
        provider: IdentityProvider::Oidc,
        username: format!("{}#{subject}", config.issuer),
        groups: groups(config, &claims),
    };
    Ok((who, until))
}

/// The groups of a person, each with its prefix, in an order that does not change.
fn groups(config: &OidcConfig, claims: &Claims) -> Vec<String> {
    let claim = config
        .groups_claim
        .as_ref()
        .and_then(|name| claims.get(name));
    let named: Vec<&str> = match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    let fine =
        |g: &&str| !g.is_empty() && g.len() <= GROUP_LIMIT && !g.chars().any(char::is_control);
    let all: BTreeSet<String> = named
        .into_iter()
        .filter(fine)
        .map(|group| format!("{}{group}", config.groups_prefix))
        .collect();
    all.into_iter().take(GROUPS).collect()
}

fn offered(app: &App) -> Result<&OidcConfig, Problem> {
    app.config.oidc.as_ref().ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-offered",
            "sign-in with an identity provider is not set up here",
            "sign in with a Kubernetes token, or start the agent with --web-oidc",
        )
    })
}

/// Where the provider sends the browser back to: the name under which it reached us, which is one of
/// ours.
fn redirect_uri(app: &App, parts: &Parts) -> Result<String, Problem> {
    let base = crate::origin::base(&app.config, parts)
        .ok_or_else(|| Problem::ours("a request without a host"))?;
    let base = Url::parse(&base).map_err(|_| Problem::ours("a host that is no address"))?;
    let back = base
        .join(CALLBACK)
        .map_err(|e| Problem::ours(&e.to_string()))?;
    Ok(back.into())
}

/// A place for questions to the provider: anybody can cause them.
async fn place(app: &App) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
    let waited = tokio::time::timeout(crate::write::CALL_TIMEOUT, app.asking.acquire());
    match waited.await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => Err(Problem::busy("the places for sign-ins")),
    }
}

fn unavailable(why: &str) -> Problem {
    tracing::warn!(why, "the identity provider cannot be used for a sign-in");
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "provider-unavailable",
        "the identity provider cannot be asked now",
        "try again, or sign in with a Kubernetes token; the agent's log says what is wrong",
    )
}

fn not_begun(why: &str) -> Problem {
    Problem::forbidden(
        "sign-in-void",
        why,
        "begin the sign-in again from this page",
    )
}

fn refused(why: &str) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "token-refused",
        why,
        "begin the sign-in again; the agent's settings for the provider may be wrong",
    )
}
