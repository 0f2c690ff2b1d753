//! A push to the CNCF registry, where it is installed.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sluice_image::{Error, ImageSpec, digest_of, push, write};
use tempfile::TempDir;

/// A running registry; it ends with this.
struct Registry {
    process: Child,
    host: String,
    _folder: TempDir,
}

impl Registry {
    async fn start(program: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let config = "version: 0.1\n\
             log: {level: info}\n\
             storage: {inmemory: {}}\n\
             http: {addr: '127.0.0.1:0', secret: test}\n";
        fs::write(folder.path().join("config.yml"), config).unwrap();
        let log = folder.path().join("log");
        let output = fs::File::create(&log).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let host = loop {
            let text = fs::read_to_string(&log).unwrap();
            let listening = text.split("listening on ").nth(1);
            if let Some(host) = listening.and_then(|rest| rest.split(['"', '\n']).next()) {
                break host.to_owned();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        Self {
            process,
            host,
            _folder: folder,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .flat_map(|folder| [folder.join("docker-registry"), folder.join("registry")])
        .find(|candidate| candidate.is_file())
}

fn archive(folder: &Path) -> PathBuf {
    let path = folder.join("tool.oci.tar");
    // A small program that every machine has.
    let tool = fs::canonicalize("/bin/sh").unwrap();
    let mut spec = ImageSpec::new("registry.example.com/shop/tool:v1.0.0", &tool);
    spec.certificates = None;
    write(&spec, &path).unwrap();
    path
}

#[tokio::test]
async fn the_registry_stores_the_image_under_the_digest_of_the_archive() {
    let Some(program) = program() else {
        let missing = "neither docker-registry nor registry is on PATH; get it with: \
                       apt-get install docker-registry";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        println!("skipped: {missing}");
        return;
    };
    let registry = Registry::start(&program).await;
    let folder = TempDir::new().unwrap();
    let archive = archive(folder.path());
    let expected = digest_of(&archive).unwrap();
    // The second finds every layer there.
    for tag in ["v1.0.0", "v1.0.1"] {
        let reference = format!("{}/shop/tool:{tag}", registry.host);
        assert_eq!(push(&archive, &reference, true).await.unwrap(), expected);
        let answer = reqwest::Client::new()
            .head(format!(
                "http://{}/v2/shop/tool/manifests/{tag}",
                registry.host
            ))
            .header("accept", "application/vnd.oci.image.manifest.v1+json")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.headers()["docker-content-digest"],
            expected.to_string()
        );
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named() {
    let folder = TempDir::new().unwrap();
    let archive = archive(folder.path());
    // Port 1 of loopback: nothing listens there.
    let error = push(&archive, "127.0.0.1:1/shop/tool:v1.0.0", true)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Push { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1/shop/tool:v1.0.0"));
}
