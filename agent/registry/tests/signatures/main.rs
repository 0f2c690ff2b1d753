//! Facts and signatures of images, read from a real socket. Keys, certificates and logs are made
//! for each test; what is made of them is what cosign would push, or what an attacker would.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

mod facts;
mod flood;
mod forged;
mod identity;
mod key;
mod sign;
mod storage;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use sluice_core::policy::{Keyless, Signer};
use sluice_core::port::{Clock, Registry as _, RegistryFault};
use sluice_registry::{HostConfig, OciRegistry, RegistryConfig};
use sluice_registry_sim::Registry;
use sluice_registry_sim::signing::{Instance, Key, Validity};

const ISSUER: &str = "https://token.actions.example.com";
const WORKFLOW: &str =
    "https://git.example.com/shop/storefront/.github/workflows/release.yaml@refs/heads/main";

/// When signatures are made, and around it: a certificate lives for ten minutes.
const NOW: u64 = 1_790_000_000;
const TEN_MINUTES: Validity = Validity {
    from: NOW - 60,
    to: NOW + 540,
};
const YEARS: Validity = Validity {
    from: NOW - 100_000_000,
    to: NOW + 100_000_000,
};

/// Nothing here is compared with the present.
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }
}

/// A registry with one image, a Sigstore instance, and a client that trusts it.
struct Bench {
    registry: Registry,
    instance: Instance,
    client: OciRegistry,
    repository: String,
    digest: String,
    _trust: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Instance::new(YEARS, YEARS), |_| ()).await
    }

    /// With this instance, and a change of what the client is told to trust.
    async fn with(instance: Instance, change: impl FnOnce(&mut Value)) -> Self {
        let registry = Registry::start().await.unwrap();
        let digest = registry.push("shop/storefront", "v1", "one");
        let trust = tempfile::tempdir().unwrap();
        let mut root = instance.trusted_root();
        change(&mut root);
        let file = trust.path().join("trusted_root.json");
        std::fs::write(&file, root.to_string()).unwrap();
        let mut config = plain(registry.host());
        config.trust.root = Some(file);
        Self {
            client: client(config),
            repository: registry.repository("shop/storefront"),
            registry,
            instance,
            digest,
            _trust: trust,
        }
    }

    /// The names of those, of these signers, who signed the image.
    async fn signed_by(&self, signers: &[(&str, Signer)]) -> Result<Vec<String>, RegistryFault> {
        let signers: BTreeMap<String, Signer> = signers
            .iter()
            .map(|(name, signer)| ((*name).to_owned(), signer.clone()))
            .collect();
        let proofs = self
            .client
            .verify(&self.repository, &self.digest, &signers)
            .await?;
        for proof in &proofs {
            assert_eq!(proof.definition, signers[&proof.signer].definition());
        }
        Ok(proofs.into_iter().map(|proof| proof.signer).collect())
    }

    /// Whether the one signer signed it.
    async fn is_signed_by(&self, signer: Signer) -> bool {
        let found = self.signed_by(&[("it", signer)]).await.unwrap();
        found == ["it"]
    }
}

fn plain(host: &str) -> RegistryConfig {
    let mut config = RegistryConfig::default();
    let insecure = HostConfig {
        insecure: true,
        ..HostConfig::default()
    };
    config.hosts.insert(host.to_owned(), insecure);
    config
}

fn client(config: RegistryConfig) -> OciRegistry {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    OciRegistry::new(config, Arc::new(StillClock)).unwrap()
}

fn by_key(key: &Key) -> Signer {
    Signer::PublicKey(key.public_pem())
}

fn by_identity(issuer: &str, identity: &str) -> Signer {
    Signer::Keyless(Keyless {
        issuer: issuer.to_owned(),
        identity: Some(identity.to_owned()),
        identity_pattern: None,
    })
}

/// The release workflow on main.
fn release() -> Signer {
    by_identity(ISSUER, WORKFLOW)
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(result: Result<T, RegistryFault>, part: &str) {
    let fault = result.unwrap_err();
    assert!(matches!(fault, RegistryFault::Unavailable(_)), "{fault:?}");
    let message = fault.to_string();
    assert!(
        message.starts_with("cannot ") && message.len() < 1000,
        "{message}"
    );
    assert!(message.contains(part), "{message}");
}
