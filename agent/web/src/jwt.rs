//! JSON Web Tokens of others: whose signature it is, and whether the claims are for us, here and now
//! (reliability.md I5).
//!
//! The algorithm is chosen by the key, never by the token alone: a token that names another one is
//! refused, `none` and the symmetric ones are not known at all (attack 18). Addresses and keys that
//! a token brings along are not looked at.

mod key;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

pub(crate) use key::{Algorithm, Key, keys};

/// Longest token. Those of CI systems have two kilobytes.
const TOKEN_LIMIT: usize = 16 * 1024;
/// Clocks differ by so much (I5).
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// Longest issuer, subject, key id and other short texts.
const TEXT_LIMIT: usize = 512;

/// Why a token is not believed. Says nothing that its sender does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFault {
    /// Not three parts of base64 with JSON in them.
    #[error("it is not a signed JSON Web Token")]
    Malformed,
    /// An algorithm that the key is not for.
    #[error("it is signed with an algorithm that is not allowed")]
    Algorithm,
    /// No key of the issuer has that id.
    #[error("its key is not among the keys of the issuer")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature does not fit")]
    Signature,
    /// A claim is missing, of another type or too long.
    #[error("its claim {0} is missing or not usable")]
    Claim(&'static str),
    /// From somebody else.
    #[error("its issuer is another one")]
    Issuer,
    /// For somebody else.
    #[error("it is made for another audience: {wanted} is needed")]
    Audience {
        /// What it should be made for.
        wanted: String,
    },
    /// Too late.
    #[error("it has expired")]
    Expired,
    /// Too early.
    #[error("it is not valid yet")]
    NotYet,
    /// Made too long ago, whatever it says of its own life.
    #[error("it was made more than {0} s ago")]
    TooOld(i64),
    /// The keys of the issuer cannot be had.
    #[error("the issuer's keys cannot be had: {0}")]
    Unavailable(String),
}

/// A token that was taken apart, and nothing of it believed.
pub(crate) struct Unverified<'t> {
    /// What it says it is signed with.
    pub(crate) algorithm: Algorithm,
    /// The key that it names.
    pub(crate) key_id: Option<String>,
    signed: &'t str,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart.
    pub(crate) fn parse(token: &'t str) -> Result<Self, TokenFault> {
        if token.len() > TOKEN_LIMIT || !token.is_ascii() {
            return Err(TokenFault::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        let header = object(header)?;
        let claims = object(claims)?;
        let signature = decode(signature)?;
        // What is marked critical must be understood, and nothing of that kind is.
        if header.contains_key("crit") {
            return Err(TokenFault::Malformed);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm
            .and_then(Algorithm::named)
            .ok_or(TokenFault::Algorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= TEXT_LIMIT => Some(id.clone()),
            Some(_) => return Err(TokenFault::Malformed),
        };
        Ok(Self {
            algorithm,
            key_id,
            signed,
            signature,
            claims,
        })
    }

    /// The issuer that it names: good for finding whose keys to ask, and for nothing else.
    pub(crate) fn claimed_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// The key among these that it must be signed with.
    pub(crate) fn key<'k>(&self, keys: &'k [Key]) -> Option<&'k Key> {
        match &self.key_id {
            Some(id) => keys.iter().find(|k| k.id.as_ref() == Some(id)),
            // Without an id there must be no choice.
            None => match keys {
                [only] => Some(only),
                _ => None,
            },
        }
    }

    /// The claims, once the signature is that of this key.
    pub(crate) fn verify(self, key: &Key) -> Result<Claims, TokenFault> {
        key.verify(self.algorithm, self.signed.as_bytes(), &self.signature)?;
        Ok(Claims(self.claims))
    }
}

/// What the signature of an issuer's key covers. For whom and until when is still to be checked.
#[derive(Debug)]
pub(crate) struct Claims(Map<String, Value>);

/// What a token must be.
pub(crate) struct Wanted<'a> {
    /// Exactly this issuer.
    pub(crate) issuer: &'a str,
    /// Made for this audience.
    pub(crate) audience: &'a str,
    /// Whether other audiences may stand beside it. A token that several services accept can be
    /// used by each of them at the others.
    pub(crate) alone: bool,
    /// How long ago it may have been made, whatever it says of its own life.
    pub(crate) max_age: Option<SignedDuration>,
}

impl Claims {
    /// Checks issuer, audience and times; answers when it expires.
    pub(crate) fn check(
        &self,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<Timestamp, TokenFault> {
        if self.text("iss")? != wanted.issuer {
            return Err(TokenFault::Issuer);
        }
        let audiences: Vec<&str> = match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            Some(_) | None => return Err(TokenFault::Claim("aud")),
        };
        if !audiences.contains(&wanted.audience) || (wanted.alone && audiences.len() != 1) {
            return Err(TokenFault::Audience {
                wanted: wanted.audience.to_owned(),
            });
        }
        let expires = self.instant("exp")?.ok_or(TokenFault::Claim("exp"))?;
        if now >= later(expires) {
            return Err(TokenFault::Expired);
        }
        let made = self.instant("iat")?.ok_or(TokenFault::Claim("iat"))?;
        for start in [Some(made), self.instant("nbf")?].into_iter().flatten() {
            if start > later(now) {
                return Err(TokenFault::NotYet);
            }
        }
        if let Some(max_age) = wanted.max_age
            && now.duration_since(made) > max_age.saturating_add(LEEWAY)
        {
            return Err(TokenFault::TooOld(max_age.as_secs()));
        }
        Ok(expires)
    }

    /// A short text that must be there.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str, TokenFault> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.filter(|t| !t.is_empty() && t.len() <= TEXT_LIMIT)
            .filter(|t| !t.chars().any(char::is_control))
            .ok_or(TokenFault::Claim(name))
    }

    /// Whether a claim is exactly this text. A whole number is as good as its digits: ids of
    /// repositories come as either.
    pub(crate) fn is(&self, name: &str, wanted: &str) -> bool {
        match self.0.get(name) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Number(n)) if n.is_u64() => n.to_string() == wanted,
            Some(_) | None => false,
        }
    }

    /// Any claim.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn instant(&self, name: &'static str) -> Result<Option<Timestamp>, TokenFault> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        // Seconds, which some issuers write with a fraction.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what does not fit saturates, and is no instant then"
        )]
        let seconds = value.as_i64().or_else(|| value.as_f64().map(|f| f as i64));
        seconds
            .and_then(|s| Timestamp::from_second(s).ok())
            .map(Some)
            .ok_or(TokenFault::Claim(name))
    }
}

/// The last instant at which another clock may still say this.
fn later(instant: Timestamp) -> Timestamp {
    instant.saturating_add(LEEWAY).unwrap_or(Timestamp::MAX)
}

fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenFault::Malformed)
}

fn object(part: &str) -> Result<Map<String, Value>, TokenFault> {
    serde_json::from_slice(&decode(part)?).map_err(|_| TokenFault::Malformed)
}

#[cfg(test)]
mod tests;
