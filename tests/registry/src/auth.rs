//! Who may do what: the challenge, the token endpoint, the check.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, header};
use tokio::time::Instant;

use crate::behaviour::Auth;
use crate::journal::Credential;

/// Tokens kept; the oldest die unused long before a test issues so many.
const MOST_TOKENS: usize = 10_000;

/// What a token allows.
#[derive(Debug)]
struct Grant {
    repository: String,
    push: bool,
    until: Instant,
}

/// The tokens that are honoured now.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    grants: HashMap<String, Grant>,
    issued: u64,
}

impl Tokens {
    fn issue(&mut self, repository: &str, push: bool, lifetime: Duration) -> String {
        if self.grants.len() >= MOST_TOKENS {
            self.grants.clear();
        }
        self.issued += 1;
        let token = format!("token-{}", self.issued);
        let until = Instant::now() + lifetime;
        self.grants.insert(
            token.clone(),
            Grant {
                repository: repository.to_owned(),
                push,
                until,
            },
        );
        token
    }

    fn allows(&self, token: &str, repository: Option<&str>, push: bool) -> bool {
        self.grants.get(token).is_some_and(|grant| {
            Instant::now() < grant.until
                && repository.is_none_or(|asked| asked == grant.repository)
                && (!push || grant.push)
        })
    }

    /// Forgets every token, as a restarted token service does.
    pub(crate) fn revoke(&mut self) {
        self.grants.clear();
    }
}

/// Reads the `Authorization` header.
pub(crate) fn credential(headers: &HeaderMap) -> Credential {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Credential::None;
    };
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    if let Some(token) = text.strip_prefix("Bearer ") {
        return Credential::Bearer(token.to_owned());
    }
    text.strip_prefix("Basic ")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .and_then(|pair| {
            let (username, password) = pair.split_once(':')?;
            Some(Credential::Basic(username.to_owned(), password.to_owned()))
        })
        .unwrap_or(Credential::Other(text))
}

/// Whether the request may pass.
pub(crate) fn allowed(
    auth: &Auth,
    tokens: &Tokens,
    credential: &Credential,
    method: &Method,
    repository: Option<&str>,
) -> bool {
    let push = *method != Method::GET && *method != Method::HEAD;
    match auth {
        Auth::Open => true,
        Auth::Basic { username, password } => {
            *credential == Credential::Basic(username.clone(), password.clone())
        }
        Auth::Bearer { .. } => match credential {
            Credential::Bearer(token) => tokens.allows(token, repository, push),
            Credential::None | Credential::Basic(..) | Credential::Other(_) => false,
        },
    }
}

/// The `WWW-Authenticate` header of a refusal.
pub(crate) fn challenge(auth: &Auth, realm: &str) -> Option<String> {
    match auth {
        Auth::Open => None,
        Auth::Basic { .. } => Some("Basic realm=\"sluice registry\"".to_owned()),
        Auth::Bearer { .. } => Some(format!(
            "Bearer realm=\"{realm}\",service=\"sluice-registry\""
        )),
    }
}

/// What the token endpoint answers: the token and its seconds, or nothing where it refuses.
pub(crate) fn grant(
    auth: &Auth,
    tokens: &mut Tokens,
    credential: &Credential,
    query: &str,
) -> Option<(String, u64)> {
    let Auth::Bearer {
        username,
        password,
        anonymous_pull,
        lifetime,
    } = auth
    else {
        return None;
    };
    let known = *credential == Credential::Basic(username.clone(), password.clone());
    let anonymous = *credential == Credential::None && *anonymous_pull;
    if !known && !anonymous {
        return None;
    }
    let scope = url::form_urlencoded::parse(query.as_bytes())
        .find_map(|(key, value)| (key == "scope").then(|| value.into_owned()))
        .unwrap_or_default();
    let (repository, actions) = scope
        .strip_prefix("repository:")
        .and_then(|rest| rest.rsplit_once(':'))?;
    let push = known && actions.split(',').any(|action| action == "push");
    Some((
        tokens.issue(repository, push, *lifetime),
        lifetime.as_secs(),
    ))
}
