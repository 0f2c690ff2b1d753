//! The archive: an OCI image layout in one tar.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use tar::{Builder, EntryType};

use crate::layer::{Layer, Tree, append};
use crate::{Digest, Error, ImageSpec, Result, base, documents, elf};

const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// Writes an image to this file, and answers the digest of its manifest. Layers from below: what the
/// machine gives (libraries, certificates), what belongs to the program (plugins), the program; so a
/// new release pushes little. The file is whole or absent.
pub fn write(spec: &ImageSpec, path: &Path) -> Result<Digest> {
    let program = fs::read(&spec.program).map_err(Error::reading(&spec.program))?;
    let architecture = elf::architecture(&spec.program, &program)?;
    let layers = layers(spec, program)?;
    let config = documents::config(spec, architecture, &layers)?;
    let manifest = documents::manifest(spec, &config, &layers);
    let index = documents::index(spec, architecture, &manifest)?;
    let digest = Digest::of(&manifest);

    let mut blobs = BTreeMap::from([(Digest::of(&config), config), (digest.clone(), manifest)]);
    for layer in layers {
        blobs.insert(layer.digest, layer.bytes);
    }
    let whole = pack(&index, &blobs).map_err(Error::writing(path))?;
    // Of this process alone: two that write the same archive must not mix.
    let part = path.with_extension(format!("part{}", std::process::id()));
    fs::write(&part, whole).map_err(Error::writing(&part))?;
    fs::rename(&part, path).map_err(Error::writing(path))?;
    Ok(digest)
}

fn layers(spec: &ImageSpec, program: Vec<u8>) -> Result<Vec<Layer>> {
    let mut files = Tree::default();
    for file in &spec.files {
        let bytes = fs::read(&file.from).map_err(Error::reading(&file.from))?;
        files.file(&file.to, 0o644, bytes)?;
    }
    let mut top = Tree::default();
    top.file(&spec.program_path, 0o755, program)?;
    [
        ("libraries, certificates, users", base::tree(spec)?),
        ("files of the program", files),
        ("program", top),
    ]
    .into_iter()
    .filter(|(_, tree)| !tree.is_empty())
    .map(|(title, tree)| tree.pack(title))
    .collect()
}

fn pack(index: &[u8], blobs: &BTreeMap<Digest, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let mut file =
        |path: &str, bytes: &[u8]| append(&mut tar, path, EntryType::Regular, 0o644, bytes);
    file("oci-layout", LAYOUT.as_bytes())?;
    file("index.json", index)?;
    for (digest, bytes) in blobs {
        file(&format!("blobs/sha256/{}", digest.hex()), bytes)?;
    }
    tar.into_inner()
}

/// The digest of the image in this archive. Every part is checked against its name.
pub fn digest_of(path: &Path) -> Result<Digest> {
    Ok(Archive::read(path)?.digest)
}

/// Puts the files of the image into this folder, as a runtime does: layer by layer. Owners stay with
/// whoever runs it.
pub fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    for layer in Archive::read(archive)?.layers {
        tar::Archive::new(GzDecoder::new(layer.bytes.as_slice()))
            .unpack(folder)
            .map_err(Error::writing(folder))?;
    }
    Ok(())
}

/// A part with its name.
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// An archive that was read and found whole.
pub(crate) struct Archive {
    /// Of the manifest.
    pub(crate) digest: Digest,
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Blob,
    /// From below.
    pub(crate) layers: Vec<Blob>,
}

impl Archive {
    /// Reads what [`write`] wrote; it must hold one image.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let broken = |why: String| Error::Archive {
            path: path.to_owned(),
            why,
        };
        let mut parts = parts(path)?;
        let index = parts
            .remove("index.json")
            .ok_or_else(|| broken("it has no index.json".to_owned()))?;
        let document = |bytes: &[u8]| -> Result<Value> {
            serde_json::from_slice(bytes).map_err(|e| broken(e.to_string()))
        };
        let mut blob = |descriptor: Option<&Value>| -> Result<Blob> {
            let name = descriptor
                .and_then(|d| d.get("digest"))
                .and_then(Value::as_str)
                .unwrap_or_default();
            let hex = name.trim_start_matches("sha256:");
            let bytes = parts
                .remove(&format!("blobs/sha256/{hex}"))
                .ok_or_else(|| broken(format!("the part {name:?} is missing")))?;
            let digest = Digest::of(&bytes);
            if digest.to_string() == name {
                Ok(Blob { digest, bytes })
            } else {
                Err(broken(format!(
                    "the part {name} has other content: {digest}"
                )))
            }
        };
        let index = document(&index)?;
        let manifest = blob(index.pointer("/manifests/0"))?;
        let document = document(&manifest.bytes)?;
        let config = blob(document.get("config"))?;
        let layers = document.get("layers").and_then(Value::as_array);
        let layers = layers
            .into_iter()
            .flatten()
            .map(|descriptor| blob(Some(descriptor)))
            .collect::<Result<_>>()?;
        Ok(Self {
            digest: manifest.digest,
            manifest: manifest.bytes,
            config,
            layers,
        })
    }
}

fn parts(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let file = File::open(path).map_err(Error::reading(path))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut parts = BTreeMap::new();
    let mut read = || -> std::io::Result<()> {
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            parts.insert(name, bytes);
        }
        Ok(())
    };
    read().map_err(|e| Error::Archive {
        path: path.to_owned(),
        why: e.to_string(),
    })?;
    Ok(parts)
}
