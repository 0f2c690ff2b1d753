//! Plugins out of a registry: the plugin host's source of components is the registry client that also
//! reads images, with its credentials, limits and trust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_core::policy::Signer;
use sluice_core::port::{BoxFuture, Registry as _, RegistryFault};
use sluice_plugins::{ArtifactFault, ArtifactLayer, ArtifactRef, ArtifactSource};
use sluice_registry::{ConfigError, OciRegistry, RegistryConfig, WasmLayer};

use crate::clock::WallClock;
use crate::exit::Exit;
use crate::failure::Failure;

/// Components of OCI registries.
pub(crate) struct RegistryArtifacts(Arc<OciRegistry>);

impl RegistryArtifacts {
    /// With a client of its own.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub(crate) fn new(config: RegistryConfig) -> Result<Self, ConfigError> {
        let registry = OciRegistry::new(config, Arc::new(WallClock))?;
        Ok(Self(Arc::new(registry)))
    }

    /// With this client.
    pub(crate) fn of(registry: Arc<OciRegistry>) -> Self {
        Self(registry)
    }
}

impl ArtifactSource for RegistryArtifacts {
    fn layer<'a>(
        &'a self,
        at: &'a ArtifactRef,
        most: u64,
    ) -> BoxFuture<'a, Result<ArtifactLayer, ArtifactFault>> {
        Box::pin(async move {
            let layer = self.0.wasm_layer(&at.repository, &at.digest, most).await;
            let WasmLayer { digest, size } = layer.map_err(fault)?;
            Ok(ArtifactLayer { digest, size })
        })
    }

    fn signed_by<'a>(
        &'a self,
        at: &'a ArtifactRef,
        signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<BTreeSet<String>, ArtifactFault>> {
        Box::pin(async move {
            let proofs = self.0.verify(&at.repository, &at.digest, signers).await;
            let proofs = proofs.map_err(|of| fault(of.into()))?;
            Ok(proofs.into_iter().map(|proof| proof.signer).collect())
        })
    }

    fn component<'a>(
        &'a self,
        at: &'a ArtifactRef,
        layer: &'a ArtifactLayer,
    ) -> BoxFuture<'a, Result<Vec<u8>, ArtifactFault>> {
        Box::pin(async move {
            let declared = WasmLayer {
                digest: layer.digest.clone(),
                size: layer.size,
            };
            let bytes = self.0.wasm_bytes(&at.repository, &declared).await;
            bytes.map(|bytes| bytes.to_vec()).map_err(fault)
        })
    }
}

/// A registry's fault in the words of the plugin host.
pub(crate) fn fault(of: sluice_registry::ArtifactFault) -> ArtifactFault {
    use sluice_registry::ArtifactFault as Of;
    match of {
        Of::Layout(words) => ArtifactFault::Layout(words),
        Of::TooLarge(words) => ArtifactFault::TooLarge(words),
        Of::Tampered(words) => ArtifactFault::Tampered(words),
        Of::Registry(RegistryFault::NotFound(words)) => ArtifactFault::Missing(words),
        Of::Registry(RegistryFault::Denied(words)) => ArtifactFault::Denied(words),
        Of::Registry(RegistryFault::Unavailable(words)) => ArtifactFault::Away(words),
        Of::Registry(RegistryFault::RateLimited {
            message,
            retry_after_seconds,
        }) => ArtifactFault::Busy {
            message,
            seconds: retry_after_seconds,
        },
    }
}

/// A client with the caller's own credentials: those of the file, or those that `docker login` left.
pub(crate) fn client(config: Option<&Path>) -> Result<OciRegistry, Failure> {
    let config = match config {
        Some(path) => crate::verb::agent::registry(path)?,
        None => RegistryConfig {
            docker_config: docker().filter(|path| path.exists()),
            ..RegistryConfig::default()
        },
    };
    OciRegistry::new(config, Arc::new(WallClock)).map_err(|error| {
        Failure::new("registry-config", "the registry settings cannot be used")
            .because(error.to_string())
            .exit(Exit::Usage)
    })
}

