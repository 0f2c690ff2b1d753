//! Images of the sample.

use std::path::{Path, PathBuf};

use sluice_image::{Digest, ImageSpec};

use crate::{Behaviour, Result};

/// Writes the image of one version as `VERSION.oci.tar` into a folder, and answers path and digest.
/// `program` is the built `sample`; `repository` the image's full name without tag, such as
/// `registry.example.com/shop/storefront`; the tag is the version. All versions share their layers.
pub fn sample_image(
    program: &Path,
    repository: &str,
    version: &str,
    behaviour: &Behaviour,
    folder: &Path,
) -> Result<(PathBuf, Digest)> {
    let mut spec = ImageSpec::new(&format!("{repository}:{version}"), program)
        .label("org.opencontainers.image.title", "sample")
        .label("org.opencontainers.image.version", version)
        .arguments(&["serve"]);
    spec.program_path = "/usr/bin/sample".to_owned();
    spec.env = behaviour.variables(version);
    // It opens no TLS.
    spec.certificates = None;
    let path = folder.join(format!("{version}.oci.tar"));
    let digest = sluice_image::write(&spec, &path)?;
    Ok((path, digest))
}

/// Writes the image of a pod's sandbox, which only waits, to this file. `name` has a tag.
pub fn pause_image(program: &Path, name: &str, path: &Path) -> Result<Digest> {
    let mut spec = ImageSpec::new(name, program)
        .label("org.opencontainers.image.title", "pause")
        .arguments(&["pause"]);
    spec.program_path = "/usr/bin/sample".to_owned();
    spec.certificates = None;
    Ok(sluice_image::write(&spec, path)?)
}
