//! Plugins in registries: up and down again, and everything that must not come down (plugins.md
//! section 8, attack 17).

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use sluice_registry::{ArtifactFault, NewWasm, PushProgress, WasmLayer};
use sluice_registry_sim::Auth;

use super::*;

/// What is large enough for a plugin here.
const MOST: u64 = 4 * 1024 * 1024;
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

fn plugin(bytes: Vec<u8>) -> NewWasm {
    let title = "org.opencontainers.image.title";
    NewWasm {
        component: bytes.into(),
        created: "2026-11-27T00:00:00Z".to_owned(),
        annotations: BTreeMap::from([(title.to_owned(), "slack".to_owned())]),
    }
}

/// Pushes with this client and pulls again; answers the digest.
pub(super) async fn up_and_down(client: &OciRegistry, repository: &str) -> String {
    let told: Mutex<Vec<PushProgress>> = Mutex::default();
    let tell = |progress| told.lock().unwrap().push(progress);
    // More than two pieces.
    let bytes = vec![7; 2_500_000];
    let new = plugin(bytes.clone());
    let digest = client
        .push_wasm(repository, Some("1.0.0"), &new, &tell)
        .await
        .unwrap();
    let sent: Vec<_> = told
        .lock()
        .unwrap()
        .drain(..)
        .map(|p| (p.sent, p.existed))
        .collect();
    let pieces = [0, 1 << 20, 2 << 20, 2_500_000].map(|sent| (sent, false));
    assert_eq!(sent, pieces);
    assert_eq!(client.resolve(repository, "1.0.0").await.unwrap(), digest);
    let layer = client.wasm_layer(repository, &digest, MOST).await.unwrap();
    assert_eq!(layer.size, 2_500_000);
    assert_eq!(client.wasm_bytes(repository, &layer).await.unwrap(), bytes);
    // The same again is the same, and costs no bytes.
    let again = client
        .push_wasm(repository, None, &new, &tell)
        .await
        .unwrap();
    assert_eq!(again, digest);
    let existed = told
        .lock()
        .unwrap()
        .iter()
        .map(|p| p.existed)
        .collect::<Vec<_>>();
    assert_eq!(existed, [true]);
    digest
}

/// Everybody may pull, and one account may push.
async fn guarded() -> Registry {
    let registry = Registry::start().await.unwrap();
    let account = Auth::Bearer {
        username: USERNAME.to_owned(),
        password: PASSWORD.to_owned(),
        anonymous_pull: true,
        lifetime: Duration::from_secs(60),
    };
    registry.behave(|b| b.auth = account);
    registry
}

#[tokio::test]
async fn what_was_pushed_is_pulled_by_the_digest_that_push_names() {
    let registry = guarded().await;
    let repository = registry.repository("plugins/slack");
    let client = client(with_account(registry.host()));
    up_and_down(&client, &repository).await;
    // A token that was given for reading does not write, nor the other way round.
    let scopes: Vec<_> = registry
        .requests()
        .into_iter()
        .filter(|r| r.path == "/token")
        .collect();
    assert_eq!(scopes.len(), 2, "{scopes:?}");
    let facts = client.tags(&repository).await.unwrap();
    assert_eq!(facts, ["1.0.0"]);
}

#[tokio::test]
async fn who_may_not_push_is_told() {
    let registry = guarded().await;
    let reader = client(plain(registry.host()));
    let repository = registry.repository("plugins/slack");
    let refused = reader
        .push_wasm(&repository, Some("v1"), &plugin(vec![1]), &|_| ())
        .await;
    let Err(ArtifactFault::Registry(RegistryFault::Denied(words))) = refused else {
        panic!("{refused:?}");
    };
    assert!(words.starts_with("cannot push to "), "{words}");
    assert!(
        registry
            .requests()
            .iter()
            .all(|r| r.method != "PATCH" && r.method != "PUT")
    );
}

/// A registry with a manifest of one's own making.
struct Bench {
    registry: Registry,
    client: OciRegistry,
    repository: String,
}

impl Bench {
    async fn new() -> Self {
        let (registry, client) = healthy().await;
        let repository = registry.repository("plugins/x");
        Self {
            registry,
            client,
            repository,
        }
    }

    fn blob(&self, kind: &str, bytes: &[u8]) -> Value {
        self.registry.push_blob("plugins/x", kind, bytes.to_vec())
    }

    /// A manifest with these layers, after a change.
    fn manifest(&self, layers: &[Value], change: impl FnOnce(&mut Value)) -> String {
        let digests: Vec<_> = layers.iter().map(|layer| layer["digest"].clone()).collect();
        let config = json!({"os": "wasip2", "layerDigests": digests}).to_string();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(CONFIG, config.as_bytes()),
            "layers": layers,
        });
        change(&mut manifest);
        self.registry.push_manifest("plugins/x", None, &manifest)
    }

    async fn pull(&self, digest: &str) -> Result<Vec<u8>, ArtifactFault> {
        let layer = self
            .client
            .wasm_layer(&self.repository, digest, MOST)
            .await?;
        let bytes = self.client.wasm_bytes(&self.repository, &layer).await?;
        Ok(bytes.to_vec())
    }

    fn blobs_read(&self) -> usize {
        let blobs = |line: &&String| line.starts_with("GET") && line.contains("/blobs/");
        asked(&self.registry).iter().filter(blobs).count()
    }
}

