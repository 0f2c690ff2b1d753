//! A plugin's way into a registry and out of it, as its author and its operator go it: the verbs, the
//! simulated registry, and the plugin host of an agent that pulls what they put there.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use serde_json::Value;
use sluice::{Cli, Exit, Format, Output};
use sluice_registry_sim::Registry;
use sluice_registry_sim::signing::Key;

const PLUGIN: &str = "http-smoke";

/// A component that `make plugins` built.
fn built(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(format!("target/wasm32-wasip2/plugin/{name}.wasm"));
    assert!(path.is_file(), "run `make plugins` first");
    path
}

/// A registry, and a desk with everything that the verbs want to have in files.
struct Desk {
    registry: Registry,
    folder: tempfile::TempDir,
    key: Key,
}

impl Desk {
    async fn new() -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let registry = Registry::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = format!("hosts:\n  \"{}\": {{ insecure: true }}\n", registry.host());
        std::fs::write(folder.path().join("registry.yaml"), config).unwrap();
        let key = Key::p256();
        std::fs::write(folder.path().join("release.key"), key.private_pem()).unwrap();
        std::fs::write(folder.path().join("release.pem"), key.public_pem()).unwrap();
        Self {
            registry,
            folder,
            key,
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn reference(&self, tail: &str) -> String {
        self.registry.repository(&format!("plugins/{PLUGIN}{tail}"))
    }

    /// One command; what it prints, or the failure as programs get it.
    async fn plugin(&self, words: &[&str]) -> (Exit, Value) {
        let config = self.file("registry.yaml");
        let fixed = ["sluice", "-o", "json", "plugin"];
        let tail = ["--registry-config", config.as_str()];
        let cli = Cli::parse_from(fixed.iter().chain(words).chain(&tail));
        let (out, seen) = Output::captured(Format::Json);
        let exit = sluice::run(cli, out).await;
        let text = if exit == Exit::Done {
            seen.out()
        } else {
            seen.err()
        };
        (
            exit,
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}")),
        )
    }

    async fn done(&self, words: &[&str]) -> Value {
        let (exit, value) = self.plugin(words).await;
        assert_eq!(exit, Exit::Done, "{words:?}: {value}");
        value
    }

    async fn refused(&self, words: &[&str], exit: Exit, code: &str) -> Value {
        let (ended, value) = self.plugin(words).await;
        assert_eq!(
            (ended, &value["error"]["code"]),
            (exit, &Value::from(code)),
            "{value}"
        );
        value["error"].clone()
    }

    /// Pushes and answers the reference by digest.
    async fn pushed(&self) -> String {
        let component = built("http_smoke").display().to_string();
        let pushed = self.done(&["push", &component, &self.reference("")]).await;
        pushed["reference"].as_str().unwrap().to_owned()
    }

    fn plugins_yaml(&self, reference: &str, verify: &str) -> String {
        let text = format!(
            "plugins:\n  - name: {PLUGIN}\n    source: {{ oci: \"{reference}\" }}\n    verify: {{ {verify} }}\n"
        );
        std::fs::write(self.folder.path().join("plugins.yaml"), text).unwrap();
        self.file("plugins.yaml")
    }
}

#[tokio::test]
async fn a_plugin_is_pushed_signed_verified_and_pulled() {
    let desk = Desk::new().await;
    let reference = desk.pushed().await;
    let component = built("http_smoke").display().to_string();
    let again = desk
        .done(&["push", &component, &desk.reference(":other")])
        .await;
    assert_eq!(again["existed"], true);
    let by_key = [
        "verify",
        reference.as_str(),
        "--key",
        &desk.file("release.pem"),
    ]
    .map(str::to_owned);
    let by_key = by_key.each_ref().map(String::as_str);
    let error = desk
        .refused(&by_key, Exit::NotDone, "plugin-not-signed")
        .await;
    assert!(
        error["why"][0]
            .as_str()
            .unwrap()
            .contains("has not signed it"),
        "{error}"
    );

    let signed = desk
        .done(&["sign", &reference, "--key", &desk.file("release.key")])
        .await;
    assert_eq!(signed["publicKey"], desk.key.public_pem());
    let verified = desk.done(&by_key).await;
    assert_eq!(verified["plugin"]["name"], PLUGIN);
    let bytes = std::fs::read(built("http_smoke")).unwrap();
    assert_eq!(
        verified["plugin"]["sha256"],
        sluice_core::hash::sha256_hex(&bytes)
    );

    let to = desk.file("pulled.wasm");
    desk.done(&["pull", &reference, "--to", &to]).await;
    assert_eq!(std::fs::read(&to).unwrap(), bytes);
    desk.refused(
        &["pull", &reference, "--to", &to],
        Exit::CannotTell,
        "unwritable",
    )
    .await;
}

