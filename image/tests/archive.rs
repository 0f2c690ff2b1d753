//! Archives of real programs: a shell, and this crate's own tool.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sluice_image::{Error, ImageSpec, digest_of, unpack, write};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_sluice-image");

/// A small program that every machine has, where any will do: it is packed in no time.
fn shell() -> PathBuf {
    fs::canonicalize("/bin/sh").unwrap()
}

fn spec(folder: &Path, program: &Path) -> ImageSpec {
    let plugin = folder.join("plugin.bin");
    fs::write(&plugin, b"a plugin").unwrap();
    let certificates = folder.join("ca.crt");
    fs::write(&certificates, b"-----BEGIN CERTIFICATE-----\n").unwrap();
    let mut spec = ImageSpec::new("registry.example.com/tool:v1.0.0", program)
        .file(&plugin, "/usr/share/tool/plugin.bin")
        .variable("GREETING", "hello")
        .label("org.opencontainers.image.version", "1.0.0")
        .arguments(&["--version"]);
    spec.created = 1_700_000_000;
    spec.certificates = Some(certificates);
    spec
}

fn part(archive: &Path, name: &str) -> serde_json::Value {
    let mut tar = tar::Archive::new(fs::File::open(archive).unwrap());
    let mut entry = tar
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.path().unwrap().to_str() == Some(name))
        .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn blob(descriptor: &serde_json::Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap();
    digest.replace("sha256:", "blobs/sha256/")
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (folder.path().join("one.oci"), folder.path().join("two.oci"));
    let digest = write(&spec(folder.path(), &shell()), &one).unwrap();
    // Files are written anew in between: their times are other ones.
    assert_eq!(write(&spec(folder.path(), &shell()), &two).unwrap(), digest);
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    assert_eq!(digest_of(&one).unwrap(), digest);

    let other = spec(folder.path(), &shell()).variable("GREETING", "bye");
    assert_ne!(write(&other, &two).unwrap(), digest);
}

/// Nothing of a release's own is in the layers that did not change.
#[test]
fn another_release_brings_its_program_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tool.oci");
    let layers = |spec: &ImageSpec| {
        write(spec, &path).unwrap();
        let descriptor = part(&path, "index.json")["manifests"][0].clone();
        part(&path, &blob(&descriptor))["layers"].clone()
    };
    let before = layers(&spec(folder.path(), &shell()));
    let program = folder.path().join("next");
    let mut bytes = fs::read(shell()).unwrap();
    bytes.push(0);
    fs::write(&program, bytes).unwrap();
    fs::set_permissions(&program, fs::metadata(shell()).unwrap().permissions()).unwrap();
    let mut next = spec(folder.path(), &program).label("org.opencontainers.image.version", "1.0.1");
    next.name = "registry.example.com/tool:v1.0.1".to_owned();
    next.created += 3600;
    let after = layers(&next);
    assert_eq!(before[0], after[0], "libraries");
    assert_eq!(before[1], after[1], "plugins");
    assert_ne!(before[2], after[2], "program");
}

#[test]
fn the_documents_are_what_a_runtime_reads() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tool.oci");
    let digest = write(&spec(folder.path(), &shell()), &path).unwrap();
    assert_eq!(part(&path, "oci-layout")["imageLayoutVersion"], "1.0.0");
    let descriptor = part(&path, "index.json")["manifests"][0].clone();
    assert_eq!(descriptor["digest"], digest.to_string());
    assert_eq!(
        descriptor["annotations"]["io.containerd.image.name"],
        "registry.example.com/tool:v1.0.0"
    );
    assert_eq!(
        descriptor["annotations"]["org.opencontainers.image.ref.name"],
        "v1.0.0"
    );
    let manifest = part(&path, &blob(&descriptor));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    let config = part(&path, &blob(&manifest["config"]));
    assert_eq!(config["os"], "linux");
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 3);
    let config = &config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(
        config["Entrypoint"][0],
        format!("/usr/bin/{}", shell().file_name().unwrap().display())
    );
    assert_eq!(config["Cmd"][0], "--version");
    assert_eq!(config["Env"][1], "GREETING=hello");
    assert_eq!(
        config["Labels"]["org.opencontainers.image.version"],
        "1.0.0"
    );
}

/// The libraries are all there: the program runs with the image as its whole world.
#[test]
fn the_program_runs_inside_the_image_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tool.oci");
    write(&spec(folder.path(), Path::new(PROGRAM)), &path).unwrap();
    let root = folder.path().join("root");
    unpack(&path, &root).unwrap();
    assert_eq!(
        fs::read(root.join("usr/share/tool/plugin.bin")).unwrap(),
        b"a plugin"
    );
    assert!(root.join("etc/ssl/certs/ca-certificates.crt").exists());
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
    assert!(passwd.contains(":65532:65532:"), "{passwd}");

    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        println!(
            "not run: chroot needs root; files were compared only. As root: cargo test -p sluice-image"
        );
        return;
    }
    let output = Command::new("chroot")
        .args(["--userspec=65532:65532"])
        .arg(&root)
        .args(["/usr/bin/sluice-image", "--version"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.starts_with("sluice-image 0."),
        "{said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_damaged_archive_is_noticed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tool.oci");
    write(&spec(folder.path(), &shell()), &path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = digest_of(&path).unwrap_err();
    assert!(matches!(error, Error::Archive { .. }), "{error}");
    fs::write(&path, &bytes[..middle]).unwrap();
    assert!(digest_of(&path).is_err());
}

#[test]
fn what_is_missing_is_named() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("tool.oci");
    let mut wrong = spec(folder.path(), &shell());
    wrong.certificates = Some(folder.path().join("none.crt"));
    let error = write(&wrong, &out).unwrap_err().to_string();
    assert!(
        error.contains("none.crt") && error.contains("ca-certificates"),
        "{error}"
    );
    let script = folder.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let error = write(&ImageSpec::new("r.example.com/x:v1", &script), &out).unwrap_err();
    assert!(matches!(error, Error::Program { .. }), "{error}");
    assert!(!out.exists(), "a failed write leaves no archive");
}
