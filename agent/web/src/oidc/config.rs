//! The file that says which identity provider people sign in with: `--web-oidc FILE`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use reqwest::Certificate;
use serde_json::Value;
use sluice_core::problem::{Problem, nearest};

use crate::fetch::Fetch;

/// Largest file, here and of each that it names: a bundle of certificates has 200 KiB.
const FILE_LIMIT: u64 = 1 << 20;
/// Longest client secret.
const SECRET_LIMIT: u64 = 4096;
/// Scopes at most.
const SCOPES: usize = 20;
/// What stands before a group of the provider, so that it is never a group of the cluster.
const GROUPS_PREFIX: &str = "oidc:";

const KEYS: [&str; 7] = [
    "issuer",
    "clientId",
    "clientSecretFile",
    "scopes",
    "groupsClaim",
    "groupsPrefix",
    "caFile",
];

/// How people sign in with an identity provider.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// The issuer, spelled exactly as its discovery document and its tokens say.
    pub issuer: String,
    /// Our name there, which is the audience of its tokens.
    pub client_id: String,
    /// A file with our secret, read at each sign-in. None for a public client: PKCE protects it.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
    /// The claim with a person's groups. None: nobody has any.
    pub groups_claim: Option<String>,
    /// What is put before each of them.
    pub groups_prefix: String,
    /// Certificate authorities beside those of the machine, also for the issuers of callers' tokens.
    pub authorities: Vec<Certificate>,
}

impl OidcConfig {
    /// Reads the file and those that it names.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(path: &Path, allow_loopback: bool) -> Result<Self, Vec<Problem>> {
        let text = contents(path, FILE_LIMIT).map_err(|why| vec![Problem::new("", why)])?;
        Self::parse(&text, allow_loopback)
    }

    fn parse(text: &str, allow_loopback: bool) -> Result<Self, Vec<Problem>> {
        let document: BTreeMap<String, Value> = serde_saphyr::from_str(text)
            .map_err(|e| vec![Problem::new("", format!("it is not a YAML map: {e}"))])?;
        let mut reader = Reader {
            document,
            problems: Vec::new(),
        };
        let config = reader.config(allow_loopback);
        if reader.problems.is_empty() {
            Ok(config)
        } else {
            Err(reader.problems)
        }
    }
}

struct Reader {
    document: BTreeMap<String, Value>,
    problems: Vec<Problem>,
}

impl Reader {
    fn config(&mut self, allow_loopback: bool) -> OidcConfig {
        let unknown: Vec<String> = self
            .document
            .keys()
            .filter(|key| !KEYS.contains(&key.as_str()))
            .cloned()
            .collect();
        for key in unknown {
            let problem = Problem::new(&key, "is not known here");
            self.problems.push(match nearest(&key, KEYS) {
                Some(meant) => problem.with_hint(format!("did you mean {meant}?")),
                None => problem.with_hint(format!("known are {}", KEYS.join(", "))),
            });
        }
        let issuer = self.required("issuer", "such as https://id.example.com");
        if !issuer.is_empty() {
            self.check_issuer(&issuer, allow_loopback);
        }
        let authorities = match self.text("caFile") {
            Some(path) => self.authorities(&path),
            None => Vec::new(),
        };
        let client_secret_file = self.text("clientSecretFile").map(PathBuf::from);
        if let Some(path) = &client_secret_file
            && let Err(why) = secret(path)
        {
            self.problems.push(Problem::new("clientSecretFile", why));
        }
        OidcConfig {
            client_id: self.required("clientId", "the name under which the provider knows Sluice"),
            issuer,
            client_secret_file,
            scopes: self.scopes(),
            groups_claim: self.text("groupsClaim"),
            groups_prefix: self
                .text("groupsPrefix")
                .unwrap_or_else(|| GROUPS_PREFIX.to_owned()),
            authorities,
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.document.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(_) => {
                self.problems.push(Problem::new(key, "is not a text"));
                None
            }
        }
    }

    fn required(&mut self, key: &str, hint: &str) -> String {
        let given = !matches!(self.document.get(key), None | Some(Value::Null));
        let text = self.text(key);
        if !given {
            self.problems
                .push(Problem::new(key, "is missing").with_hint(hint));
        }
        text.unwrap_or_default()
    }