#[tokio::test]
async fn what_plugins_yaml_wants_is_what_is_asked() {
    let desk = Desk::new().await;
    let reference = desk.pushed().await;
    let verify = |config: String, what: &str| {
        ["verify", what, "--plugins-config", &config].map(str::to_owned)
    };
    let key = "cosign: { key: release.pem }";
    let ask = verify(desk.plugins_yaml(&reference, key), &reference);
    let ask = ask.each_ref().map(String::as_str);
    desk.refused(&ask, Exit::NotDone, "plugin-not-signed").await;
    // What is a warning there is one here.
    desk.plugins_yaml(&reference, &format!("{key}, mode: warn"));
    assert_eq!(
        desk.done(&ask).await["warnings"].as_array().unwrap().len(),
        1
    );
    desk.plugins_yaml(&reference, "mode: off");
    assert_eq!(
        desk.done(&ask).await["warnings"].as_array().unwrap().len(),
        1
    );
    desk.done(&["sign", &reference, "--key", &desk.file("release.key")])
        .await;
    desk.plugins_yaml(&reference, key);
    assert_eq!(
        desk.done(&ask).await["warnings"].as_array().unwrap().len(),
        0
    );
    desk.plugins_yaml(&reference, &format!("{key}, sha256: {}", "0".repeat(64)));
    desk.refused(&ask, Exit::NotDone, "plugin-pin").await;
    let other = format!("{}@sha256:{}", desk.reference(""), "0".repeat(64));
    desk.plugins_yaml(&other, key);
    let error = desk.refused(&ask, Exit::NotDone, "not-found").await;
    assert!(
        error["why"][0]
            .as_str()
            .unwrap()
            .contains("another of the same repository")
    );
    // A file of the folder has a pin.
    let component = built("http_smoke").display().to_string();
    let hash = sluice_core::hash::sha256_hex(&std::fs::read(&component).unwrap());
    for (pin, exit) in [(hash, Exit::Done), ("0".repeat(64), Exit::NotDone)] {
        let text = format!(
            "plugins:\n  - name: {PLUGIN}\n    source: {{ file: x.wasm }}\n    verify: {{ sha256: {pin} }}\n"
        );
        std::fs::write(desk.folder.path().join("plugins.yaml"), text).unwrap();
        let (ended, told) = desk
            .plugin(&[
                "verify",
                &component,
                "--plugins-config",
                &desk.file("plugins.yaml"),
            ])
            .await;
        assert_eq!(ended, exit, "{told}");
    }
}

/// A tag may be moved by whoever may push: it is refused, with what it is now to paste.
#[tokio::test]
async fn a_reference_without_a_digest_is_answered_with_the_digest() {
    let desk = Desk::new().await;
    let reference = desk.pushed().await;
    desk.registry
        .retag(
            "plugins/http-smoke",
            "latest",
            reference.rsplit_once('@').unwrap().1,
        )
        .unwrap();
    for verb in ["pull", "verify"] {
        let error = desk
            .refused(&[verb, &desk.reference("")], Exit::Usage, "usage")
            .await;
        assert!(
            error["change"].as_str().unwrap().contains(&reference),
            "{error}"
        );
        let error = desk
            .refused(&[verb, &desk.reference(":none")], Exit::Usage, "usage")
            .await;
        assert!(error["why"].as_array().unwrap().len() == 2, "{error}");
    }
    let error = desk
        .refused(&["verify", &reference], Exit::Usage, "usage")
        .await;
    assert!(
        error["change"].as_str().unwrap().contains("--identity"),
        "{error}"
    );
}

#[tokio::test]
async fn what_would_not_be_loaded_is_not_pushed() {
    let desk = Desk::new().await;
    std::fs::write(desk.folder.path().join("x.wasm"), "<html>").unwrap();
    let push = ["push", &desk.file("x.wasm"), &desk.reference(":v1")].map(str::to_owned);
    let error = desk
        .refused(
            &push.each_ref().map(String::as_str),
            Exit::NotDone,
            "plugin-unfit",
        )
        .await;
    assert!(
        error["why"][0].as_str().unwrap().starts_with("[plugin/"),
        "{error}"
    );
    assert_eq!(desk.registry.requests().len(), 0);
    // Other people's artifacts are not pulled.
    let digest = desk
        .registry
        .push("plugins/http-smoke", "image", "an image");
    let image = desk.reference(&format!("@{digest}"));
    desk.refused(&["pull", &image], Exit::NotDone, "plugin-layout")
        .await;
    desk.registry
        .behave(|b| b.fail_next = Some((1, sluice_registry_sim::Fault::status(503))));
    desk.refused(&["pull", &image], Exit::CannotTell, "registry-away")
        .await;
}
