//! Signatures over bodies, with secrets that both sides know. Compared by ring, in constant time.

use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use sluice_core::hash::{hex, unhex};

/// How far the sender's clock may be off, and so how old a signature may be (reliability.md H1).
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);
/// The header of GitHub, which many copy: `sha256=<hex of HMAC-SHA256 over the body>`.
const GITHUB: &str = "x-hub-signature-256";
/// Ours: `t=<unix seconds>,v1=<hex of HMAC-SHA256 over "t.body">`.
const OURS: &str = "x-sluice-signature";
/// Bytes of SHA-256.
const TAG: usize = 32;

/// Whether the body is signed with this secret, in GitHub's way. It says nothing about when: good
/// enough for a hint.
pub(super) fn plain(headers: &HeaderMap, body: &[u8], secret: &[u8]) -> bool {
    let given = single(headers, GITHUB).and_then(|v| v.strip_prefix("sha256=").and_then(tag));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    given.is_some_and(|given| hmac::verify(&key, body, &given).is_ok())
}

/// A signature with its time, not verified.
pub(super) struct Timed {
    /// When the sender says it signed.
    pub(super) at: Timestamp,
    seconds: String,
    tag: Vec<u8>,
}

impl Timed {
    /// The signature of a request, if there is exactly one and it is of our kind.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let (mut seconds, mut signed) = (None, None);
        for part in single(headers, OURS)?.split(',') {
            let (name, value) = part.split_once('=')?;
            let place = match name {
                "t" => &mut seconds,
                "v1" => &mut signed,
                _ => return None,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        let seconds = seconds?.to_owned();
        let digits = !seconds.is_empty() && seconds.bytes().all(|b| b.is_ascii_digit());
        let at = digits.then(|| seconds.parse().ok()).flatten()?;
        Some(Self {
            at: Timestamp::from_second(at).ok()?,
            tag: tag(signed?)?,
            seconds,
        })
    }

    /// Whether a request came with such a header at all.
    pub(super) fn is_there(headers: &HeaderMap) -> bool {
        headers.contains_key(OURS)
    }

    /// Whether it was made just now.
    pub(super) fn is_current(&self, now: Timestamp) -> bool {
        now.duration_since(self.at).abs() <= TOLERANCE
    }

    /// Whether it is over this body, with this secret.
    pub(super) fn fits(&self, body: &[u8], secret: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signed = [self.seconds.as_bytes(), b".", body].concat();
        hmac::verify(&key, &signed, &self.tag).is_ok()
    }

    /// The same for the same signature, and only for it.
    pub(super) fn id(&self) -> String {
        hex(&self.tag)
    }
}

/// The value of a header that stands there once. Two are a trick.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// The bytes of a whole SHA-256.
fn tag(text: &str) -> Option<Vec<u8>> {
    unhex(text).filter(|bytes| bytes.len() == TAG)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn tag(secret: &[u8], text: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, text);
        tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn githubs_own_example() {
        // From GitHub's documentation of webhooks.
        let (secret, body) = (b"It's a Secret to Everybody", b"Hello, World!");
        let given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(plain(&headers(GITHUB, &[given]), body, secret));
        assert!(!plain(&headers(GITHUB, &[given]), b"Hello, world!", secret));
        assert!(!plain(&headers(GITHUB, &[given]), body, b"other"));
        assert!(!plain(&headers(GITHUB, &[given, given]), body, secret));
        assert!(!plain(&headers(GITHUB, &["sha256="]), body, secret));
        assert!(!plain(&HeaderMap::new(), body, secret));
    }

    #[test]
    fn ours_binds_time_and_body() {
        let good = format!("t=1000,v1={}", tag(b"secret", b"1000.body"));
        let timed = Timed::of(&headers(OURS, &[&good])).unwrap();
        assert!(timed.fits(b"body", b"secret"));
        assert!(!timed.fits(b"bodY", b"secret") && !timed.fits(b"body", b"Secret"));
        let now = |s| Timestamp::from_second(s).unwrap();
        assert!(timed.is_current(now(700)) && timed.is_current(now(1300)));
        assert!(!timed.is_current(now(699)) && !timed.is_current(now(1301)));
        let later = good.replace("t=1000", "t=1001");
        let timed = Timed::of(&headers(OURS, &[&later])).unwrap();
        assert!(!timed.fits(b"body", b"secret"), "the time is signed, too");
    }

    #[test]
    fn what_is_no_signature() {
        let hex = "0".repeat(64);
        for bad in [
            String::new(),
            "t=1".into(),
            format!("v1={hex}"),
            format!("t=1,v1={hex},v1={hex}"),
            format!("t=1,t=2,v1={hex}"),
            format!("t=-1,v1={hex}"),
            format!("t=,v1={hex}"),
            format!("t=1,v1={}", "0".repeat(63)),
            format!("t=1,v1={}", "g".repeat(64)),
            format!("t=1,v2={hex}"),
            format!("t=99999999999999999999,v1={hex}"),
        ] {
            assert!(Timed::of(&headers(OURS, &[&bad])).is_none(), "{bad}");
        }
        let good = format!("t=1,v1={hex}");
        assert!(Timed::of(&headers(OURS, &[&good, &good])).is_none());
    }
}
