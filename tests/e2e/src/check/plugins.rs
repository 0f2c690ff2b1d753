//! A plugin out of a registry: pushed to a real one, signed, named by digest, and a rollout is judged by
//! it. Then whoever can write to the registry tampers: a signature that is gone, other bytes, a digest
//! that nobody pushed. Each is refused in words, and what served goes on judging.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sluice_cluster_bed::Bed;
use sluice_scenarios::both::{Ground as _, Release};
use tokio::time::{Instant, sleep};

use crate::check::same_end::cleared;
use crate::cluster::{Cluster, Said};
use crate::install::{self, RELEASE, SYSTEM};
use crate::real::Real;
use crate::table::Traffic;
use crate::told::told;

const APP: &str = "plugins";
const HOLD: &str = "3s";
/// For a change of a ConfigMap to be in the pod, and for the host's pause after trouble.
const PATIENCE: Duration = Duration::from_secs(120);
/// The plugin that judges every app here. Its file in the image is what serves at first.
const PLUGIN: &str = "http-smoke";

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let desk = Desk::new(cluster)?;
    let before = desk.now().await?;
    let mut notes = Vec::new();
    let one = desk.pushed("1").await?;
    desk.wants(&one.reference).await?;
    notes.push(desk.refused("not-signed", &one.reference).await?);
    desk.sign(&one).await?;
    desk.logged(&format!("digest=sha256:{}", one.component))
        .await
        .context("the signed plugin does not serve")?;
    notes.push("signed, it is found by itself and serves".to_owned());

    let ground = Real::start(cluster, APP, HOLD).await?;
    let play = ground.play();
    for (release, phase) in [
        (Release::Good, "Succeeded"),
        (Release::SickInProduction, "RolledBack"),
    ] {
        ground.push(release).await.map_err(told)?;
        play.approved(release.tag()).await.map_err(told)?;
        let ended = play.phase("production", release.tag(), phase).await;
        ended.map_err(told)?;
        notes.push(format!("{} {phase} by it", release.tag()));
    }

    let two = desk.pushed("2").await?;
    desk.sign(&two).await?;
    desk.verified(&two, true).await?;
    desk.without_signature(&two).await?;
    desk.verified(&two, false).await?;
    desk.wants(&two.reference).await?;
    notes.push(desk.refused("not-signed", &two.reference).await?);
    let nobody = format!("{}@sha256:{}", desk.repository, "0".repeat(64));
    desk.wants(&nobody).await?;
    notes.push(desk.refused("artifact-missing", &nobody).await?);
    if let Some(bed) = &cluster.bed {
        let three = desk.pushed("3").await?;
        desk.sign(&three).await?;
        other_bytes(bed, &three)?;
        desk.wants(&three.reference).await?;
        notes.push(desk.refused("artifact-tampered", &three.reference).await?);
    }

    // What served before all that is what judges now.
    let tag = "v1.2.1";
    ground.push_as(tag, Release::Good).await?;
    play.approved(tag).await.map_err(told)?;
    let ended = play.phase("production", tag, "Succeeded").await;
    ended.map_err(told)?;
    notes.push(format!("{tag} Succeeded by what served before"));
    cleared(cluster, APP).await?;
    desk.put(&before).await?;
    Ok(Traffic {
        notes,
        ..Traffic::default()
    })
}

/// A plugin as it was pushed.
struct Pushed {
    reference: String,
    /// SHA-256 of the component.
    component: String,
}

/// Where the plugin's author sits, who is the operator as well.
struct Desk {
    cluster: Arc<Cluster>,
    repository: String,
    folder: PathBuf,
    public_key: String,
}

