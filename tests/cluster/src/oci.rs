//! An image of one static program, as an OCI archive: enough for the pause image and for trials.
//! Images of the product come from the crate that builds them; both are imported in the same way.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Tar's unit.
const BLOCK: usize = 512;
/// Where a header's own checksum stands.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A tar that `ctr images import` reads: an image of this name whose only file is the program.
pub fn archive(image: &str, program_name: &str, program: &[u8]) -> Vec<u8> {
    let layer = ended(entry(program_name, program, 0o755));
    let layer_digest = digest(&layer);
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": [format!("/{program_name}")], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let mut named = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    if let Value::Object(fields) = &mut named {
        fields.insert(
            "annotations".into(),
            json!({"io.containerd.image.name": image}),
        );
    }
    let index = json!({"schemaVersion": 2, "manifests": [named]}).to_string();
    let mut out = entry("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644);
    out.extend(entry("index.json", index.as_bytes(), 0o644));
    for blob in [&layer, &config, &manifest] {
        out.extend(entry(
            &format!("blobs/sha256/{}", digest(blob)),
            blob,
            0o644,
        ));
    }
    ended(out)
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": kind,
        "digest": format!("sha256:{}", digest(bytes)),
        "size": bytes.len(),
    })
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The architecture in Go's words, which images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A file as tar writes it. The names are ours and shorter than the 100 bytes that a header has.
fn entry(name: &str, bytes: &[u8], mode: u32) -> Vec<u8> {
    let mut header = vec![0_u8; BLOCK];
    let mut put = |at: usize, text: &str| {
        for (place, byte) in header.iter_mut().skip(at).zip(text.bytes()) {
            *place = byte;
        }
    };
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000"); // owner
    put(116, "0000000"); // group
    put(124, &format!("{:011o}", bytes.len()));
    put(136, "00000000000"); // time: the same bytes give the same digest
    put(156, "0"); // a file
    put(257, "ustar\u{0}00");
    put(CHECKSUM.start, "        "); // it counts as blanks in its own sum
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\u{0} ");
    header.splice(CHECKSUM, sum.bytes());
    header.extend(bytes);
    header.resize(header.len().next_multiple_of(BLOCK), 0);
    header
}

/// With the two empty blocks that end a tar.
fn ended(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 2 * BLOCK, 0);
    tar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_have_the_names_of_their_digests() {
        let tar = archive("sluice.test/x:1", "x", b"#!program");
        assert_eq!(tar.len() % BLOCK, 0);
        assert_eq!(tar, archive("sluice.test/x:1", "x", b"#!program"));
        let mut rest = tar.as_slice();
        let mut blobs = 0;
        while rest[0] != 0 {
            let name = String::from_utf8_lossy(&rest[..100]);
            let size = String::from_utf8_lossy(&rest[124..135]);
            let size = usize::from_str_radix(&size, 8).unwrap();
            let name = name.trim_end_matches('\0');
            if let Some(named) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(named, digest(&rest[BLOCK..BLOCK + size]));
                blobs += 1;
            }
            rest = &rest[BLOCK + size.next_multiple_of(BLOCK)..];
        }
        assert_eq!(blobs, 3);
    }
}
