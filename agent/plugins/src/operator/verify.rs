//! What has to be true of a component before anything reads it: a pin, or signatures.
//!
//! Signers are counted as people count them (plugins.md section 8): one who signs twice, or who fits
//! two entries, is one. That cannot be told from the signatures alone, so a file in which two entries
//! could mean the same signer is refused when it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sluice_core::hash::sha256_hex;
use sluice_core::policy::{Keyless, Signer, Subject};

use super::stays_inside;
use crate::text::line;

/// Signers of one plugin: as many as proofs are looked for.
const MAX_SIGNERS: usize = 8;
/// Largest file of a public key.
const MAX_KEY_BYTES: u64 = 16 << 10;

/// What has to be true of a component before it is read any further.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Verify {
    /// Its SHA-256 in hexadecimal.
    pub sha256: Option<String>,
    /// Who has to have signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosign: Option<CosignSigner>,
    /// Everybody who has to have signed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all_of: Vec<CosignSigner>,
    /// Of whom some have to have signed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<CosignSigner>,
    /// How many of `anyOf`; 1 where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// What follows where it is not signed so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<VerifyMode>,
}

/// What follows where a component is not signed as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyMode {
    /// It is not loaded.
    #[default]
    Enforce,
    /// It is loaded, and its problems say so.
    Warn,
    /// Nobody looks; its problems say so.
    Off,
}

/// One signer: a key, or an identity and who vouches for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CosignSigner {
    /// The subject of the signer's certificates, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// A regular expression for the whole subject, from `^` to `$`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_pattern: Option<String>,
    /// The OpenID Connect issuer that knew the signer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// A public key: PEM, or the name of a file of it below the plugins folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A rule about signatures, ready to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureRule {
    /// Who may have signed, by a name that people can read.
    pub signers: BTreeMap<String, Signer>,
    /// What follows where they have not.
    pub mode: VerifyMode,
    all: Vec<String>,
    any: Vec<String>,
    at_least: usize,
}

impl Verify {
    /// Whether anything is said about signatures.
    pub(crate) fn about_signatures(&self) -> bool {
        self.cosign.is_some()
            || !self.all_of.is_empty()
            || !self.any_of.is_empty()
            || self.at_least.is_some()
            || self.mode.is_some()
    }

    /// What is wrong with it as a text. Files of keys are not read yet.
    pub(super) fn faults(&self, at: &str, from_registry: bool, faults: &mut Vec<String>) {
        if let Some(pin) = &self.sha256
            && !(pin.len() == 64 && pin.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')))
        {
            faults.push(format!(
                "{at}.sha256: write 64 lower-case hexadecimal digits"
            ));
        }
        if !from_registry {
            if self.about_signatures() {
                faults.push(format!(
                    "{at}: signatures are looked for in a registry (source.oci); a file of the folder \
                     is pinned with sha256"
                ));
            }
            return;
        }
        if let Err(found) = self.rule_with(&|_| Ok(Key::Later)) {
            faults.extend(found.into_iter().map(|fault| format!("{at}{fault}")));
        }
    }

    /// The rule for a component of a registry. `folder` says in which folder the file of a key lies.
    /// Blocking.
    ///
    /// # Errors
    /// Every fault, each beginning with the field that has it.
    pub fn rule<'a>(
        &self,
        folder: impl Fn(&str) -> &'a Path,
    ) -> Result<SignatureRule, Vec<String>> {
        self.rule_with(&|name| read_key(folder(name), name).map(Key::Pem))
    }

