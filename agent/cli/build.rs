//! Embeds what `sluice plugin new` writes: the templates, the SDKs and the contract, as they are in
//! this tree. Whatever lies in these folders is embedded, so that nothing can be forgotten.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// From the root of the repository. The first holds the versions that the others inherit.
const EMBEDDED: [&str; 10] = [
    "Cargo.toml",
    "sdk/Cargo.toml",
    "sdk/case/Cargo.toml",
    "sdk/case/src",
    "sdk/examples",
    "sdk/javascript",
    "sdk/python",
    "sdk/src",
    "sdk/templates",
    "wit",
];
/// What tools leave behind, should somebody build in there.
const BUILT: [&str; 5] = ["__pycache__", "build", "node_modules", "target", "venv"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?)
        .ancestors()
        .nth(2)
        .ok_or("this crate lies two folders below the root")?
        .to_path_buf();
    let mut files = Vec::new();
    for name in EMBEDDED {
        println!("cargo::rerun-if-changed={}", root.join(name).display());
        collect(&root, Path::new(name), &mut files)?;
    }
    files.sort();
    let mut code = String::from("/// Path from the root of the repository, and content.\n");
    writeln!(code, "static FILES: [(&str, &[u8]); {}] = [", files.len())?;
    for file in &files {
        let name = file.to_str().ok_or("names are UTF-8")?;
        let from = root.join(file);
        writeln!(code, "    ({name:?}, include_bytes!({from:?})),")?;
    }
    code += "];\n";
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("embedded.rs");
    std::fs::write(out, code)?;
    Ok(())
}

fn collect(root: &Path, name: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let path = root.join(name);
    if path.is_file() {
        files.push(name.to_path_buf());
        return Ok(());
    }
    if !path.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let file = entry.file_name();
        let file = file.to_str().ok_or("names are UTF-8")?;
        if !BUILT.contains(&file) && !file.ends_with(".wasm") && !file.ends_with(".pyc") {
            collect(root, &name.join(file), files)?;
        }
    }
    Ok(())
}