    fn scopes(&mut self) -> Vec<String> {
        let mut scopes = vec!["openid".to_owned()];
        let given = match self.document.get("scopes") {
            None | Some(Value::Null) => return scopes,
            Some(Value::Array(given)) if given.len() <= SCOPES => given.clone(),
            Some(_) => {
                let problem = Problem::new("scopes", format!("is not a list of up to {SCOPES}"));
                self.problems.push(problem);
                return scopes;
            }
        };
        for (n, scope) in given.iter().enumerate() {
            let fine = |s: &&str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic());
            match scope.as_str().filter(fine) {
                Some(scope) if scopes.iter().any(|known| known == scope) => {}
                Some(scope) => scopes.push(scope.to_owned()),
                None => self.problems.push(Problem::new(
                    format!("scopes[{n}]"),
                    "is not a word without spaces",
                )),
            }
        }
        scopes
    }

    fn check_issuer(&mut self, issuer: &str, allow_loopback: bool) {
        let checked = Fetch::new(Vec::new(), allow_loopback).check(issuer);
        let fault = match checked {
            Err(why) => Some(why),
            // A name is `issuer#subject`: the first # ends the issuer.
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                Some("an issuer has no ? and no #".to_owned())
            }
            Ok(_) => None,
        };
        if let Some(why) = fault {
            let hint = "write it as its tokens do, such as https://id.example.com";
            self.problems
                .push(Problem::new("issuer", why).with_hint(hint));
        }
    }

    fn authorities(&mut self, path: &str) -> Vec<Certificate> {
        let read = contents(Path::new(path), FILE_LIMIT).and_then(|pem| {
            Certificate::from_pem_bundle(pem.as_bytes())
                .ok()
                .filter(|all| !all.is_empty())
                .ok_or_else(|| format!("{path} holds no certificate in PEM form"))
        });
        read.unwrap_or_else(|why| {
            self.problems.push(Problem::new("caFile", why));
            Vec::new()
        })
    }
}

/// The client secret. Blocks for as long as a small file takes.
pub(super) fn secret(path: &Path) -> Result<String, String> {
    let text = contents(path, SECRET_LIMIT)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(text.to_owned())
}

fn contents(path: &Path, limit: u64) -> Result<String, String> {
    let unread = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_string(&mut text))
        .map_err(unread)?;
    if text.len() as u64 > limit {
        return Err(format!("{} is longer than {limit} bytes", path.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let all = OidcConfig::parse(text, false).unwrap_err();
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_least_that_works() {
        let config = OidcConfig::parse(
            "{issuer: 'https://id.example.com', clientId: sluice}",
            false,
        )
        .unwrap();
        assert_eq!(config.issuer, "https://id.example.com");
        assert_eq!(config.scopes, ["openid"]);
        assert_eq!(config.groups_prefix, "oidc:");
        assert!(config.client_secret_file.is_none() && config.groups_claim.is_none());
    }

    #[test]
    fn the_sample_is_right_but_for_files_of_another_machine() {
        let all = problems(include_str!("../../../../docs/samples/oidc.yaml"));
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all.iter().all(|p| p.contains("cannot be read")), "{all:?}");
    }

    #[test]
    fn every_problem_at_once() {
        let text = "issuer: http://id.example.com\nclientID: x\nscopes: [openid, 'a b', 3]\n\
                    caFile: /nowhere/ca.pem\nclientSecretFile: /nowhere/secret\ngroupsClaim: [x]\n";
        let all = problems(text);
        for says in [
            "clientID: is not known here",
            "did you mean clientId",
            "issuer: only https is used",
            "clientId: is missing",
            "scopes[1]: is not a word",
            "scopes[2]: is not a word",
            "caFile: /nowhere/ca.pem cannot be read",
            "clientSecretFile: /nowhere/secret cannot be read",
            "groupsClaim: is not a text",
        ] {
            assert!(all.iter().any(|p| p.contains(says)), "{says} in {all:?}");
        }
    }

    #[test]
    fn what_is_not_a_map_is_one_problem() {
        for text in ["[]", "x", "a: 1\na: 2", "{"] {
            assert_eq!(problems(text).len(), 1, "{text}");
        }
        let fragment = problems("{issuer: 'https://id.example.com/#x', clientId: y}");
        assert!(fragment[0].contains("no ? and no #"), "{fragment:?}");
    }
}
