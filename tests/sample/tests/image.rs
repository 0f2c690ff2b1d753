//! Images of the sample, and the program inside them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sluice_sample::{Behaviour, pause_image, sample_image};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sample");
const REPOSITORY: &str = "registry.example.com/shop/storefront";

#[test]
fn versions_have_their_own_digests_and_the_same_layers() {
    let folder = TempDir::new().unwrap();
    // A small program that every machine has, in place of the sample.
    let program = std::fs::canonicalize("/bin/sh").unwrap();
    let write = |version: &str, behaviour: &Behaviour| {
        sample_image(&program, REPOSITORY, version, behaviour, folder.path()).unwrap()
    };
    let (path, good) = write("v1.0.0", &Behaviour::good());
    assert!(path.ends_with("v1.0.0.oci.tar"));
    assert_eq!(sluice_image::digest_of(&path).unwrap(), good);
    let (again, same) = write("v1.0.0", &Behaviour::good());
    assert_eq!((again, same), (path.clone(), good.clone()));
    let (bad, other) = write("v1.1.0", &Behaviour::unhealthy_in_production());
    assert_ne!(other, good);
    let layers = |path: &Path| {
        let mut tar = tar_list(path);
        tar.retain(|(_, size)| *size > 50_000);
        tar
    };
    assert_eq!(layers(&path), layers(&bad));
}

/// Name and size of each file in a tar.
fn tar_list(path: &Path) -> Vec<(String, u64)> {
    let output = Command::new("tar").arg("tvf").arg(path).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[5].to_owned(), words[2].parse().unwrap())
        })
        .collect()
}

fn start(arguments: &[&str]) -> Child {
    Command::new(PROGRAM)
        .args(arguments)
        .env("SAMPLE_LISTEN", "127.0.0.1:0")
        .env("DRAIN_SECONDS", "0.2")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Tells it to stop, and answers whether it ended well, in time.
fn terminated(mut child: Child) -> bool {
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(10) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

#[test]
fn the_sandbox_waits_for_sigterm() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pause.oci.tar");
    let program = std::fs::canonicalize("/bin/sh").unwrap();
    let digest = pause_image(&program, "registry.example.com/pause:v1", &path).unwrap();
    assert_eq!(sluice_image::digest_of(&path).unwrap(), digest);
    let mut child = start(&["pause"]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    assert!(terminated(child));
}

#[test]
fn the_service_ends_well_at_sigterm() {
    let mut child = start(&["serve"]);
    let mut line = String::new();
    // It listens, so its handlers are there.
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("v0.0.0 on "), "{line}");
    assert!(terminated(child));
}

/// A Job with these arguments and variables: its code, what it logged, and its message.
fn job(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, Option<String>) {
    let folder = TempDir::new().unwrap();
    let message = folder.path().join("termination-log");
    let output = Command::new(PROGRAM)
        .arg("job")
        .args(arguments)
        .arg("--termination-log")
        .arg(&message)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let logged = String::from_utf8(output.stdout).unwrap();
    let message = std::fs::read_to_string(message).ok();
    (output.status.code().unwrap(), logged, message)
}

#[test]
fn a_job_logs_leaves_a_message_and_ends_with_its_code() {
    let facts = [
        ("SAMPLE_VERSION", "v1.2.0"),
        ("SLUICE_HOOK", "migrate"),
        ("SLUICE_IDEMPOTENCY_KEY", "k-1"),
    ];
    let (code, logged, message) = job(&["--log", "one", "--log", "two"], &facts);
    let first = "job of v1.2.0 SLUICE_HOOK=migrate SLUICE_IDEMPOTENCY_KEY=k-1";
    assert_eq!(logged, format!("{first}\none\ntwo\n"));
    assert_eq!((code, message), (0, None));

    let result = r#"{"verified": true}"#;
    let (code, _, message) = job(&["--message", result, "--exit-code", "3"], &[]);
    assert_eq!((code, message.as_deref()), (3, Some(result)));

    // What a version's image says, unless the template's arguments say something else.
    let variables = Behaviour::broken_jobs().variables("v1.3.0");
    let broken: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(job(&[], &broken).0, 1);
    assert_eq!(job(&["--exit-code", "0"], &broken).0, 0);
}

#[test]
fn a_job_that_is_told_to_stop_is_no_success() {
    let mut child = start(&["job", "--seconds", "60"]);
    // Held to the end: it says there that it was told.
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("job of "), "{line}");
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn the_client_prints_its_total_at_sigterm() {
    // Port 1 of loopback: nothing listens there.
    let mut child = start(&[
        "load",
        "--url",
        "http://127.0.0.1:1/",
        "--rate",
        "20",
        "--seconds",
        "60",
    ]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("\"refused\""), "{first}");
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).last());
    assert!(terminated(child));
    let last = reader.join().unwrap().unwrap();
    assert!(last.starts_with("{\"total\":"), "{last}");
}
