//! What the web door's hooks and callbacks lead to: the folder of secrets, the controller, the plugin
//! host. Web knows none of them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use sluice_core::plugin::{PluginAnswer, PluginCall};
use sluice_core::port::{BoxFuture, PluginHost as _};
use sluice_plugins::CallbackDesk;
use sluice_plugins::remote::RemoteHost;
use sluice_web::{CallbackRefused, Callbacks, Secrets, Verified};

/// Largest secret, in bytes: the plugin host's limit, too.
const SECRET_BYTES: u64 = 16 << 10;
/// Shortest secret that signs anything.
const SECRET_LEAST: usize = 16;

/// Secrets in files `<folder>/<name>/<key>`, as Kubernetes mounts them.
pub(crate) struct FolderSecrets(pub(crate) Option<PathBuf>);

impl Secrets for FolderSecrets {
    fn read<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(async move {
            let folder = self.0.as_ref().ok_or("the agent has no --secrets folder")?;
            let path = folder.join(within(at)?);
            let read = tokio::task::spawn_blocking(move || bounded(&path)).await;
            read.map_err(|_| "reading it was interrupted".to_owned())?
        })
    }
}

/// `NAME/KEY` as a path that stays below the folder.
fn within(at: &str) -> Result<&Path, String> {
    let path = Path::new(at);
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            false
        }
    };
    if path.components().count() == 2 && path.components().all(plain) {
        Ok(path)
    } else {
        Err("it is not named as NAME/KEY".to_owned())
    }
}

fn bounded(path: &Path) -> Result<Vec<u8>, String> {
    let mut value = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_BYTES + 1).read_to_end(&mut value))
        .map_err(|e| e.kind().to_string())?;
    // Editors leave a line feed at the end.
    while value.last().is_some_and(|b| *b == b'\n' || *b == b'\r') {
        value.pop();
    }
    if value.len() < SECRET_LEAST || value.len() as u64 > SECRET_BYTES {
        return Err(format!(
            "it has fewer than {SECRET_LEAST} or more than {SECRET_BYTES} bytes"
        ));
    }
    Ok(value)
}

/// Hints go to the controller.
pub(crate) struct Hints(pub(crate) sluice_controller::Hints);

impl sluice_web::Hints for Hints {
    fn look(&self, repository: &str) -> usize {
        self.0.look(repository)
    }
}

/// Callbacks are verified here, in the agent's process, and read by a plugin in the host's.
pub(crate) struct HostCallbacks {
    pub(crate) desk: CallbackDesk,
    pub(crate) host: RemoteHost,
}

impl Callbacks for HostCallbacks {
    fn receive<'a>(
        &'a self,
        plugin: &'a str,
        headers: &'a [(String, String)],
        raw_body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Verified, CallbackRefused>> {
        Box::pin(async move {
            let received = self.desk.receive(plugin, headers, raw_body, now).await;
            match received {
                Ok(callback) => Ok(Verified {
                    plugin: callback.plugin,
                    person: callback.person,
                    subject: callback.subject,
                    headers: callback.headers,
                    body: callback.body,
                }),
                Err(refused) => Err(CallbackRefused {
                    status: refused.status,
                    sentence: refused.sentence,
                }),
            }
        })
    }

    fn ask(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        self.host.call(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn secrets_lie_two_levels_below_the_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("ci")).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join("ci").join(name), text).unwrap();
        };
        write("jenkins", "0123456789abcdef\n");
        write("short", "abc");
        let secrets = FolderSecrets(Some(folder.path().to_owned()));
        assert_eq!(
            secrets.read("ci/jenkins").await.unwrap(),
            b"0123456789abcdef"
        );
        for bad in [
            "ci/short",
            "ci/none",
            "ci",
            "/etc/passwd",
            "ci/../ci",
            "../ci/x",
            "ci/.x",
            "a/b/c",
        ] {
            assert!(secrets.read(bad).await.is_err(), "{bad}");
        }
        assert!(FolderSecrets(None).read("ci/jenkins").await.is_err());
    }
}
