//! Issuers of tokens: where their keys are, and the keys, kept for a while. A flood of tokens with
//! invented key ids is not a flood at the issuer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::fetch::Fetch;
use crate::jwt::{Claims, Key, TokenFault, Unverified, keys};

/// Issuers at most. They come from the policy and the sign-in's settings, never from a token.
const ISSUERS: usize = 64;
/// Keys are asked for anew after so long, ...
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// ... serve so long where the issuer does not answer, ...
const STALE: SignedDuration = SignedDuration::from_hours(6);
/// ... and the issuer is asked once in so long, whatever tokens name.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// What an issuer says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    /// Where people sign in.
    pub(crate) authorize: Option<String>,
    /// Where a code becomes a token.
    pub(crate) token: Option<String>,
    /// Whether the secret may be sent as a basic login. So by default.
    pub(crate) basic: bool,
    jwks: String,
}

/// All issuers that were asked for.
pub(crate) struct Issuers {
    fetch: Fetch,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
}

/// One issuer.
struct Issuer {
    name: String,
    /// Held while its documents are read, so that they are read once.
    cache: tokio::sync::Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    discovery: Option<Discovery>,
    keys: Arc<[Key]>,
    read_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    fault: Option<String>,
}

impl Issuers {
    pub(crate) fn new(fetch: Fetch) -> Self {
        Self {
            fetch,
            known: Mutex::default(),
        }
    }

    /// The client, for what only the sign-in asks.
    pub(crate) fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// The claims of a token of this issuer, once its signature is verified. `issuer` is one that
    /// the policy or the settings name.
    pub(crate) async fn verify(
        &self,
        issuer: &str,
        token: Unverified<'_>,
        now: Timestamp,
    ) -> Result<Claims, TokenFault> {
        if token.claimed_issuer() != Some(issuer) {
            return Err(TokenFault::Issuer);
        }
        let found = self.issuer(issuer);
        let mut cache = found.cache.lock().await;
        let fresh = cache
            .read_at
            .is_some_and(|at| now.duration_since(at) < FRESH);
        if !fresh || token.key(&cache.keys).is_none() {
            self.refresh(&found.name, &mut cache, now).await;
        }
        let usable = cache
            .read_at
            .is_some_and(|at| now.duration_since(at) < STALE);
        let (keys, fault) = (Arc::clone(&cache.keys), cache.fault.clone());
        drop(cache);
        if !usable {
            let why = fault.unwrap_or_else(|| "they were not read yet".to_owned());
            return Err(TokenFault::Unavailable(why));
        }
        let key = token.key(&keys).ok_or(TokenFault::UnknownKey)?;
        token.verify(key)
    }

    /// What the issuer says of itself.
    pub(crate) async fn discover(
        &self,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Discovery, TokenFault> {
        let found = self.issuer(issuer);
        let mut cache = found.cache.lock().await;
        if cache
            .read_at
            .is_none_or(|at| now.duration_since(at) >= FRESH)
        {
            self.refresh(&found.name, &mut cache, now).await;
        }
        let why = || cache.fault.clone().unwrap_or_default();
        cache
            .discovery
            .clone()
            .ok_or_else(|| TokenFault::Unavailable(why()))
    }

    fn issuer(&self, name: &str) -> Arc<Issuer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name) {
            return Arc::clone(found);
        }
        if known.len() >= ISSUERS {
            // Those of policies that are no longer in force: they are read again when needed.
            known.clear();
        }
        let issuer = Arc::new(Issuer {
            name: name.to_owned(),
            cache: tokio::sync::Mutex::default(),
        });
        known.insert(name.to_owned(), Arc::clone(&issuer));
        issuer
    }

    /// Reads the documents of an issuer, unless that was tried just now. A fault leaves what there is.
    async fn refresh(&self, issuer: &str, cache: &mut Cache, now: Timestamp) {
        // A clock that went back must not silence the issuer.
        let just_now =
            |at: Timestamp| (SignedDuration::ZERO..PAUSE).contains(&now.duration_since(at));
        if cache.tried_at.is_some_and(just_now) {
            return;
        }
        cache.tried_at = Some(now);
        match self.read(issuer).await {
            Ok((discovery, keys)) => {
                cache.discovery = Some(discovery);
                cache.keys = keys.into();
                cache.read_at = Some(now);
                cache.fault = None;
            }
            Err(why) => {
                tracing::warn!(
                    issuer,
                    why,
                    "the keys of an issuer of tokens cannot be read"
                );
                cache.fault = Some(why);
            }
        }
    }

    async fn read(&self, issuer: &str) -> Result<(Discovery, Vec<Key>), String> {
        let at = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let document = self
            .fetch
            .json(&at)
            .await
            .map_err(|why| format!("{at}: {why}"))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        // Whoever answers for somebody else could sign for them.
        if text("issuer") != Some(issuer) {
            return Err(format!("{at} is about another issuer"));
        }
        let jwks =
            text("jwks_uri").ok_or_else(|| format!("{at} does not say where its keys are"))?;
        let methods = document
            .get("token_endpoint_auth_methods_supported")
            .and_then(Value::as_array);
        let discovery = Discovery {
            authorize: text("authorization_endpoint").map(str::to_owned),
            token: text("token_endpoint").map(str::to_owned),
            basic: methods.is_none_or(|all| all.iter().any(|m| m == "client_secret_basic")),
            jwks: jwks.to_owned(),
        };
        let set = self
            .fetch
            .json(&discovery.jwks)
            .await
            .map_err(|why| format!("{jwks}: {why}"))?;
        let keys = keys(&set).ok_or_else(|| format!("{jwks} is not a set of keys"))?;
        Ok((discovery, keys))
    }
}
