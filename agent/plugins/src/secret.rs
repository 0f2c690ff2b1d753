//! Secrets: names for plugins, values for the host alone (plugins.md section 5).
//!
//! A plugin writes `${secret:slack-token}` in a header. The operator's file says which Kubernetes
//! Secret and key stand behind the name. The value is read here at the last moment, after the
//! encrypted connection to the granted server stands, and never enters the guest.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sluice_core::port::BoxFuture;

/// Largest secret. A header could not carry more.
const MAX_SECRET_BYTES: u64 = 16 << 10;
/// Shortest secret. Anything shorter cannot be redacted without eating ordinary text.
const MIN_SECRET_BYTES: usize = 6;

/// Where a secret lies: a Kubernetes Secret and one of its keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// Name of the Secret.
    pub secret: String,
    /// Key within it.
    pub key: String,
}

/// A secret's value. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// Wraps a value. One line feed at the end is dropped, as editors leave one in files.
    ///
    /// # Errors
    /// A value that is too short to be redacted, too long for a header, or has control bytes.
    pub fn new(value: impl Into<String>) -> Result<SecretValue, SecretFault> {
        let mut value = value.into();
        if value.ends_with('\n') {
            value.pop();
            if value.ends_with('\r') {
                value.pop();
            }
        }
        if value.len() < MIN_SECRET_BYTES {
            return Err(SecretFault::Unfit(format!(
                "it is shorter than {MIN_SECRET_BYTES} bytes, too short to be redacted"
            )));
        }
        if value.len() as u64 > MAX_SECRET_BYTES {
            return Err(SecretFault::Unfit(format!(
                "it is longer than {MAX_SECRET_BYTES} bytes"
            )));
        }
        if value.chars().any(char::is_control) {
            return Err(SecretFault::Unfit("it contains control bytes".to_owned()));
        }
        Ok(SecretValue(value))
    }

    /// The value itself. Only the network code asks for it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Why a secret could not be had. Never contains the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// There is no such Secret or key.
    #[error("there is no such secret")]
    Missing,
    /// The value cannot be used as one.
    #[error("{0}")]
    Unfit(String),
    /// It could not be read now.
    #[error("{0}")]
    Unavailable(String),
}

/// Where the values come from.
pub trait SecretSource: Send + Sync {
    /// Reads one value now, so that a rotated secret counts at once.
    fn read<'a>(&'a self, at: &'a SecretRef) -> BoxFuture<'a, Result<SecretValue, SecretFault>>;
}

/// Values in memory: the demo and tests. Empty, it is the source that knows no secret.
#[derive(Clone, Debug, Default)]
pub struct MemorySecrets {
    values: BTreeMap<SecretRef, SecretValue>,
}

impl MemorySecrets {
    /// Adds a value.
    ///
    /// # Errors
    /// As [`SecretValue::new`].
    pub fn with(mut self, secret: &str, key: &str, value: &str) -> Result<Self, SecretFault> {
        let at = SecretRef {
            secret: secret.to_owned(),
            key: key.to_owned(),
        };
        self.values.insert(at, SecretValue::new(value)?);
        Ok(self)
    }
}

impl SecretSource for MemorySecrets {
    fn read<'a>(&'a self, at: &'a SecretRef) -> BoxFuture<'a, Result<SecretValue, SecretFault>> {
        let found = self.values.get(at).cloned().ok_or(SecretFault::Missing);
        Box::pin(async move { found })
    }
}

/// Values in files `<directory>/<secret>/<key>`, as Kubernetes mounts Secrets.
#[derive(Clone, Debug)]
pub struct DirectorySecrets {
    root: PathBuf,
}

impl DirectorySecrets {
    /// Reads below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        DirectorySecrets { root: root.into() }
    }
}

impl SecretSource for DirectorySecrets {
    fn read<'a>(&'a self, at: &'a SecretRef) -> BoxFuture<'a, Result<SecretValue, SecretFault>> {
        Box::pin(async move {
            if !is_file_name(&at.secret) || !is_file_name(&at.key) {
                return Err(SecretFault::Missing);
            }
            let path = self.root.join(&at.secret).join(&at.key);
            let read = tokio::task::spawn_blocking(move || read_bounded(&path)).await;
            read.map_err(|_| SecretFault::Unavailable("reading it was interrupted".to_owned()))?
        })
    }
}

fn read_bounded(path: &Path) -> Result<SecretValue, SecretFault> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(SecretFault::Missing),
        Err(error) => return Err(SecretFault::Unavailable(error.kind().to_string())),
    };
    let mut value = String::new();
    file.take(MAX_SECRET_BYTES + 2)
        .read_to_string(&mut value)
        .map_err(|error| SecretFault::Unavailable(error.kind().to_string()))?;
    SecretValue::new(value)
}

/// Kubernetes names of Secrets and keys: no separator, no dot at the start.
pub(crate) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secret: &str, key: &str) -> SecretRef {
        SecretRef {
            secret: secret.to_owned(),
            key: key.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_directory_serves_its_files_and_nothing_beside_them() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("slack")).unwrap();
        std::fs::write(root.path().join("slack/token"), "xoxb-123456\n").unwrap();
        std::fs::write(root.path().join("outside"), "hidden-value").unwrap();
        let source = DirectorySecrets::new(root.path().join("slack/.."));
        assert_eq!(
            source.read(&at("slack", "token")).await.unwrap().expose(),
            "xoxb-123456"
        );
        for (secret, key) in [
            ("..", "outside"),
            ("slack", "../outside"),
            ("slack", "none"),
            ("", ""),
        ] {
            assert_eq!(
                source.read(&at(secret, key)).await,
                Err(SecretFault::Missing)
            );
        }
    }

    #[test]
    fn values_that_cannot_be_guarded_are_refused() {
        assert!(SecretValue::new("short").is_err());
        assert!(SecretValue::new("two\nlines").is_err());
        assert!(SecretValue::new("x".repeat(17 << 10)).is_err());
        assert_eq!(
            format!("{:?}", SecretValue::new("xoxb-123456").unwrap()),
            "SecretValue(…)"
        );
    }
}
