//! What an administrator says about registries.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// How registries are reached. The default reaches public registries over HTTPS, anonymously.
///
/// ```yaml
/// hosts:
///   "registry.example.com:5000":
///     username: ci
///     password: …
///     realmHosts: [auth.example.com]
///   "registry.internal": {}            # a private address: only hosts that stand here may have one
/// dockerConfig: /etc/sluice/registry/config.json
/// trust:
///   root: /etc/sluice/trust/trusted_root.json
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct RegistryConfig {
    /// Settings per host, named as in image names: `host` or `host:port`. Docker Hub is `docker.io`.
    pub hosts: BTreeMap<String, HostConfig>,
    /// A `config.json` as `docker login` writes it, such as a mounted Secret of type
    /// `kubernetes.io/dockerconfigjson`. Read afresh whenever credentials are needed, so that a
    /// rotated Secret counts at once. `username` under `hosts` wins over it.
    pub docker_config: Option<PathBuf>,
    /// Tags asked for per page (1 to 10,000). Lower it for a registry that refuses 1,000.
    pub page_size: u16,
    /// Whom keyless signatures rest on.
    pub trust: TrustConfig,
}

/// Which certificate authorities and transparency logs count for keyless signatures. Read once, when
/// the agent starts, and never fetched: a change of trust is somebody's act.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TrustConfig {
    /// A `trusted_root.json` of Sigstore, as `cosign trusted-root create` makes it. It stands in
    /// place of the one that is built in, the public good instance's.
    pub root: Option<PathBuf>,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            docker_config: None,
            page_size: 1000,
            trust: TrustConfig::default(),
        }
    }
}

/// Settings of one registry host. To stand in the configuration at all means: this host may have a
/// private address (reliability.md H5).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct HostConfig {
    /// Plain HTTP, no TLS. Credentials are then readable on the network.
    pub insecure: bool,
    /// Account name; needs `password`.
    pub username: Option<String>,
    /// Password or access token; needs `username`.
    pub password: Option<Secret>,
    /// Further hosts (`host` or `host:port`) whose token endpoint may receive this host's
    /// credentials. The registry's own host and names below it need not be listed.
    pub realm_hosts: Vec<String>,
}

/// A text that no log, error or debug output shows.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, to be put into a request and nowhere else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

/// The registry configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Everything that is wrong with it, one sentence each.
    #[error("the registry configuration is not valid: {}", .0.join("; "))]
    Invalid(Vec<String>),
    /// The trust root for keyless signatures cannot be used.
    #[error(
        "the trust root {0}; name a trusted_root.json as cosign trusted-root create makes it, or \
         leave trust.root out to use the built-in one"
    )]
    Trust(String),
    /// The process has no TLS provider, or no usable store of root certificates.
    #[error("cannot set up TLS for registries: {0}")]
    Tls(String),
}

impl RegistryConfig {
    /// Checks the whole configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every problem at once.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        if !(1..=10_000).contains(&self.page_size) {
            problems.push(format!("pageSize is {}; use 1 to 10000", self.page_size));
        }
        for (host, settings) in &self.hosts {
            if !is_authority(host) {
                problems.push(format!(
                    "hosts.\"{host}\" is not a host; write it as in an image name, such as \
                     registry.example.com:5000, without scheme and path"
                ));
            }
            if settings.username.is_some() != settings.password.is_some() {
                problems.push(format!(
                    "hosts.\"{host}\" has only one of username and password; set both or neither"
                ));
            }
            if settings
                .username
                .as_ref()
                .is_some_and(|name| name.contains(':'))
            {
                problems.push(format!(
                    "hosts.\"{host}\".username contains a colon, which basic authentication \
                     cannot carry"
                ));
            }
            for realm in settings
                .realm_hosts
                .iter()
                .filter(|realm| !is_authority(realm))
            {
                problems.push(format!(
                    "hosts.\"{host}\".realmHosts has \"{realm}\", which is not a host; write it \
                     such as auth.example.com, without scheme and path"
                ));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    /// The settings of a host; `None` where it is not configured.
    pub(crate) fn host(&self, host: &str) -> Option<&HostConfig> {
        self.hosts.get(host)
    }
}

/// Whether `text` is `host` or `host:port` and nothing more.
fn is_authority(text: &str) -> bool {
    let Ok(url) = url::Url::parse(&format!("https://{text}/")) else {
        return false;
    };
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    plain && !text.contains(['/', '?', '#', '@']) && *text == text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<RegistryConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_documented_form_is_read() {
        let config = parse(
            r#"{"hosts": {"registry.example.com:5000": {"insecure": true, "username": "ci",
                "password": "sesame", "realmHosts": ["auth.example.com"]}},
                "trust": {"root": "/etc/sluice/trust/trusted_root.json"}}"#,
        )
        .unwrap();
        config.validate().unwrap();
        let root = config.trust.root.clone().unwrap();
        assert!(root.ends_with("trusted_root.json"));
        let host = config.host("registry.example.com:5000").unwrap();
        assert!(host.insecure);
        assert_eq!(host.password, Some(Secret::new("sesame")));
        assert_eq!(host.realm_hosts, ["auth.example.com"]);
        assert_eq!(config.page_size, 1000);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        for json in [
            r#"{"host": {}}"#,
            r#"{"hosts": {"a.example": {"insecur": true}}}"#,
            r#"{"trust": {"rekor": "key.pem"}}"#,
        ] {
            assert!(
                parse(json)
                    .unwrap_err()
                    .to_string()
                    .contains("unknown field"),
                "{json}"
            );
        }
    }

    #[test]
    fn no_debug_output_shows_a_password() {
        let config = parse(r#"{"hosts": {"a.example": {"username": "ci", "password": "sesame"}}}"#);
        let shown = format!(
            "{:?} {:#?}",
            config.as_ref().unwrap(),
            config.as_ref().unwrap()
        );
        assert!(
            shown.contains("<redacted>") && !shown.contains("sesame"),
            "{shown}"
        );
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let config = parse(
            r#"{"pageSize": 0, "hosts": {
                "https://a.example": {"username": "ci"},
                "b.example": {"username": "c:i", "password": "x", "realmHosts": ["u@c.example", "D.example"]}}}"#,
        );
        let Err(ConfigError::Invalid(problems)) = config.unwrap().validate() else {
            panic!("accepted");
        };
        assert_eq!(problems.len(), 6, "{problems:#?}");
    }
}
