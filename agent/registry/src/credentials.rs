//! Which account a repository is read with.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::config::{RegistryConfig, Secret};
use crate::repository::Repository;

/// The largest `config.json` that is read. A Kubernetes Secret holds at most 1 MiB.
const MOST_BYTES: u64 = 1024 * 1024;

/// A user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

impl Credentials {
    /// The value of the `Authorization` header.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", self.encoded())
    }

    fn encoded(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.username, self.password.expose()))
    }

    /// Every form in which the secret part could be echoed.
    pub(crate) fn secrets(&self) -> [String; 2] {
        [self.password.expose().to_owned(), self.encoded()]
    }
}

/// The credentials for a repository, if any are configured.
///
/// # Errors
/// Where the configured `dockerConfig` cannot be used: a sentence that names the file.
pub(crate) async fn find(
    config: &RegistryConfig,
    repository: &Repository,
) -> Result<Option<Credentials>, String> {
    if let Some(host) = config.host(repository.host())
        && let (Some(username), Some(password)) = (&host.username, &host.password)
    {
        return Ok(Some(Credentials {
            username: username.clone(),
            password: password.clone(),
        }));
    }
    let Some(path) = &config.docker_config else {
        return Ok(None);
    };
    let bytes = read(path)
        .await
        .map_err(|error| format!("cannot read dockerConfig {}: {error}", path.display()))?;
    let file: DockerConfig = serde_json::from_slice(&bytes).map_err(|error| {
        // The position alone: serde's message may quote the file's text.
        format!(
            "dockerConfig {} is not a docker config.json (line {}, column {})",
            path.display(),
            error.line(),
            error.column()
        )
    })?;
    file.pick(repository)
        .map_err(|problem| format!("dockerConfig {}: {problem}", path.display()))
}

async fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// The part of docker's `config.json` that is used. Credential helpers are programs: not run.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl DockerConfig {
    /// The entry whose key names the host, or the longest leading part of the repository's path.
    fn pick(self, repository: &Repository) -> Result<Option<Credentials>, String> {
        let best = self
            .auths
            .into_iter()
            .filter_map(|(key, auth)| {
                match_length(&key, repository).map(|length| (length, key, auth))
            })
            .max_by_key(|(length, _, _)| *length);
        best.map(|(_, key, auth)| {
            auth.credentials().ok_or_else(|| {
                format!(
                    "the entry \"{key}\" has neither a valid auth nor username and password \
                     (identity tokens and credential helpers are not supported)"
                )
            })
        })
        .transpose()
    }
}

impl DockerAuth {
    fn credentials(self) -> Option<Credentials> {
        let from_pair = self.username.zip(self.password);
        let from_auth = || {
            let decoded = STANDARD.decode(self.auth?.trim()).ok()?;
            let text = String::from_utf8(decoded).ok()?;
            let (username, password) = text.split_once(':')?;
            Some((
                username.to_owned(),
                password.trim_end_matches('\0').to_owned(),
            ))
        };
        let (username, password) = from_pair
            .filter(|(name, _)| !name.is_empty())
            .or_else(from_auth)?;
        (!username.is_empty()).then(|| Credentials {
            username,
            password: Secret::new(password),
        })
    }
}

/// How many characters of `host/path` the key covers, at a segment's end; `None` where it is
/// another host's. Docker Hub's key is `https://index.docker.io/v1/`.
fn match_length(key: &str, repository: &Repository) -> Option<usize> {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let bare = bare.trim_end_matches('/');
    let bare = bare
        .strip_suffix("/v1")
        .or_else(|| bare.strip_suffix("/v2"))
        .unwrap_or(bare);
    let bare = match bare {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    };
    let full = repository.name();
    let rest = full.strip_prefix(bare)?;
    let covers_host = bare.len() >= repository.host().len();
    (covers_host && (rest.is_empty() || rest.starts_with('/'))).then_some(bare.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(json: &str, repository: &str) -> Result<Option<(String, String)>, String> {
        let file: DockerConfig = serde_json::from_str(json).unwrap();
        let repository = Repository::parse(repository).unwrap();
        file.pick(&repository)
            .map(|found| found.map(|it| (it.username, it.password.expose().to_owned())))
    }

    fn pair(username: &str, password: &str) -> Result<Option<(String, String)>, String> {
        Ok(Some((username.to_owned(), password.to_owned())))
    }

    #[test]
    fn entries_match_hosts_and_paths_at_segment_ends() {
        let json = r#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
            "registry.example.com": {"username": "all", "password": "a"},
            "registry.example.com/shop": {"username": "shop", "password": "s"},
            "https://quay.example/": {"username": "quay", "password": "q"}}}"#;
        assert_eq!(pick(json, "nginx"), pair("hub", "pw"));
        assert_eq!(pick(json, "registry.example.com/other/x"), pair("all", "a"));
        assert_eq!(pick(json, "registry.example.com/shop/x"), pair("shop", "s"));
        assert_eq!(
            pick(json, "registry.example.com/shopping/x"),
            pair("all", "a")
        );
        assert_eq!(pick(json, "quay.example/x"), pair("quay", "q"));
        // A longer host that only starts alike, another port, a host that is a part of the key.
        assert_eq!(pick(json, "registry.example.com.evil.example/x"), Ok(None));
        assert_eq!(pick(json, "registry.example.com:5000/shop/x"), Ok(None));
        assert_eq!(
            pick(
                r#"{"auths": {"reg": {"auth": "aHViOnB3"}}}"#,
                "reg.example/x"
            ),
            Ok(None)
        );
    }

    #[test]
    fn an_entry_that_cannot_be_used_is_an_error_without_the_secret() {
        let json = r#"{"auths": {"a.example": {"auth": "not base64!", "identitytoken": "tok"}}}"#;
        let error = pick(json, "a.example/x").unwrap_err();
        assert!(
            error.contains("\"a.example\"") && !error.contains("not base64!"),
            "{error}"
        );
        assert_eq!(pick("{}", "a.example/x"), Ok(None));
    }
}
