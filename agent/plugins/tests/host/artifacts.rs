//! Plugins out of a registry (plugins.md section 8): the registry here is a few lines, so that it can
//! be slow, away, or lie. Against a real one: `agent/cli`, `tests/e2e`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice_core::hash::sha256_hex;
use sluice_core::plugin::PluginInfo;
use sluice_core::policy::Signer;
use sluice_core::port::{BoxFuture, PluginHost as _};
use sluice_plugins::{
    ArtifactFault, ArtifactLayer, ArtifactRef, ArtifactSource, Host, HostOptions,
};

use crate::support::{Folder, PATIENCE, built, test_options};

const ALICE: &str = "alice@example.com";

/// What the registry does.
#[derive(Clone, Default)]
struct Behaviour {
    away: bool,
    hangs: bool,
    /// Who signed everything in it.
    signed_by: Vec<&'static str>,
    /// Sends other bytes than it declares.
    lies: bool,
}

/// A registry with some components, by the digest of a manifest that nobody looks at.
#[derive(Default)]
struct Shelf {
    components: BTreeMap<String, Vec<u8>>,
    behaviour: Mutex<Behaviour>,
    pulled: AtomicUsize,
}

impl Shelf {
    fn of(names: &[&str]) -> Arc<Shelf> {
        let shelved = |name: &&str| (digest(name), std::fs::read(built(name)).unwrap());
        Arc::new(Shelf {
            components: names.iter().map(shelved).collect(),
            ..Shelf::default()
        })
    }

    fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    async fn now(&self) -> Result<Behaviour, ArtifactFault> {
        let now = self.behaviour.lock().unwrap().clone();
        if now.hangs {
            std::future::pending::<()>().await;
        }
        if now.away {
            return Err(ArtifactFault::Away("the registry is away. Wait".to_owned()));
        }
        Ok(now)
    }

    fn pulled(&self) -> usize {
        self.pulled.load(Ordering::SeqCst)
    }
}

/// The digest of the manifest of a component here.
fn digest(name: &str) -> String {
    format!("sha256:{}", sha256_hex(name.as_bytes()))
}

fn own_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

impl ArtifactSource for Shelf {
    fn layer<'a>(
        &'a self,
        at: &'a ArtifactRef,
        _most: u64,
    ) -> BoxFuture<'a, Result<ArtifactLayer, ArtifactFault>> {
        Box::pin(async move {
            self.now().await?;
            let bytes = self.components.get(&at.digest);
            let bytes =
                bytes.ok_or_else(|| ArtifactFault::Missing("it is not there".to_owned()))?;
            Ok(ArtifactLayer {
                digest: own_digest(bytes),
                size: bytes.len() as u64,
            })
        })
    }

    fn signed_by<'a>(
        &'a self,
        _at: &'a ArtifactRef,
        signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<BTreeSet<String>, ArtifactFault>> {
        Box::pin(async move {
            let signed = self.now().await?.signed_by;
            let has_signed = |signer: &Signer| match signer {
                Signer::Keyless(keyless) => {
                    let identity = keyless.identity.as_deref().unwrap_or_default();
                    signed.contains(&identity)
                }
                Signer::PublicKey(_) => false,
            };
            let found = signers.iter().filter(|(_, signer)| has_signed(signer));
            Ok(found.map(|(name, _)| name.clone()).collect())
        })
    }

    fn component<'a>(
        &'a self,
        at: &'a ArtifactRef,
        _layer: &'a ArtifactLayer,
    ) -> BoxFuture<'a, Result<Vec<u8>, ArtifactFault>> {
        Box::pin(async move {
            let now = self.now().await?;
            self.pulled.fetch_add(1, Ordering::SeqCst);
            let mut bytes = self.components[&at.digest].clone();
            if now.lies {
                bytes.push(0);
            }
            Ok(bytes)
        })
    }
}

/// An entry under the name `slot`, signed by Alice unless said otherwise.
fn entry(slot: &str, component: &str, verify: &str) -> String {
    let digest = digest(component);
    format!(
        "  - name: {slot}\n    source: {{ oci: \"oci.example.com/plugins/{component}@{digest}\" }}\n    \
         verify: {{ {verify} }}\n"
    )
}

fn by(identity: &str) -> String {
    format!("{{ identity: {identity}, issuer: \"https://issuer.example.com\" }}")
}

fn by_alice() -> String {
    format!("cosign: {}", by(ALICE))
}

fn file(entries: &[String]) -> String {
    format!("plugins:\n{}", entries.concat())
}

struct Bench {
    folder: Folder,
    cache: tempfile::TempDir,
    shelf: Arc<Shelf>,
}

