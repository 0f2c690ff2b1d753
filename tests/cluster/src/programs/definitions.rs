//! The definitions of the Gateway API, which its makers publish as files of a Go module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::own_folder;
use crate::error::{self, BedError};
use crate::need;

/// The Go module, and its version in `gateway/go.mod`.
const MODULE: (&str, &str) = ("sigs.k8s.io/gateway-api", "v1.6.1");
/// The stable part of the API, in the module.
const CHANNEL: &str = "config/crd/standard";
/// Beside definitions there is a policy against older ones.
const DEFINES: &str = "kind: CustomResourceDefinition";

/// Where they are kept, beside the programs.
pub(crate) fn folder(programs: &Path) -> PathBuf {
    programs.join(format!("gateway-api-{}", MODULE.1))
}

/// Brings them there, out of Go's cache of modules.
pub(super) fn copy(programs: &Path) -> Result<(), BedError> {
    let there = folder(programs);
    if there.is_dir() {
        return Ok(());
    }
    let from = module()?.join(CHANNEL);
    // Whole or not at all: what was broken off is not taken for done.
    let half = there.with_extension("half");
    let _ = fs::remove_dir_all(&half);
    fs::create_dir_all(&half).map_err(BedError::file("make the folder", &half))?;
    let entries = fs::read_dir(&from).map_err(BedError::file("read the folder", &from))?;
    let mut copied = 0_u32;
    for entry in entries.flatten() {
        let path = entry.path();
        let text = fs::read_to_string(&path).map_err(BedError::file("read", &path))?;
        if text.lines().any(|line| line == DEFINES) {
            let to = half.join(entry.file_name());
            // Files of the cache are not to be written to; these may be.
            fs::write(&to, text).map_err(BedError::file("write", &to))?;
            copied += 1;
        }
    }
    if copied == 0 {
        return Err(BedError::Absent(format!(
            "{} has no definitions: is {} {} laid out in another way?",
            from.display(),
            MODULE.0,
            MODULE.1
        )));
    }
    fs::rename(&half, &there).map_err(BedError::file("rename to", &there))
}

/// The module's folder, after downloading it where it is not there.
fn module() -> Result<PathBuf, BedError> {
    let output = Command::new("go")
        .current_dir(own_folder().join("gateway"))
        .env("PATH", need::path())
        .args(["mod", "download", "-json", MODULE.0])
        .output()
        .map_err(BedError::start("go"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(BedError::Failed {
            what: format!("go mod download {}", MODULE.0),
            code: output.status.to_string(),
            output: error::tail(&String::from_utf8_lossy(&said)),
        });
    }
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(BedError::document("the answer of go mod download"))?;
    let folder = answer.get("Dir").and_then(Value::as_str);
    folder
        .map(PathBuf::from)
        .ok_or_else(|| BedError::Absent(format!("go mod download names no folder: {answer}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_go_mod_names() {
        let text = fs::read_to_string(own_folder().join("gateway/go.mod")).unwrap();
        assert!(text.contains(&format!("{} {}\n", MODULE.0, MODULE.1)));
    }
}
