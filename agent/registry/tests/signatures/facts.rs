//! What an image says about itself (requirement A3), read by digest alone.

use serde_json::json;
use sluice_core::image::facts::ImageFacts;

use super::*;

const REVISION: &str = "org.opencontainers.image.revision";
const SOURCE: &str = "org.opencontainers.image.source";
const CREATED: &str = "org.opencontainers.image.created";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Bench {
    async fn describe(&self, digest: &str, keys: &[&str]) -> Result<ImageFacts, RegistryFault> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        self.client.describe(&self.repository, digest, &keys).await
    }

    /// An image with these annotations and this configuration.
    fn image(&self, annotations: &Value, config: &Value) -> String {
        let name = "shop/storefront";
        let bytes = config.to_string().into_bytes();
        let config = self.registry.push_blob(name, CONFIG, bytes);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [],
            "annotations": annotations,
        });
        self.registry.push_manifest(name, None, &manifest)
    }

    /// An index over these platforms.
    fn index(&self, annotations: &Value, children: &[(&str, &str, &str)]) -> String {
        let entries: Vec<_> = children
            .iter()
            .map(|(os, architecture, digest)| {
                json!({
                    "mediaType": MANIFEST, "digest": digest, "size": 1,
                    "platform": {"os": os, "architecture": architecture},
                })
            })
            .collect();
        let index = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": entries,
            "annotations": annotations,
        });
        self.registry.push_manifest("shop/storefront", None, &index)
    }
}

#[tokio::test]
async fn annotations_come_before_labels_and_only_known_keys_are_kept() {
    let bench = Bench::new().await;
    let digest = bench.image(
        &json!({REVISION: "4f2c9e1", "team": "shop", "noise": "x"}),
        &json!({
            "created": "2026-11-20T10:00:00Z",
            "config": {"Labels": {
                SOURCE: "https://git.example.com/shop/storefront", REVISION: "0000000",
                "maintainer": "alice", "more noise": "x",
            }},
        }),
    );
    let facts = bench
        .describe(&digest, &["team", "maintainer"])
        .await
        .unwrap();
    let expected = [
        ("maintainer", "alice"),
        (REVISION, "4f2c9e1"),
        (SOURCE, "https://git.example.com/shop/storefront"),
        ("team", "shop"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(facts.annotations, BTreeMap::from(expected));
    assert_eq!(facts.created, Some("2026-11-20T10:00:00Z".parse().unwrap()));
    assert_eq!(
        facts.source_link().unwrap(),
        "https://git.example.com/shop/storefront/commit/4f2c9e1"
    );
    assert!(facts.signatures.is_empty() && facts.is_bounded());
}

#[tokio::test]
async fn an_index_is_read_through_to_one_platform() {
    let bench = Bench::new().await;
    let labels = |revision: &str| json!({"config": {"Labels": {REVISION: revision}}});
    let arm = bench.image(&Value::Null, &labels("arm"));
    let amd = bench.image(&Value::Null, &labels("amd"));
    let attested = bench.image(&Value::Null, &labels("attested"));
    let revision = async |annotations: &Value, children: &[(&str, &str, &str)]| {
        let index = bench.index(annotations, children);
        let facts = bench.describe(&index, &[]).await.unwrap();
        facts.revision().map(str::to_owned)
    };
    let (unknown, linux) = (("unknown", "unknown", &*attested), "linux");
    let both = [unknown, (linux, "arm64", &arm), (linux, "amd64", &amd)];
    assert_eq!(revision(&Value::Null, &both).await.as_deref(), Some("amd"));
    let one = [unknown, (linux, "arm64", &arm)];
    assert_eq!(revision(&Value::Null, &one).await.as_deref(), Some("arm"));
    // What was asked for is the index: its own word comes first.
    let annotations = json!({REVISION: "index"});
    assert_eq!(
        revision(&annotations, &both).await.as_deref(),
        Some("index")
    );
    let empty = bench.index(&Value::Null, &[unknown]);
    unavailable(
        bench.describe(&empty, &[]).await,
        "no image for any platform",
    );
}

/// The newest of what is said: a forged early time in one place makes an image no older.
#[tokio::test]
async fn the_newest_time_of_build_counts() {
    let bench = Bench::new().await;
    let digest = bench.image(
        &json!({CREATED: "2001-01-01T00:00:00Z"}),
        &json!({"created": "2026-11-20T10:00:00Z"}),
    );
    let facts = bench.describe(&digest, &[]).await.unwrap();
    assert_eq!(facts.created, Some("2026-11-20T10:00:00Z".parse().unwrap()));
    let digest = bench.image(&json!({CREATED: "yesterday"}), &json!({}));
    assert_eq!(bench.describe(&digest, &[]).await.unwrap().created, None);
}

/// Attack 2: other bytes under the digest, at the first reading or a later one.
#[tokio::test]
async fn another_manifest_under_the_digest_is_refused() {
    let bench = Bench::new().await;
    bench
        .registry
        .behave(|b| b.swap_manifest_from_get = Some(2));
    bench.describe(&bench.digest, &[]).await.unwrap();
    for _ in 0..2 {
        let told = bench.describe(&bench.digest, &[]).await;
        unavailable(told, "but its manifest has sha256:");
    }
}

/// Attack 3: the index is the right one, and the platform's manifest is swapped.
#[tokio::test]
async fn a_swapped_child_of_an_index_is_refused() {
    let bench = Bench::new().await;
    let index = bench
        .registry
        .push_index("shop/storefront", "multi", &["one", "two"]);
    bench.describe(&index, &[]).await.unwrap();
    // The third reading is that of the index again, the fourth that of the child.
    bench
        .registry
        .behave(|b| b.swap_manifest_from_get = Some(4));
    let told = bench.describe(&index, &[]).await;
    unavailable(told, "but its manifest has sha256:");
}

#[tokio::test]
async fn a_swapped_or_broken_configuration_is_refused() {
    let bench = Bench::new().await;
    bench
        .registry
        .behave(|b| b.blob_body = Some("{}".to_owned()));
    unavailable(bench.describe(&bench.digest, &[]).await, "has sha256:");
    bench.registry.behave(|b| b.blob_body = None);
    let digest = bench.image(&Value::Null, &json!("no configuration"));
    unavailable(bench.describe(&digest, &[]).await, "not the JSON");
    let long = bench.image(&Value::Null, &json!({"history": "x".repeat(1024 * 1024)}));
    unavailable(
        bench.describe(&long, &[]).await,
        "larger than 1048576 bytes",
    );
}

#[tokio::test]
async fn what_is_no_digest_is_not_asked_for() {
    let bench = Bench::new().await;
    let nobody = BTreeMap::new();
    for text in ["v1", "sha256:00", "", "../../token"] {
        unavailable(bench.describe(text, &[]).await, "not a sha256 digest");
        let told = bench.client.verify(&bench.repository, text, &nobody);
        unavailable(told.await, "not a sha256 digest");
    }
    assert!(bench.registry.requests().is_empty());
    let nothing = format!("sha256:{}", "0".repeat(64));
    let fault = bench.describe(&nothing, &[]).await.unwrap_err();
    assert!(matches!(fault, RegistryFault::NotFound(_)), "{fault}");
}