/// Where `docker login` writes.
fn docker() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_plugins::{Host, HostOptions};
    use sluice_registry::{HostConfig, NewWasm, SigningKey};
    use sluice_registry_sim::Registry;
    use sluice_registry_sim::signing::Key;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn config(registry: &Registry) -> RegistryConfig {
        let insecure = HostConfig {
            insecure: true,
            ..HostConfig::default()
        };
        let mut config = RegistryConfig::default();
        config.hosts.insert(registry.host().to_owned(), insecure);
        config
    }

    /// The whole way: a real client, a real plugin, a host that pulls it by rules.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_host_serves_what_the_right_key_signed_and_nothing_else() {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let registry = Registry::start().await.unwrap();
        let client = OciRegistry::new(config(&registry), Arc::new(WallClock)).unwrap();
        let repository = registry.repository("plugins/canary");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/wasm32-wasip2/plugin");
        let mut digests = Vec::new();
        for name in ["canary", "http_smoke"] {
            let component = std::fs::read(root.join(format!("{name}.wasm"))).unwrap();
            let new = NewWasm {
                component: component.into(),
                ..NewWasm::default()
            };
            let pushed = client.push_wasm(&repository, Some(name), &new, &|_| ());
            digests.push(pushed.await.unwrap());
        }
        let key = Key::p256();
        let folder = tempfile::tempdir().unwrap();
        let write = |digest: &str| {
            let text = format!(
                "plugins:\n  - name: it\n    source: {{ oci: \"{repository}@{digest}\" }}\n    verify: \
                 {{ cosign: {{ key: release.pem }} }}\n"
            );
            std::fs::write(folder.path().join("plugins.yaml"), text).unwrap();
        };
        std::fs::write(folder.path().join("release.pem"), key.public_pem()).unwrap();
        write(&digests[0]);
        let cache = tempfile::tempdir().unwrap();
        let options = HostOptions {
            artifacts: Arc::new(RegistryArtifacts::new(config(&registry)).unwrap()),
            cache: Some(cache.path().to_owned()),
            ..HostOptions::default()
        };
        let host = Host::open(folder.path(), options).await.unwrap();
        host.settle(PATIENCE).await;
        let only = |host: &Host| host.problems().first().map(|card| card.code.clone());
        assert_eq!(only(&host).as_deref(), Some("plugin/not-signed"));

        let pem = SigningKey::from_pem(&key.private_pem()).unwrap();
        client.sign(&repository, &digests[0], &pem).await.unwrap();
        // Anything else asks anew, as a restart does: the pause after a refusal is seconds.
        std::fs::write(folder.path().join("plugins.yaml"), "plugins: []").unwrap();
        host.reload().await;
        write(&digests[0]);
        host.reload().await;
        host.settle(PATIENCE).await;
        assert_eq!(only(&host), None);
        let serving = host.digest("it").unwrap();

        // The next version is tampered with on its way: the old one serves, and the card says why.
        client.sign(&repository, &digests[1], &pem).await.unwrap();
        registry.behave(|b| b.blob_body = Some("tampered".to_owned()));
        write(&digests[1]);
        host.reload().await;
        host.settle(PATIENCE).await;
        let code = only(&host).unwrap();
        assert!(
            ["plugin/artifact-tampered", "plugin/too-large"].contains(&code.as_str()),
            "{code}"
        );
        assert_eq!(host.digest("it").unwrap(), serving);
    }

    trait Serving {
        fn digest(&self, name: &str) -> Option<String>;
    }

    impl Serving for Host {
        fn digest(&self, name: &str) -> Option<String> {
            let served = sluice_core::port::PluginHost::catalog(self);
            let info = served.into_iter().find(|info| info.name == name)?;
            Some(info.digest)
        }
    }
}