    fn rule_with(
        &self,
        read: &dyn Fn(&str) -> Result<Key, String>,
    ) -> Result<SignatureRule, Vec<String>> {
        let mut faults = Vec::new();
        let mut known: Vec<(String, Option<Known>)> = Vec::new();
        let mut signers = BTreeMap::new();
        let mut take = |at: String, signer: &CosignSigner| {
            let signer = match signer.signer(read) {
                Ok(signer) => signer,
                Err(found) => {
                    faults.extend(found.into_iter().map(|fault| format!("{at}{fault}")));
                    return String::new();
                }
            };
            let (name, own) = match &signer {
                // A key in a file that is not read yet: another look follows when it is.
                None => (at.clone(), None),
                Some(signer) => (label(signer), Known::of(signer)),
            };
            let twin = known.iter().find(|(_, other)| match (other, &own) {
                (Some(other), Some(own)) => other.may_be(own),
                (_, _) => false,
            });
            if let Some((other, _)) = twin {
                faults.push(format!(
                    "{at}: this may be the same signer as {other}, who would count twice; write each \
                     signer once, by the exact identity"
                ));
            }
            known.push((at.trim_start_matches('.').to_owned(), own));
            if let Some(signer) = signer {
                signers.insert(name.clone(), signer);
            }
            name
        };
        let mut all: Vec<String> = Vec::new();
        if let Some(one) = &self.cosign {
            all.push(take(".cosign".to_owned(), one));
        }
        for (index, one) in self.all_of.iter().enumerate() {
            all.push(take(format!(".allOf[{index}]"), one));
        }
        let any: Vec<String> = self
            .any_of
            .iter()
            .enumerate()
            .map(|(index, one)| take(format!(".anyOf[{index}]"), one))
            .collect();
        let mode = self.mode.unwrap_or_default();
        let at_least = self.at_least.map_or(usize::from(!any.is_empty()), |count| {
            usize::try_from(count).unwrap_or(usize::MAX)
        });
        if self.at_least.is_some() && !(1..=any.len()).contains(&at_least) {
            faults.push(format!(
                ".atLeast: write 1 to {}, as many as anyOf has at most",
                any.len().max(1)
            ));
        }
        if all.len() + any.len() > MAX_SIGNERS {
            faults.push(format!(": at most {MAX_SIGNERS} signers"));
        }
        if all.is_empty() && any.is_empty() && mode != VerifyMode::Off {
            faults.push(
                ": name who signs it, such as cosign: { identity: …, issuer: … } or cosign: { key: … }; \
                 or write mode: off, and it runs whoever made it"
                    .to_owned(),
            );
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(SignatureRule {
            signers,
            mode,
            all,
            any,
            at_least,
        })
    }
}

/// A key as it stands in the file.
enum Key {
    Pem(String),
    /// In a file that is read later.
    Later,
}

impl CosignSigner {
    /// The signer; none where its key is read later.
    fn signer(
        &self,
        read: &dyn Fn(&str) -> Result<Key, String>,
    ) -> Result<Option<Signer>, Vec<String>> {
        let keyless =
            self.identity.is_some() || self.identity_pattern.is_some() || self.issuer.is_some();
        let signer = match &self.key {
            Some(_) if keyless => {
                return Err(vec![
                    ": write either key, or identity and issuer".to_owned(),
                ]);
            }
            Some(key) if key.trim_start().starts_with("-----BEGIN") => {
                Signer::PublicKey(key.clone())
            }
            Some(name) if !stays_inside(name) => {
                return Err(vec![format!(
                    ".key: \"{}\": paste the PEM, or name a file below the plugins folder",
                    line(name, 120)
                )]);
            }
            Some(name) => match read(name).map_err(|why| vec![format!(".key: {why}")])? {
                Key::Pem(pem) => Signer::PublicKey(pem),
                Key::Later => return Ok(None),
            },
            None => Signer::Keyless(Keyless {
                issuer: self.issuer.clone().unwrap_or_default(),
                identity: self.identity.clone(),
                identity_pattern: self.identity_pattern.clone(),
            }),
        };
        let problems = signer.check();
        if problems.is_empty() {
            return Ok(Some(signer));
        }
        let words = |problem: &sluice_core::problem::Problem| {
            let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})"));
            let field = problem.field.trim_start_matches("keyless.");
            let field = field.replace("publicKey", "key");
            format!(
                ".{field}: it {}{}",
                problem.message,
                hint.unwrap_or_default()
            )
        };
        Err(problems.iter().map(words).collect())
    }
}

/// What two signers are compared by.
enum Known {
    Key(Vec<u8>),
    Identity(String, Subject, Option<String>),
}

