//! Files that are generated and kept: compared, or written where `UPDATE=1` asks for it.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_path_buf()
}

/// The text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails where the file is not this text.
#[track_caller]
pub(crate) fn same(path: &str, text: &str) {
    if std::env::var("UPDATE").is_ok_and(|v| v == "1") {
        let file = root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        return;
    }
    let kept = fs::read_to_string(root().join(path)).unwrap_or_default();
    let line = kept
        .lines()
        .zip(text.lines())
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| kept.lines().count().min(text.lines().count()));
    assert!(
        kept == text,
        "{path}, line {}: is not what it comes from; UPDATE=1 cargo test -p sluice-charts writes it\n  \
         kept: {:?}\n  now:  {:?}",
        line + 1,
        kept.lines().nth(line),
        text.lines().nth(line),
    );
}
