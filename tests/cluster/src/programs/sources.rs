//! What the programs are built from, as one number: it changes when any of it does.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::BedError;

/// The hash of the settings, and of the names and contents of `go.mod`, `go.sum` and every Go file.
pub(super) fn stamp(settings: &str, modules: &[PathBuf]) -> Result<String, BedError> {
    let mut hash = Sha256::new();
    hash.update(settings.as_bytes());
    for module in modules {
        let mut files = Vec::new();
        collect(module, &mut files)?;
        files.sort();
        for path in files {
            let bytes = fs::read(&path).map_err(BedError::file("read", &path))?;
            let name = path.strip_prefix(module).unwrap_or(&path);
            hash.update(name.to_string_lossy().as_bytes());
            hash.update([0]);
            hash.update(bytes.len().to_le_bytes());
            hash.update(bytes);
        }
    }
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), BedError> {
    let entries = fs::read_dir(folder).map_err(BedError::file("read the folder", folder))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "go")
            || name == "go.mod"
            || name == "go.sum"
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_source_is_another_stamp_and_others_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let module = [folder.path().to_path_buf()];
        fs::create_dir(folder.path().join("node")).unwrap();
        fs::write(folder.path().join("go.mod"), "module x").unwrap();
        fs::write(folder.path().join("node/main.go"), "package main").unwrap();
        let first = stamp("", &module).unwrap();
        fs::write(folder.path().join("notes.md"), "hello").unwrap();
        assert_eq!(stamp("", &module).unwrap(), first);
        assert_ne!(stamp("other flags", &module).unwrap(), first);
        fs::write(folder.path().join("node/main.go"), "package main // x").unwrap();
        let second = stamp("", &module).unwrap();
        assert_ne!(second, first);
        fs::rename(
            folder.path().join("node/main.go"),
            folder.path().join("node/other.go"),
        )
        .unwrap();
        assert_ne!(stamp("", &module).unwrap(), second);
    }
}