impl Bench {
    fn new(shelf: Arc<Shelf>, entries: &[String]) -> Bench {
        let folder = Folder::new().file("plugins.yaml", file(entries));
        let cache = tempfile::tempdir().unwrap();
        Bench {
            folder,
            cache,
            shelf,
        }
    }

    async fn host(&self) -> Host {
        let options = HostOptions {
            cache: Some(self.cache.path().to_owned()),
            artifacts: self.shelf.clone(),
            ..test_options()
        };
        self.folder.host_with(options).await
    }

    fn kept(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.cache.path().join("artifacts"));
        let mut files: Vec<_> = files.unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

async fn until(host: &Host, what: &str, met: impl Fn(&Host) -> bool) {
    let waiting = async {
        while !met(host) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(
        waited.is_ok(),
        "{what}: {:?} {:?}",
        host.catalog(),
        host.problems()
    );
}

fn codes(host: &Host) -> Vec<String> {
    host.problems().into_iter().map(|card| card.code).collect()
}

fn serves(host: &Host, name: &str) -> Option<PluginInfo> {
    host.catalog().into_iter().find(|info| info.name == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_plugin_is_pulled_and_serves() {
    let shelf = Shelf::of(&["canary"]);
    shelf.behave(|b| b.signed_by = vec![ALICE]);
    let bench = Bench::new(shelf, &[entry("canary", "canary", &by_alice())]);
    let host = bench.host().await;
    host.settle(PATIENCE).await;
    assert_eq!(codes(&host), [""; 0]);
    let bytes = std::fs::read(built("canary")).unwrap();
    assert_eq!(serves(&host, "canary").unwrap().digest, own_digest(&bytes));
    // Read again, it is neither pulled again nor loaded again.
    host.reload().await;
    assert_eq!(bench.shelf.pulled(), 1);
    assert_eq!(bench.kept().len(), 1);
    // Another process with the same cache asks who signed it, and pulls nothing.
    let again = bench.host().await;
    again.settle(PATIENCE).await;
    assert!(serves(&again, "canary").is_some());
    assert_eq!(bench.shelf.pulled(), 1);
}

/// The registry that hangs holds up nobody else, and the one that comes back is heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_hangs_or_is_away_holds_up_nobody_else() {
    let shelf = Shelf::of(&["canary"]);
    shelf.behave(|b| b.hangs = true);
    let file_entry = "  - name: http-smoke\n    source: { file: a.wasm }\n".to_owned();
    let bench = Bench::new(shelf, &[entry("canary", "canary", &by_alice()), file_entry]);
    std::fs::copy(built("http_smoke"), bench.folder.path().join("a.wasm")).unwrap();
    let host = tokio::time::timeout(PATIENCE, bench.host()).await.unwrap();
    assert!(serves(&host, "http-smoke").is_some() && serves(&host, "canary").is_none());
    assert!(
        codes(&host).contains(&"plugin/pulling".to_owned()),
        "{:?}",
        codes(&host)
    );
    drop(host);

    bench.shelf.behave(|b| {
        *b = Behaviour {
            away: true,
            signed_by: vec![ALICE],
            ..Behaviour::default()
        }
    });
    let host = bench.host().await;
    let _watch = host.watch();
    let away = "plugin/registry-away".to_owned();
    until(&host, "the trouble is told", |host| {
        codes(host).contains(&away)
    })
    .await;
    bench.shelf.behave(|b| b.away = false);
    until(&host, "it is tried again", |host| {
        serves(host, "canary").is_some()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_the_new_one_the_old_one_serves() {
    let shelf = Shelf::of(&["canary", "http_smoke"]);
    shelf.behave(|b| b.signed_by = vec![ALICE]);
    let bench = Bench::new(shelf.clone(), &[entry("it", "canary", &by_alice())]);
    let host = bench.host().await;
    host.settle(PATIENCE).await;
    let before = serves(&host, "it").unwrap();
    assert_eq!(before.problem, None);
    let new = |verify: &str| file(&[entry("it", "http_smoke", verify)]);
    let bob = by("bob@example.com");
    let both = format!("anyOf: [ {}, {bob} ], atLeast: 2", by(ALICE));
    let unsigned: fn(&mut Behaviour) = |b| b.signed_by = Vec::new();
    let lies: fn(&mut Behaviour) = |b| b.lies = true;
    let away: fn(&mut Behaviour) = |b| b.away = true;
    let healthy: fn(&mut Behaviour) = |_| ();
    for (change, text, code, word) in [
        (
            unsigned,
            new(&by_alice()),
            "plugin/not-signed",
            "alice@example.com",
        ),
        (healthy, new(&both), "plugin/not-signed", "1 of 2 signers"),
        (
            healthy,
            new(&format!("cosign: {bob}")),
            "plugin/not-signed",
            "bob@example.com",
        ),
        (
            lies,
            new(&by_alice()),
            "plugin/artifact-tampered",
            "has the digest",
        ),
        (away, new(&by_alice()), "plugin/registry-away", "away"),
        (
            healthy,
            file(&[entry("it", "nothing", &by_alice())]),
            "plugin/artifact-missing",
            "not there",
        ),
        (
            healthy,
            new(&format!("{}, sha256: {}", by_alice(), "0".repeat(64))),
            "plugin/digest-mismatch",
            "the pin says",
        ),
        (
            healthy,
            new("cosign: { key: no.pem }"),
            "plugin/verify-invalid",
            "no.pem",
        ),
        (
            healthy,
            new(""),
            "plugin/config-invalid",
            "name who signs it",
        ),
        (
            healthy,
            new(&by_alice()).replace(&format!("@{}", digest("http_smoke")), ":v1"),
            "plugin/config-invalid",
            "has no digest",
        ),
    ] {
        bench.shelf.behave(|b| {
            *b = Behaviour {
                signed_by: vec![ALICE],
                ..Behaviour::default()
            };
            change(b);
        });
        bench.folder.put("plugins.yaml", &text);
        host.reload().await;
        host.settle(PATIENCE).await;
        let now = serves(&host, "it").unwrap();
        assert_eq!(
            (&now.digest, &now.version),
            (&before.digest, &before.version),
            "{code}"
        );
        let card = host.problems().remove(0);
        assert_eq!(card.code, code, "{card}");
        let words = card.to_string();
        assert!(words.contains(word) && words.contains("serv"), "{card}");
        // Back to what serves: no complaint is left.
        bench.shelf.behave(|b| {
            *b = Behaviour {
                signed_by: vec![ALICE],
                ..Behaviour::default()
            }
        });
        bench
            .folder
            .put("plugins.yaml", file(&[entry("it", "canary", &by_alice())]));
        host.reload().await;
        host.settle(PATIENCE).await;
        assert_eq!(codes(&host), [""; 0], "{code}");
    }
    // And the new one takes over as soon as nothing is wrong.
    bench.folder.put("plugins.yaml", new(&by_alice()));
    host.reload().await;
    host.settle(PATIENCE).await;
    assert_ne!(serves(&host, "it").unwrap().digest, before.digest);
    assert_eq!(bench.kept().len(), 1, "what nothing names is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warn_and_off_serve_and_say_so() {
    let shelf = Shelf::of(&["canary"]);
    for (verify, code) in [
        (format!("{}, mode: warn", by_alice()), "plugin/not-signed"),
        ("mode: off".to_owned(), "plugin/signature-off"),
    ] {
        let bench = Bench::new(shelf.clone(), &[entry("canary", "canary", &verify)]);
        let host = bench.host().await;
        host.settle(PATIENCE).await;
        let served = serves(&host, "canary").unwrap();
        assert_eq!(codes(&host), [code]);
        assert!(served.problem.unwrap().contains("serves"), "{code}");
    }
}

/// Attack 18: what lies in the cache folder is hashed at each read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_in_the_cache_is_pulled_again() {
    let shelf = Shelf::of(&["canary"]);
    shelf.behave(|b| b.signed_by = vec![ALICE]);
    let bench = Bench::new(shelf, &[entry("canary", "canary", &by_alice())]);
    let host = bench.host().await;
    host.settle(PATIENCE).await;
    std::fs::write(bench.kept().remove(0), "tampered").unwrap();
    host.reload().await;
    assert!(serves(&host, "canary").is_some(), "what was loaded serves");
    host.settle(PATIENCE).await;
    assert_eq!((codes(&host).len(), bench.shelf.pulled()), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_a_registry_or_a_cache_says_so() {
    let folder = Folder::new().file(
        "plugins.yaml",
        file(&[entry("canary", "canary", &by_alice())]),
    );
    let host = folder.host().await;
    host.settle(PATIENCE).await;
    assert_eq!(codes(&host), ["plugin/no-cache"]);
    let cache = tempfile::tempdir().unwrap();
    let cached = |path: &Path| HostOptions {
        cache: Some(path.to_owned()),
        ..test_options()
    };
    let host = folder.host_with(cached(cache.path())).await;
    host.settle(PATIENCE).await;
    assert_eq!(codes(&host), ["plugin/artifact-layout"]);
}
