//! Signers, callers and limits over everything: what is about machines and not about people.

use std::collections::BTreeMap;

use super::{Cursor, Problems, check_name};
use crate::policy::callers::CLAIM_LIMIT;
use crate::policy::signers::Keyless;
use crate::policy::{Caller, CallerSecret, CallerToken, GlobalLimits, Signer};
use crate::problem::quoted;

pub(in crate::policy) const SIGNER_KEYS: [&str; 2] = ["publicKey", "keyless"];
pub(in crate::policy) const KEYLESS_KEYS: [&str; 3] = ["issuer", "identity", "identityPattern"];
pub(in crate::policy) const CALLER_KEYS: [&str; 4] = ["oidc", "hmac", "pipelines", "environments"];
pub(in crate::policy) const TOKEN_KEYS: [&str; 2] = ["issuer", "claims"];
pub(in crate::policy) const SECRET_KEYS: [&str; 1] = ["secret"];
pub(in crate::policy) const LIMIT_KEYS: [&str; 1] = ["concurrentRollouts"];
/// Rollouts at a time over all environments that a limit may allow.
const CONCURRENT_LIMIT: u32 = 10_000;
/// Claims that say who a token is for or how long it lives. They are checked anyway, and comparing
/// one of them alone would let everybody in whom the issuer knows.
const NOT_TELLING: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

pub(super) fn signers(cursor: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<String, Signer> {
    let mut out = BTreeMap::new();
    for (entry, cursor) in cursor.entries(problems) {
        check_name(&entry.key, &cursor, problems);
        let Some(signer) = signer(&cursor, problems) else {
            continue;
        };
        let found = signer.check().into_iter();
        problems.extend(found.map(|problem| problem.under(&cursor.path)));
        out.insert(entry.key.clone(), signer);
    }
    out
}

fn signer(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<Signer> {
    let fields = cursor.fields(&SIGNER_KEYS, problems);
    match (fields.get("publicKey"), fields.get("keyless")) {
        (Some(key), None) => Some(Signer::PublicKey(key.text(problems)?.to_owned())),
        (None, Some(keyless)) => {
            let fields = keyless.fields(&KEYLESS_KEYS, problems);
            let hint = "write the issuer of the certificates, such as https://accounts.example.com";
            let issuer = fields.need("issuer", hint, problems);
            let issuer = issuer.and_then(|c| c.text(problems)).map(str::to_owned);
            let mut text = |key| fields.get(key)?.text(problems).map(str::to_owned);
            let (identity, identity_pattern) = (text("identity"), text("identityPattern"));
            Some(Signer::Keyless(Keyless {
                issuer: issuer?,
                identity,
                identity_pattern,
            }))
        }
        (Some(_), Some(_)) | (None, None) => {
            problems.push(
                cursor
                    .problem("expected either publicKey or keyless")
                    .with_hint("two signers get two names; signedBy may list both"),
            );
            None
        }
    }
}

pub(super) fn callers(cursor: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<String, Caller> {
    let mut out = BTreeMap::new();
    for (entry, cursor) in cursor.entries(problems) {
        check_name(&entry.key, &cursor, problems);
        if let Some(caller) = caller(&cursor, problems) {
            out.insert(entry.key.clone(), caller);
        }
    }
    out
}

fn caller(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<Caller> {
    let fields = cursor.fields(&CALLER_KEYS, problems);
    let oidc = fields.get("oidc").and_then(|c| token(c, problems));
    let hmac = fields.get("hmac").and_then(|c| secret(c, problems));
    if fields.get("oidc").is_some() == fields.get("hmac").is_some() {
        problems.push(
            cursor
                .problem("expected either oidc or hmac")
                .with_hint("a caller proves who it is in one way"),
        );
    }
    let pipelines = fields.need("pipelines", "name the pipelines that it may feed", problems);
    let pipelines = pipelines.map(|c| c.texts(problems));
    let hint = "name the environments that it may propose for";
    let environments = fields.need("environments", hint, problems);
    let environments = environments.map(|c| c.texts(problems));
    Some(Caller {
        oidc,
        hmac,
        pipelines: pipelines?,
        environments: environments?,
    })
}

fn token(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<CallerToken> {
    let fields = cursor.fields(&TOKEN_KEYS, problems);
    let hint = "write the issuer's address, such as https://token.actions.example.com";
    let issuer = fields.need("issuer", hint, problems);
    let issuer = issuer.and_then(|c| {
        let text = c.text(problems)?;
        if !text.starts_with("https://") {
            problems.push(c.problem(format!("{} is no https address", quoted(text))));
        }
        Some(text.to_owned())
    });
    let hint = "name claims that only this caller has, such as repository_id: \"4711\"";
    let claims = fields.need("claims", hint, problems)?;
    let mut wanted = BTreeMap::new();
    for (entry, cursor) in claims.entries(problems) {
        if let Some(text) = cursor.text(problems) {
            wanted.insert(entry.key.clone(), text.to_owned());
        }
    }
    let telling = wanted
        .keys()
        .any(|key| !NOT_TELLING.contains(&key.as_str()));
    if !telling {
        problems.push(
            claims
                .problem("names no claim that tells one caller from another")
                .with_hint(hint),
        );
    }
    if wanted.len() > CLAIM_LIMIT {
        problems.push(claims.problem(format!("names more than {CLAIM_LIMIT} claims")));
    }
    Some(CallerToken {
        issuer: issuer?,
        claims: wanted,
    })
}

fn secret(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<CallerSecret> {
    let fields = cursor.fields(&SECRET_KEYS, problems);
    let found = fields.need("secret", "write NAME/KEY of a mounted secret", problems)?;
    let text = found.text(problems)?;
    let part = |part: &str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        !part.is_empty() && part.len() <= 253 && part.bytes().all(plain) && !part.starts_with('.')
    };
    let fits = text
        .split_once('/')
        .is_some_and(|(name, key)| part(name) && part(key));
    if !fits {
        let message = format!("{} is not NAME/KEY of a secret", quoted(text));
        problems.push(found.problem(message));
    }
    Some(CallerSecret {
        secret: text.to_owned(),
    })
}

pub(super) fn limits(cursor: &Cursor<'_>, problems: &mut Problems) -> GlobalLimits {
    let fields = cursor.fields(&LIMIT_KEYS, problems);
    GlobalLimits {
        concurrent_rollouts: fields
            .get("concurrentRollouts")
            .and_then(|c| c.whole(1, CONCURRENT_LIMIT, problems)),
    }
}
