//! Signatures of callbacks: HMAC-SHA256 over the bytes as they came, and a window of time.
//!
//! Slack signs `v0:<time stamp>:<body>`; the general form signs `<time stamp>.<body>`. The time
//! stamp is part of what is signed, so that nobody can refresh an old callback.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use sluice_core::hash::{sha256_hex, unhex};

use super::CallbackRefused;
use super::grant::CallbackSignature;
use crate::secret::SecretValue;

/// How far a time stamp may be from now, in seconds (reliability.md H1).
const WINDOW_SECONDS: u64 = 300;
/// Longest time stamp, in digits: past the year 30000.
const MAX_DIGITS: usize = 12;

/// Checks the signature, then the time. Returns SHA-256 of the signature, in hexadecimal.
pub(super) fn check(
    form: &CallbackSignature,
    secret: &SecretValue,
    headers: &[(String, String)],
    raw_body: &[u8],
    now: Timestamp,
) -> Result<String, CallbackRefused> {
    let (prefix, separator) = match form {
        CallbackSignature::Slack { .. } => ("v0:", ":"),
        CallbackSignature::Hmac { .. } => ("", "."),
    };
    let stamp = one(headers, form.timestamp_header())?;
    let claimed = one(headers, form.header())?;
    let claimed = match form {
        CallbackSignature::Slack { .. } => claimed.strip_prefix("v0=").unwrap_or_default(),
        CallbackSignature::Hmac { .. } => claimed.strip_prefix("sha256=").unwrap_or(claimed),
    };
    let claimed = hexadecimal(claimed).ok_or_else(|| {
        refused("the signature is none: it has to be HMAC-SHA256 in 64 hexadecimal digits")
    })?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| CallbackRefused::new(503, "the secret cannot be used as a key"))?;
    mac.update(prefix.as_bytes());
    mac.update(stamp.as_bytes());
    mac.update(separator.as_bytes());
    mac.update(raw_body);
    // Takes the same time whatever differs.
    mac.verify_slice(&claimed).map_err(|_| {
        refused("the signature does not fit: another secret, or the body was changed on its way")
    })?;
    let stamp = seconds(stamp)
        .ok_or_else(|| refused("the time stamp is none: it has to be seconds since 1970"))?;
    if now.as_second().abs_diff(stamp) > WINDOW_SECONDS {
        return Err(refused(
            "the time stamp is more than 300 seconds from now: too late, or a clock is wrong",
        ));
    }
    Ok(sha256_hex(&claimed))
}

fn refused(sentence: &str) -> CallbackRefused {
    CallbackRefused::new(401, sentence)
}

/// The only header of that name. Two could be read differently by two readers.
fn one<'h>(headers: &'h [(String, String)], name: &str) -> Result<&'h str, CallbackRefused> {
    let mut found = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(value),
        (None, _) => Err(refused(&format!("the header {name} is missing"))),
        (Some(_), Some(_)) => Err(refused(&format!("the header {name} is there twice"))),
    }
}

fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits && text.len() <= MAX_DIGITS)
        .then(|| text.parse().ok())
        .flatten()
}

/// 32 bytes from 64 digits.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    unhex(text).filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn slack() -> CallbackSignature {
        CallbackSignature::Slack {
            secret: "slack-signing-secret".to_owned(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The worked example of Slack's page on verifying requests.
    #[test]
    fn the_example_that_slack_publishes_verifies() {
        let secret = SecretValue::new("8f742231b10e8888abcd99yyyzzz85a5").unwrap();
        let mut headers = vec![
            (
                "X-Slack-Request-Timestamp".to_owned(),
                "1531420618".to_owned(),
            ),
            (
                "x-slack-signature".to_owned(),
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503".to_owned(),
            ),
        ];
        let check_at = |headers: &[_], second| check(&slack(), &secret, headers, BODY, at(second));
        let key = check_at(&headers, 1_531_420_618).unwrap();
        assert_eq!(key.len(), 64);
        for second in [1_531_420_318, 1_531_420_918] {
            assert_eq!(check_at(&headers, second).as_ref(), Ok(&key));
        }
        for second in [1_531_420_317, 1_531_420_919] {
            let refusal = check_at(&headers, second).unwrap_err();
            assert_eq!(refusal.status, 401);
            assert!(refusal.sentence.contains("300 seconds"), "{refusal}");
        }
        headers[1].1 = headers[1].1.to_uppercase().replace("V0=", "v0=");
        let spelled = check_at(&headers, 1_531_420_618);
        assert_eq!(spelled, Ok(key), "another spelling is no other callback");
    }

    #[test]
    fn what_is_no_time_stamp_or_signature_is_refused() {
        for text in ["", "+5", "-5", "5.0", " 5", "5e3", "1234567890123", "٥"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(seconds("0"), Some(0));
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert_eq!(hexadecimal(text), None, "{text}");
        }
        assert_eq!(hexadecimal(&"fF".repeat(32)), Some(vec![255; 32]));
    }
}
