//! The contract with plugins: what was released never changes.

use std::fmt::Write as _;
use std::fs;

use sha2::{Digest as _, Sha256};

use crate::tree;

/// The hashes of the released contract's files, as `sha256sum` prints them.
const HASHES: &str = "docs/wit-0.1.0.sha256";
/// What was released as 0.1.0, to the byte.
const RELEASED: &str = "wit/released/0.1.0/";
/// The hash of the list of hashes: whoever changes what was released has to change this test, too.
const SEAL: &str = "7f3773d949781b308417df18f09e1f3c994c960948534a03071dda3c40d41f34";

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(bytes) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

fn files(folder: &str) -> Vec<String> {
    tree::ending(".wit")
        .into_iter()
        .filter(|path| {
            path.strip_prefix(folder)
                .is_some_and(|name| !name.contains('/'))
        })
        .collect()
}

#[test]
fn the_contract_is_the_one_that_was_written_down() {
    let now: String = files(RELEASED)
        .iter()
        .map(|path| {
            let bytes = fs::read(tree::root().join(path)).unwrap();
            format!("{}  {path}\n", hex(&bytes))
        })
        .collect();
    let written = tree::read(HASHES);
    assert_eq!(
        written, now,
        "{RELEASED} has changed. sluice:plugin@0.1.0 is frozen: plugins that people have built stand on \
         it. A change is a new version beside it (CONTRIBUTING.md)"
    );
    assert_eq!(hex(written.as_bytes()), SEAL, "{HASHES} has changed");
}

/// As long as the contract at the top is 0.1.0, it is what was released as that.
#[test]
fn the_version_at_the_top_is_the_released_one() {
    let name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let (top, released) = (files("wit/"), files(RELEASED));
    assert_eq!(
        top.iter().map(name).collect::<Vec<_>>(),
        released.iter().map(name).collect::<Vec<_>>()
    );
    let differ: Vec<String> = top
        .iter()
        .zip(&released)
        .filter(|(a, b)| tree::read(a) != tree::read(b))
        .map(|(a, b)| format!("{a} is not {b}"))
        .collect();
    tree::none(&differ, "another contract needs another version:");
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