impl Known {
    fn of(signer: &Signer) -> Option<Known> {
        match signer {
            Signer::PublicKey(pem) => SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
                .ok()
                .map(|der| Known::Key(der.to_vec())),
            Signer::Keyless(keyless) => Some(Known::Identity(
                keyless.issuer.clone(),
                keyless.subject().ok()?,
                keyless.identity.clone(),
            )),
        }
    }

    /// Whether one signer could be both.
    fn may_be(&self, other: &Known) -> bool {
        match (self, other) {
            (Known::Key(one), Known::Key(other)) => one == other,
            (Known::Identity(issuer, subject, exact), Known::Identity(others, other, its)) => {
                issuer == others
                    && match (exact, its) {
                        (Some(exact), _) => other.matches(exact),
                        (None, Some(its)) => subject.matches(its),
                        // Whether two expressions meet is not worth finding out.
                        (None, None) => true,
                    }
            }
            (Known::Key(_), Known::Identity(..)) | (Known::Identity(..), Known::Key(_)) => false,
        }
    }
}

/// A signer in words.
fn label(signer: &Signer) -> String {
    match signer {
        Signer::PublicKey(pem) => {
            let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
            let hash = der.map_or_else(|_| sha256_hex(pem.as_bytes()), |der| sha256_hex(&der));
            format!("the key {}", hash.get(..12).unwrap_or(&hash))
        }
        Signer::Keyless(keyless) => {
            let who = keyless
                .identity
                .as_ref()
                .or(keyless.identity_pattern.as_ref());
            let who = who.map(String::as_str).unwrap_or_default();
            line(&format!("{who} ({})", keyless.issuer), 300)
        }
    }
}