fn words(fault: ArtifactFault) -> (char, String) {
    match fault {
        ArtifactFault::Registry(fault) => ('r', message(&fault)),
        ArtifactFault::Layout(words) => ('l', words),
        ArtifactFault::TooLarge(words) => ('s', words),
        ArtifactFault::Tampered(words) => ('t', words),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ArtifactFault>, kind: char, part: &str) {
    let (of, words) = words(result.unwrap_err());
    assert!(
        words.starts_with("cannot pull the plugin ") && words.len() < 1000,
        "{words}"
    );
    assert_eq!(of, kind, "{words}");
    assert!(words.contains(part), "{words}");
}

#[tokio::test]
async fn another_layout_is_refused_before_any_component_is_read() {
    let bench = Bench::new().await;
    let layer = bench.blob(LAYER, b"component");
    let packed = bench.blob("application/wasm+gzip", b"\x1f\x8b");
    let index = bench.registry.push_index("plugins/x", "i", &["one"]);
    let image = bench.registry.push("plugins/x", "v1", "one");
    for (digest, part) in [
        (index, "an index"),
        (image, "container image"),
        (bench.manifest(&[packed], |_| ()), "packed"),
        (
            bench.manifest(&[layer.clone(), layer.clone()], |_| ()),
            "2 layers",
        ),
        (bench.manifest(&[], |_| ()), "0 layers"),
    ] {
        refused(bench.pull(&digest).await, 'l', part);
    }
    assert_eq!(bench.blobs_read(), 0);
    let other = bench.blob(CONFIG, br#"{"os": "wasip1"}"#);
    let digest = bench.manifest(&[layer], |manifest| manifest["config"] = other);
    refused(bench.pull(&digest).await, 'l', "wasip1");
}

/// Attack 17: a component that is larger than anybody reads, and one that grows on its way.
#[tokio::test]
async fn no_more_is_read_than_is_allowed_and_declared() {
    let bench = Bench::new().await;
    let honest = bench.blob(LAYER, b"component");
    let declaring = |size: u64| {
        let mut layer = honest.clone();
        layer["size"] = json!(size);
        bench.manifest(&[layer], |_| ())
    };
    refused(bench.pull(&declaring(MOST + 1)).await, 's', "4194305 bytes");
    assert_eq!(
        bench.blobs_read(),
        0,
        "what is declared too large is not asked for"
    );
    refused(
        bench.pull(&declaring(3)).await,
        's',
        "more than the 3 bytes",
    );
    bench.registry.behave(|b| b.chunked = true);
    refused(
        bench.pull(&declaring(3)).await,
        's',
        "more than the 3 bytes",
    );
    // Declared larger than it is: the hash is right, so it is the component.
    assert_eq!(bench.pull(&declaring(10)).await.unwrap(), b"component");
    let wide = bench.manifest(&[honest], |m| {
        m["annotations"] = json!({"a": "x".repeat(70_000)})
    });
    refused(bench.pull(&wide).await, 's', "larger than 65536");
}

/// Attack: other bytes under the digest of the manifest, and under that of the component.
#[tokio::test]
async fn other_bytes_under_a_digest_are_tampering() {
    let bench = Bench::new().await;
    let digest = bench.manifest(&[bench.blob(LAYER, b"component")], |_| ());
    bench.pull(&digest).await.unwrap();
    let layer = bench
        .client
        .wasm_layer(&bench.repository, &digest, MOST)
        .await
        .unwrap();
    bench
        .registry
        .behave(|b| b.blob_body = Some("c0mponent".to_owned()));
    refused(
        bench.client.wasm_bytes(&bench.repository, &layer).await,
        't',
        "has the digest",
    );
    bench
        .registry
        .behave(|b| b.swap_manifest_from_get = Some(0));
    refused(
        bench.pull(&digest).await,
        't',
        "the manifest that the registry sends",
    );
    let nobody = format!("sha256:{}", "0".repeat(64));
    refused(bench.pull(&nobody).await, 'r', "404");
    refused(bench.pull("v1").await, 'r', "not a sha256 digest");
}

/// Attack 25: storage under another name, which leads into the cluster's network.
#[tokio::test]
async fn a_blob_that_leads_to_the_metadata_service_is_not_followed() {
    let bench = Bench::new().await;
    let digest = bench.manifest(&[bench.blob(LAYER, b"component")], |_| ());
    let layer = bench
        .client
        .wasm_layer(&bench.repository, &digest, MOST)
        .await
        .unwrap();
    for target in ["http://169.254.169.254", "http://127.0.0.2:1"] {
        bench
            .registry
            .behave(|b| b.redirect_blobs = Some(target.to_owned()));
        let pulled = bench.client.wasm_bytes(&bench.repository, &layer).await;
        refused(pulled, 'r', "not allowed");
    }
    // Storage elsewhere is fine where it is allowed, and its bytes are hashed all the same.
    let storage = Registry::start().await.unwrap();
    storage.push_blob("plugins/x", LAYER, b"component".to_vec());
    bench
        .registry
        .behave(|b| b.redirect_blobs = Some(format!("http://{}", storage.host())));
    let pulled = bench
        .client
        .wasm_bytes(&bench.repository, &layer)
        .await
        .unwrap();
    assert_eq!(pulled.as_ref(), b"component");
}

#[tokio::test]
async fn a_slow_registry_costs_the_deadline_and_no_more() {
    let (registry, _) = healthy().await;
    let config = plain(registry.host());
    let client = client_with(config, |limits| {
        limits.transfer_deadline = Duration::from_millis(50)
    });
    registry.behave(|b| b.hold = true);
    let layer = WasmLayer {
        digest: format!("sha256:{}", "0".repeat(64)),
        size: 1,
    };
    let pulled = client
        .wasm_bytes(&registry.repository("plugins/x"), &layer)
        .await;
    refused(pulled, 'r', "no whole answer within 0.05 s");
}