impl Desk {
    fn new(cluster: &Arc<Cluster>) -> anyhow::Result<Self> {
        let folder = cluster.scratch.path().join(APP);
        std::fs::create_dir_all(&folder)?;
        let host = json!({"hosts": {cluster.registry.as_str(): {"insecure": cluster.insecure}}});
        std::fs::write(folder.join("registry.yaml"), host.to_string())?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        std::fs::write(folder.join("key"), pem("PRIVATE KEY", &key.serialize_der()))?;
        let public_key = pem("PUBLIC KEY", &key.subject_public_key_info());
        std::fs::write(folder.join("key.pub"), &public_key)?;
        Ok(Self {
            cluster: cluster.clone(),
            repository: format!("{}/plugins/{PLUGIN}", cluster.registry),
            folder,
            public_key,
        })
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// `sluice plugin …`, whatever comes of it.
    async fn plugin(&self, words: &[&str]) -> anyhow::Result<Said> {
        let config = self.file("registry.yaml");
        let begin = ["-o", "json", "plugin"];
        let all: Vec<&str> = begin
            .into_iter()
            .chain(words.iter().copied())
            .chain(["--registry-config", &config])
            .collect();
        self.cluster
            .run(None, &self.cluster.sluice(), &all, "")
            .await
    }

    /// The plugin of this repository with a mark, so that each is another.
    async fn pushed(&self, mark: &str) -> anyhow::Result<Pushed> {
        let built = "target/wasm32-wasip2/plugin/http_smoke.wasm";
        let mut bytes = std::fs::read(self.cluster.repository(built)).context(built)?;
        // A custom section says nothing to anybody: its id, its size, and a name of four letters.
        bytes.extend([0, 6, 4]);
        bytes.extend(b"mark");
        bytes.extend(mark.as_bytes().iter().take(1));
        let file = self.file(&format!("{mark}.wasm"));
        std::fs::write(&file, &bytes)?;
        let name = format!("{}:{mark}", self.repository);
        let said = self.plugin(&["push", &file, &name]).await?;
        ensure!(said.ok, "push: {}", said.err);
        let said: Value = serde_json::from_str(&said.out).context("what push says")?;
        let reference = said["reference"].as_str().context("a reference")?;
        Ok(Pushed {
            reference: reference.to_owned(),
            component: hex(&Sha256::digest(&bytes)),
        })
    }

    async fn sign(&self, pushed: &Pushed) -> anyhow::Result<()> {
        let key = self.file("key");
        let said = self
            .plugin(&["sign", &pushed.reference, "--key", &key])
            .await?;
        ensure!(said.ok, "sign: {}", said.err);
        Ok(())
    }

    /// What the command line says of it.
    async fn verified(&self, pushed: &Pushed, holds: bool) -> anyhow::Result<()> {
        let key = self.file("key.pub");
        let said = self
            .plugin(&["verify", &pushed.reference, "--key", &key])
            .await?;
        ensure!(said.ok == holds, "verify: {}{}", said.out, said.err);
        ensure!(
            holds || said.err.contains("plugin-not-signed"),
            "another reason: {}",
            said.err
        );
        Ok(())
    }

    /// Puts an empty list where the signatures are: whoever may push can do that.
    async fn without_signature(&self, pushed: &Pushed) -> anyhow::Result<()> {
        let scheme = if self.cluster.insecure {
            "http"
        } else {
            "https"
        };
        let (_, digest) = pushed.reference.split_once('@').context("a digest")?;
        let path = self
            .repository
            .split_once('/')
            .map_or("", |(_, path)| path)
            .to_owned();
        let base = format!("{scheme}://{}/v2/{path}", self.cluster.registry);
        let tag = digest.replace(':', "-");
        let address = format!("{base}/manifests/{tag}.sig");
        let client = reqwest::Client::new();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let get = client.get(&address).header("accept", kind);
        let text = get.send().await?.error_for_status()?.text().await?;
        let mut list: Value = serde_json::from_str(&text)?;
        list["layers"] = json!([]);
        let put = client
            .put(&address)
            .header("content-type", kind)
            .body(list.to_string());
        put.send().await?.error_for_status()?;
        Ok(())
    }

    /// The operator names this reference.
    async fn wants(&self, reference: &str) -> anyhow::Result<()> {
        let file = json!({"plugins": [
            {"name": "canary", "source": {"file": "canary.wasm"}},
            {"name": "rolling", "source": {"file": "rolling.wasm"}},
            {"name": PLUGIN, "source": {"oci": reference},
             "verify": {"cosign": {"key": self.public_key}},
             "grants": {"http": {"candidate": {"methods": ["GET"], "paths": ["/*"]}}}},
        ]});
        self.put(&file.to_string()).await
    }

    /// The operator's file.
    async fn now(&self) -> anyhow::Result<String> {
        let name = format!("{RELEASE}-plugins");
        let path = "jsonpath={.data.plugins\\.yaml}";
        let get = ["get", "configmap", &name, "-n", SYSTEM, "-o", path];
        Ok(self.cluster.kubectl(None, &get).await?.out)
    }

    async fn put(&self, file: &str) -> anyhow::Result<()> {
        let name = format!("{RELEASE}-plugins");
        let patch = json!({"data": {"plugins.yaml": file}}).to_string();
        let kind = "--type=merge";
        let patch = [
            "patch",
            "configmap",
            &name,
            "-n",
            SYSTEM,
            kind,
            "-p",
            &patch,
        ];
        self.cluster.kubectl(None, &patch).await?;
        // The kubelet looks at its pods once a minute; a change of the pod makes it look now.
        let hash = hex(&Sha256::digest(file));
        let mark = format!("e2e.sluice.dev/plugins={}", hash.get(..16).unwrap_or(&hash));
        for pod in install::pods(&self.cluster).await? {
            let annotate = ["annotate", "pod", &pod, "-n", SYSTEM, "--overwrite", &mark];
            self.cluster.kubectl(None, &annotate).await?;
        }
        Ok(())
    }

    /// Waits for the card of a refusal; answers its first line.
    async fn refused(&self, code: &str, reference: &str) -> anyhow::Result<String> {
        let card = format!("[plugin/{code}] {reference} was not loaded; {PLUGIN}");
        let line = self.logged(&card).await?;
        ensure!(line.contains("keeps serving"), "{line}");
        let (_, digest) = reference.split_once('@').unwrap_or_default();
        let digest = digest.get(..14).unwrap_or(digest);
        Ok(format!("{digest}… refused: plugin/{code}"))
    }

    /// Waits until the plugin host has logged this; answers the line.
    async fn logged(&self, text: &str) -> anyhow::Result<String> {
        let start = Instant::now();
        loop {
            let mut said = String::new();
            for pod in install::pods(&self.cluster).await? {
                let logs = ["logs", &pod, "-n", SYSTEM, "-c", "plugins", "--tail=-1"];
                said += &self.cluster.try_kubectl(None, &logs, "").await?.out;
            }
            if let Some(line) = said.lines().find(|line| line.contains(text)) {
                return Ok(line.to_owned());
            }
            if start.elapsed() > PATIENCE {
                let tail: Vec<&str> = said.lines().rev().take(20).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                bail!(
                    "not logged within {} s: {text}\n{}",
                    PATIENCE.as_secs(),
                    tail.join("\n")
                );
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Turns a bit in what the registry has stored of the component.
fn other_bytes(bed: &Bed, pushed: &Pushed) -> anyhow::Result<()> {
    let hash = &pushed.component;
    let folder = hash.get(..2).unwrap_or_default();
    let blobs = Path::new("registry/docker/registry/v2/blobs/sha256");
    let file = bed.state().join(blobs).join(folder).join(hash).join("data");
    let mut bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    std::fs::write(&file, bytes)?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
