//! The contract with plugins changes on purpose only.

use std::fmt::Write as _;
use std::fs;

use sha2::{Digest as _, Sha256};

use crate::tree;

/// The hashes of the contract's files, as `sha256sum` prints them.
const HASHES: &str = "docs/wit-0.1.0.sha256";

#[test]
fn the_contract_is_the_one_that_was_written_down() {
    let now: String = tree::ending(".wit")
        .iter()
        .filter(|path| path.starts_with("wit/"))
        .map(|path| {
            let hash = Sha256::digest(fs::read(tree::root().join(path)).unwrap());
            let mut hex = String::new();
            for byte in hash {
                write!(hex, "{byte:02x}").unwrap();
            }
            format!("{hex}  {path}\n")
        })
        .collect();
    assert_eq!(
        tree::read(HASHES),
        now,
        "wit/ has changed. sluice:plugin@0.1.0 is not frozen yet: look at what plugins must change, \
         note it in CHANGELOG.md, then: sha256sum wit/*.wit > {HASHES}"
    );
}

#[test]
fn every_file_of_the_contract_is_of_its_version() {
    let found: Vec<String> = tree::ending(".wit")
        .into_iter()
        .filter(|path| {
            let text = tree::read(path);
            text.lines()
                .any(|line| line.starts_with("package ") && !line.contains("@0.1.0"))
        })
        .collect();
    tree::none(&found, "a new version of the contract is a new folder:");
}
