//! The reference would prove nothing if it asked the product.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;

/// What the reference is made of.
const REFERENCE: [&str; 3] = ["src/meaning", "src/meaning.rs", "src/civil.rs"];

fn sources(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

#[test]
fn the_reference_does_not_know_the_product() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = REFERENCE
        .iter()
        .flat_map(|path| sources(&root.join(path)))
        .collect();
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("sluice_core"), "{}", file.display());
    }
}