fn read_key(folder: &Path, name: &str) -> Result<String, String> {
    use std::io::Read as _;
    let cannot = |error: std::io::Error| {
        format!(
            "the file {} cannot be read: {}",
            line(name, 120),
            error.kind()
        )
    };
    let file = std::fs::File::open(folder.join(name)).map_err(cannot)?;
    let mut text = String::new();
    file.take(MAX_KEY_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    if text.len() as u64 > MAX_KEY_BYTES {
        return Err(format!("the file {} is larger than a key", line(name, 120)));
    }
    Ok(text)
}

impl SignatureRule {
    /// Whether those who signed are enough. `found` has names of [`SignatureRule::signers`].
    ///
    /// # Errors
    /// Who is missing, one clause each.
    pub fn judge(&self, found: &BTreeSet<String>) -> Result<(), Vec<String>> {
        let mut missing: Vec<String> = self
            .all
            .iter()
            .filter(|name| !found.contains(*name))
            .map(|name| format!("{name} has not signed it"))
            .collect();
        let signed = self.any.iter().filter(|name| found.contains(*name)).count();
        if signed < self.at_least {
            missing.push(format!(
                "{signed} of {} signers have signed it, and {} must: {}",
                self.any.len(),
                self.at_least,
                self.any.join(", ")
            ));
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(missing)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made once with openssl; nobody has the private halves.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKZ3Atrj0rgv5+agyzTEWQd+bp5gs\nTD7arMQC4CI9+u5RDcKf0n8v0x1TyeaxiBN10EmZCXINpIn2JM8MgEicWw==\n-----END PUBLIC KEY-----\n";

    fn identity(identity: &str) -> CosignSigner {
        CosignSigner {
            identity: Some(identity.to_owned()),
            issuer: Some("https://issuer.example.com".to_owned()),
            ..CosignSigner::default()
        }
    }

    fn pattern(pattern: &str) -> CosignSigner {
        CosignSigner {
            identity_pattern: Some(pattern.to_owned()),
            issuer: Some("https://issuer.example.com".to_owned()),
            ..CosignSigner::default()
        }
    }

    fn key(key: &str) -> CosignSigner {
        CosignSigner {
            key: Some(key.to_owned()),
            ..CosignSigner::default()
        }
    }

    fn two_of(any_of: Vec<CosignSigner>) -> Verify {
        Verify {
            any_of,
            at_least: Some(2),
            ..Verify::default()
        }
    }

    fn faults(verify: &Verify) -> Vec<String> {
        let mut faults = Vec::new();
        verify.faults("verify", true, &mut faults);
        faults
    }

    /// Attack: one signer counted twice.
    #[test]
    fn two_entries_that_one_signer_fits_are_refused() {
        let rewrapped = KEY.replace("\nTD7a", "TD\n7a");
        assert_ne!(KEY, rewrapped);
        for twins in [
            vec![identity("alice@example.com"), identity("alice@example.com")],
            vec![identity("alice@example.com"), pattern("^.*@example\\.com$")],
            vec![pattern("^.*@example\\.com$"), identity("alice@example.com")],
            vec![
                pattern("^a.*@example\\.com$"),
                pattern("^.*e@example\\.com$"),
            ],
            vec![key(KEY), key(&rewrapped)],
        ] {
            let found = faults(&two_of(twins));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].contains("verify.anyOf[1]: this may be the same"),
                "{found:?}"
            );
            assert!(found[0].contains("as anyOf[0],"), "{found:?}");
        }
        let different = vec![
            identity("alice@example.com"),
            identity("bob@example.com"),
            pattern("^ci@.*$"),
            key(KEY),
        ];
        assert_eq!(faults(&two_of(different)), [""; 0]);
        let across = Verify {
            cosign: Some(identity("alice@example.com")),
            any_of: vec![identity("alice@example.com")],
            ..Verify::default()
        };
        assert_eq!(faults(&across).len(), 1);
    }

    #[test]
    fn as_many_as_are_asked_for_have_to_sign() {
        let verify = Verify {
            cosign: Some(key(KEY)),
            ..two_of(vec![identity("a@x.example"), identity("b@x.example")])
        };
        let rule = verify.rule(|_| Path::new("/nowhere")).unwrap();
        let names: Vec<&String> = rule.signers.keys().collect();
        let of = |found: &[&String]| rule.judge(&found.iter().map(|n| (*n).clone()).collect());
        assert_eq!(of(&names), Ok(()));
        assert_eq!(of(&[]).unwrap_err().len(), 2);
        for left_out in &names {
            let rest: Vec<_> = names.iter().filter(|n| n != &left_out).copied().collect();
            let missing = of(&rest).unwrap_err();
            assert_eq!(missing.len(), 1, "{missing:?}");
        }
    }

    #[test]
    fn a_rule_that_asks_nobody_is_no_rule() {
        for (verify, part) in [
            (Verify::default(), "name who signs it"),
            (
                Verify {
                    mode: Some(VerifyMode::Warn),
                    ..Verify::default()
                },
                "name who signs it",
            ),
            (
                Verify {
                    at_least: Some(0),
                    ..two_of(vec![key(KEY)])
                },
                ".atLeast",
            ),
            (two_of(vec![key(KEY)]), ".atLeast"),
            (two_of(vec![key(KEY), key("../x.pem")]), ".anyOf[1].key"),
            (
                two_of(vec![key(KEY), CosignSigner::default()]),
                ".anyOf[1].issuer",
            ),
            (two_of(vec![key(KEY), pattern(".*")]), "identityPattern"),
            (two_of(vec![key("-----BEGIN X"), key(KEY)]), ".anyOf[0].key"),
        ] {
            let found = faults(&verify);
            assert!(found.iter().any(|fault| fault.contains(part)), "{found:?}");
        }
        let off = Verify {
            mode: Some(VerifyMode::Off),
            ..Verify::default()
        };
        assert_eq!(faults(&off), [""; 0]);
    }

    #[test]
    fn a_key_may_stand_in_a_file_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let verify = Verify {
            cosign: Some(key("keys/release.pem")),
            ..Verify::default()
        };
        assert_eq!(faults(&verify), [""; 0], "the file is read with the folder");
        let missing = verify.rule(|_| folder.path()).unwrap_err();
        assert!(
            missing[0].starts_with(".cosign.key: the file keys/release.pem"),
            "{missing:?}"
        );
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        std::fs::write(folder.path().join("keys/release.pem"), KEY).unwrap();
        let rule = verify.rule(|_| folder.path()).unwrap();
        assert_eq!(
            rule.signers.values().next(),
            Some(&Signer::PublicKey(KEY.to_owned()))
        );
    }
}
