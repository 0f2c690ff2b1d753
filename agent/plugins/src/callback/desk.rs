//! Where callbacks are received: in the agent's process, never in the host's.
//!
//! A guest that breaks out of its sandbox owns the host's process. It must not be able to say that
//! somebody pressed a button: so the grants of callbacks are read here from the same `plugins.yaml`,
//! and the secrets that callbacks are signed with from a folder that the host need not have at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{CallbackGrant, CallbackRefused, MAX_CALLBACK_BYTES, VerifiedCallback, verify};
use crate::folder::Folders;
use crate::operator::{FILE_NAME, MAX_FILE_BYTES, PluginsFile};
use crate::secret::{SecretRef, SecretSource};

/// The file is read anew after so long even where it looks the same: two writes within one tick of the
/// file system's clock do.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// Receives callbacks as `plugins.yaml` grants them at that moment. Cheap to clone.
#[derive(Clone)]
pub struct CallbackDesk {
    folders: Folders,
    secrets: Arc<dyn SecretSource>,
    known: Arc<Mutex<Known>>,
}

/// The grants, and the file that they were read from.
#[derive(Default)]
struct Known {
    grants: BTreeMap<String, Granted>,
    seen: Option<(Seen, Instant)>,
}

/// A granted callback, with the place of its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Granted {
    grant: CallbackGrant,
    secret: SecretRef,
}

/// What tells one content of the file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl CallbackDesk {
    /// Reads grants from the `plugins.yaml` of these folders, and what they are signed with from
    /// `secrets`.
    pub fn new(folders: impl Into<Folders>, secrets: Arc<dyn SecretSource>) -> CallbackDesk {
        CallbackDesk {
            folders: folders.into(),
            secrets,
            known: Arc::default(),
        }
    }

    /// Verifies one callback to `plugin` as it came over the wire: `raw_body` before any decoding.
    ///
    /// # Errors
    /// 404: no such plugin, or none that may be called back. 413: too large. 401: signature, time
    /// stamp or one of their headers is missing, doubled or wrong. 400: the body is not of the
    /// granted form. 403: another app or workspace, a guest, a bot. 503: the secret cannot be read.
    pub async fn receive(
        &self,
        plugin: &str,
        headers: &[(String, String)],
        raw_body: &[u8],
        now: Timestamp,
    ) -> Result<VerifiedCallback, CallbackRefused> {
        if raw_body.len() > MAX_CALLBACK_BYTES {
            return Err(CallbackRefused::too_large());
        }
        let Some(granted) = self.granted(plugin).await else {
            return Err(CallbackRefused::new(
                404,
                "no plugin of this name may be called back; plugins.yaml grants it with grants.callbacks",
            ));
        };
        // Read now: after a rotation the old value counts for nothing.
        let secret = self.secrets.read(&granted.secret).await.map_err(|fault| {
            tracing::warn!(target: "sluice::plugin", plugin, %fault, "the secret of callbacks cannot be read");
            CallbackRefused::new(
                503,
                "the secret that callbacks are signed with cannot be read now; look at the agent's log",
            )
        })?;
        verify::verify(plugin, &granted.grant, &secret, headers, raw_body, now)
    }

    async fn granted(&self, plugin: &str) -> Option<Granted> {
        let (folders, known) = (self.folders.clone(), self.known.clone());
        let plugin = plugin.to_owned();
        let looked = tokio::task::spawn_blocking(move || {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.refresh(&folders);
            known.grants.get(&plugin).cloned()
        });
        looked.await.ok().flatten()
    }
}

impl Known {
    /// Reads the file if it is another. One that is gone or broken changes nothing, as with plugins:
    /// what was granted last stays. Blocking.
    fn refresh(&mut self, folders: &Folders) {
        let path = folders.holding(FILE_NAME).join(FILE_NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound || self.seen.is_some() {
                    tracing::warn!(%error, path = %path.display(), "the grants of callbacks cannot be read; the last ones stay");
                }
                return;
            }
        };
        let seen = file.metadata().ok().map(|found| Seen {
            path: path.clone(),
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        });
        let same = self
            .seen
            .as_ref()
            .is_some_and(|(before, at)| Some(before) == seen.as_ref() && at.elapsed() < READ_AGAIN);
        if same {
            return;
        }
        self.seen = seen.map(|seen| (seen, Instant::now()));
        match grants(file) {
            Ok(grants) => self.grants = grants,
            Err(why) => {
                tracing::warn!(why, path = %path.display(), "the grants of callbacks cannot be read; the last ones stay");
            }
        }
    }
}

fn grants(file: File) -> Result<BTreeMap<String, Granted>, String> {
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.kind().to_string())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let file = PluginsFile::parse(&text).map_err(|card| card.line())?;
    let granted = file.plugins.into_iter().filter_map(|entry| {
        let grant = entry.grants.callbacks?;
        // A name that nothing stands behind is a card of the host's.
        let secret = entry.secrets.get(grant.signature.secret())?.clone();
        Some((entry.name, Granted { grant, secret }))
    });
    Ok(granted.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
plugins:
  - name: webhook-approval
    source: { file: webhook_approval.wasm }
    grants:
      callbacks:
        signature: { hmac: { secret: hook, header: x-signature, timestampHeader: x-timestamp } }
        body: json
    secrets: { hook: { secret: hook, key: key } }
  - name: other
    source: { file: other.wasm }
"#;

    fn known(folder: &std::path::Path, known: &mut Known) -> Vec<String> {
        known.refresh(&Folders::from(folder));
        known.grants.keys().cloned().collect()
    }

    #[test]
    fn grants_follow_the_file_and_outlive_one_that_is_broken_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            let hidden = folder.path().join(".new");
            std::fs::write(&hidden, text).unwrap();
            std::fs::rename(hidden, folder.path().join(FILE_NAME)).unwrap();
        };
        let mut now = Known::default();
        assert!(known(folder.path(), &mut now).is_empty());
        write(FILE);
        assert_eq!(known(folder.path(), &mut now), ["webhook-approval"]);
        write("plugins: [");
        assert_eq!(known(folder.path(), &mut now), ["webhook-approval"]);
        std::fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(known(folder.path(), &mut now), ["webhook-approval"]);
        write(&FILE.replace("webhook-approval", "chat-approval"));
        assert_eq!(known(folder.path(), &mut now), ["chat-approval"]);
        write(&FILE.replace("hook: { secret", "another: { secret"));
        assert!(known(folder.path(), &mut now).is_empty());
    }

    #[tokio::test]
    async fn too_large_is_said_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Arc::new(crate::secret::MemorySecrets::default());
        let desk = CallbackDesk::new(folder.path(), secrets);
        let now = Timestamp::from_second(1).unwrap();
        let large = vec![b' '; MAX_CALLBACK_BYTES + 1];
        let refused = desk.receive("webhook-approval", &[], &large, now).await;
        assert_eq!(refused.unwrap_err().status, 413);
        let refused = desk.receive("webhook-approval", &[], b"{}", now).await;
        assert_eq!(refused.unwrap_err().status, 404);
        std::fs::write(folder.path().join(FILE_NAME), FILE).unwrap();
        let refused = desk.receive("webhook-approval", &[], b"{}", now).await;
        assert_eq!(refused.unwrap_err().status, 503, "there is no such secret");
    }
}
