//! `${secret:NAME}`, `${hmac-sha256:NAME}` and `${hmac-sha256:NAME:TEXT}` in header values.
//!
//! TEXT is signed before the body, as Slack (`v0:TIME:`) and Stripe (`TIME.`) have it. It gives a
//! guest nothing new: whoever writes the body can have any bytes signed, and the signature goes to
//! a server that the secret is granted for.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use sha2::Sha256;
use sluice_core::hash::hex;

use super::fault::NetFault;
use crate::secret::SecretValue;

const SECRET: &str = "${secret:";
const SIGNATURE: &str = "${hmac-sha256:";

/// One stretch of a header value.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Secret(&'a str),
    Signature { name: &'a str, before: &'a str },
}

/// The names of the secrets that a value mentions.
///
/// # Errors
/// A placeholder that is not closed or has an odd name: sending it as it stands would hide a typo.
pub(crate) fn names(value: &str) -> Result<Vec<&str>, NetFault> {
    Ok(parse(value)?
        .into_iter()
        .filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Secret(name) | Part::Signature { name, .. } => Some(name),
        })
        .collect())
}

/// The value with every placeholder replaced. `body` is what a signature covers.
///
/// # Errors
/// A placeholder without a value, or a result that is no header value (CR and LF included).
pub(crate) fn expand(
    value: &str,
    secrets: &BTreeMap<String, SecretValue>,
    body: &[u8],
) -> Result<HeaderValue, NetFault> {
    let mut out = String::with_capacity(value.len());
    for part in parse(value)? {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Secret(name) => out.push_str(known(secrets, name)?.expose()),
            Part::Signature { name, before } => {
                out.push_str(&signature(known(secrets, name)?, before, body)?);
            }
        }
    }
    let mut value = HeaderValue::from_str(&out)
        .map_err(|_| NetFault::Other("a secret contains bytes no header may contain".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn known<'a>(
    secrets: &'a BTreeMap<String, SecretValue>,
    name: &str,
) -> Result<&'a SecretValue, NetFault> {
    secrets
        .get(name)
        .ok_or_else(|| NetFault::NotGranted(format!("secret \"{name}\"")))
}

fn signature(key: &SecretValue, before: &str, body: &[u8]) -> Result<String, NetFault> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .map_err(|_| NetFault::Other("the secret cannot be used as a key".to_owned()))?;
    mac.update(before.as_bytes());
    mac.update(body);
    Ok(hex(&mac.finalize().into_bytes()))
}

fn parse(mut rest: &str) -> Result<Vec<Part<'_>>, NetFault> {
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let next = [SECRET, SIGNATURE]
            .into_iter()
            .filter_map(|opening| rest.split_once(opening).map(|found| (opening, found)))
            .min_by_key(|(_, (text, _))| text.len());
        let Some((opening, (text, inner))) = next else {
            parts.push(Part::Text(rest));
            break;
        };
        let (inside, after) = inner.split_once('}').ok_or_else(|| {
            NetFault::Other(format!(
                "a header value opens {opening} and does not close it"
            ))
        })?;
        let (name, before) = match inside.split_once(':') {
            Some((name, before)) if opening == SIGNATURE => (name, before),
            Some(_) | None => (inside, ""),
        };
        if !crate::manifest::is_name(name) {
            return Err(NetFault::Other(
                "a secret's name has lower-case letters, digits and dashes".to_owned(),
            ));
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        parts.push(if opening == SECRET {
            Part::Secret(name)
        } else {
            Part::Signature { name, before }
        });
        rest = after;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> BTreeMap<String, SecretValue> {
        BTreeMap::from([("token".to_owned(), SecretValue::new("key-key").unwrap())])
    }

    #[test]
    fn secrets_and_signatures_are_put_in_and_other_text_stays() {
        let body = b"The quick brown fox jumps over the lazy dog";
        let expanded = |value| {
            expand(value, &secrets(), body)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(expanded("Bearer ${secret:token}"), "Bearer key-key");
        assert_eq!(
            expanded("${a} $ {x} ${secret:token}!"),
            "${a} $ {x} key-key!"
        );
        assert_eq!(expanded("plain"), "plain");
        assert!(
            expand("${secret:token}", &secrets(), body)
                .unwrap()
                .is_sensitive()
        );
    }

    #[test]
    fn the_signature_is_hmac_sha256_in_hexadecimal() {
        // printf message | openssl dgst -sha256 -hmac keykey
        let key = BTreeMap::from([("k".to_owned(), SecretValue::new("keykey").unwrap())]);
        let value = expand("sha256=${hmac-sha256:k}", &key, b"message").unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "sha256=94b426611538beea003b4c250f864889eae6de3e620cb73e984e1c23ea5d7372"
        );
    }

    #[test]
    fn a_text_can_be_signed_before_the_body() {
        // Slack's own example: https://docs.slack.dev/authentication/verifying-requests-from-slack
        let secret = SecretValue::new("8f742231b10e8888abcd99yyyzzz85a5").unwrap();
        let key = BTreeMap::from([("k".to_owned(), secret)]);
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let value = expand("v0=${hmac-sha256:k:v0:1531420618:}", &key, body).unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
        assert_eq!(names("${hmac-sha256:k:1.}").unwrap(), ["k"]);
    }

    #[test]
    fn typos_are_errors() {
        for value in [
            "${secret:token",
            "${secret:}",
            "${secret:To Ken}",
            "${hmac-sha256:../x}",
            "${hmac-sha256::text}",
            "${secret:token:text}",
        ] {
            assert!(names(value).is_err(), "{value}");
        }
        assert!(matches!(
            expand("${secret:other}", &secrets(), b""),
            Err(NetFault::NotGranted(_))
        ));
        assert_eq!(
            names("a ${secret:x} ${hmac-sha256:y-1}").unwrap(),
            ["x", "y-1"]
        );
    }
}
