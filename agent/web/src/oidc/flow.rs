//! A sign-in under way, as a cookie.

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use sluice_core::hash::hex;

use crate::session::{cookie_value, secret};

/// How long a person may take at the provider.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// Longest page to return to; a longer one is forgotten.
const NEXT_LIMIT: usize = 512;

/// A sign-in that was begun in one browser.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    id: String,
    until: i64,
    /// The page to return to.
    pub(super) next: String,
}

/// What ties provider, browser and us together.
pub(super) struct Proof {
    /// Comes back with the browser.
    pub(super) state: String,
    /// Comes back inside the token.
    pub(super) nonce: String,
    /// Only who has it can use the code. 64 characters, as PKCE wants between 43 and 128.
    pub(super) verifier: String,
}

impl Proof {
    /// What the provider compares the verifier with.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }
}

impl Flow {
    pub(super) fn new(next: &str, now: Timestamp) -> Self {
        let next = if next.len() <= NEXT_LIMIT { next } else { "/" };
        let until = now.as_second().saturating_add(LIFETIME.as_secs());
        Self {
            id: secret(),
            until,
            next: next.to_owned(),
        }
    }

    pub(super) fn proof(&self, key: &hmac::Key) -> Proof {
        let of = |what: &str| {
            let tag = hmac::sign(key, format!("{what} {}", self.id).as_bytes());
            hex(tag.as_ref())
        };
        Proof {
            state: of("state"),
            nonce: of("nonce"),
            verifier: of("verifier"),
        }
    }

    fn name(secure: bool) -> &'static str {
        if secure {
            "__Host-sluice-sign-in"
        } else {
            "sluice-sign-in"
        }
    }

    /// The cookie that binds it to a browser.
    pub(super) fn cookie(&self, key: &hmac::Key, secure: bool) -> Option<HeaderValue> {
        let body = self.body();
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(key, body.as_bytes()));
        set(secure, &format!("{body}.{tag}"), LIFETIME.as_secs())
    }

    /// The cookie that takes it away.
    pub(super) fn no_cookie(secure: bool) -> Option<HeaderValue> {
        set(secure, "", 0)
    }

    fn body(&self) -> String {
        let next = URL_SAFE_NO_PAD.encode(&self.next);
        format!("{}.{}.{next}", self.id, self.until)
    }

    /// The sign-in that this browser began, if it was not too long ago.
    pub(super) fn of(
        headers: &HeaderMap,
        secure: bool,
        key: &hmac::Key,
        now: Timestamp,
    ) -> Option<Self> {
        let value = cookie_value(headers, Self::name(secure))?;
        let (body, tag) = value.rsplit_once('.')?;
        hmac::verify(key, body.as_bytes(), &URL_SAFE_NO_PAD.decode(tag).ok()?).ok()?;
        let mut parts = body.split('.');
        let (id, until, next) = (parts.next()?, parts.next()?, parts.next()?);
        let flow = Self {
            id: id.to_owned(),
            until: until.parse().ok()?,
            next: String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?,
        };
        (now.as_second() < flow.until).then_some(flow)
    }
}

fn set(secure: bool, value: &str, age: i64) -> Option<HeaderValue> {
    let flags = if secure { "; Secure" } else { "" };
    let name = Flow::name(secure);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{flags}");
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    fn key(n: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[n; 32])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn headers(cookie: &HeaderValue) -> HeaderMap {
        let text = cookie.to_str().unwrap().split(';').next().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(text).unwrap());
        headers
    }

    #[test]
    fn comes_back_whole_to_the_same_process_in_time() {
        let flow = Flow::new("/rollouts/a/b?x=y", at(0));
        let headers = headers(&flow.cookie(&key(1), true).unwrap());
        let back = Flow::of(&headers, true, &key(1), at(599)).unwrap();
        assert_eq!(back, flow);
        assert_eq!(back.proof(&key(1)).state, flow.proof(&key(1)).state);
        assert_eq!(Flow::of(&headers, true, &key(1), at(600)), None, "too late");
        assert_eq!(
            Flow::of(&headers, true, &key(2), at(1)),
            None,
            "another key"
        );
        assert_eq!(Flow::of(&headers, false, &key(1), at(1)), None);
    }

    #[test]
    fn a_cookie_that_was_changed_is_none() {
        let flow = Flow::new("/", at(0));
        let cookie = flow.cookie(&key(1), false).unwrap();
        let text = cookie.to_str().unwrap().replacen(".600.", ".900.", 1);
        assert!(text.contains(".900."));
        let changed = HeaderValue::from_str(&text).unwrap();
        assert_eq!(Flow::of(&headers(&changed), false, &key(1), at(1)), None);
    }

    #[test]
    fn the_three_secrets_differ_from_each_other_and_each_time() {
        let (a, b) = (Flow::new("/", at(0)), Flow::new("/", at(0)));
        let (p, q) = (a.proof(&key(1)), b.proof(&key(1)));
        let all = [
            &p.state,
            &p.nonce,
            &p.verifier,
            &q.state,
            &q.nonce,
            &q.verifier,
        ];
        let set: std::collections::BTreeSet<&String> = all.into_iter().collect();
        assert_eq!(set.len(), 6);
        assert!((43..=128).contains(&p.verifier.len()));
        let cookie = a.cookie(&key(1), false).unwrap();
        let text = cookie.to_str().unwrap();
        assert!(!text.contains(&p.verifier) && !text.contains(&p.nonce));
        assert_eq!(Flow::new(&"/x".repeat(400), at(0)).next, "/");
    }
}
