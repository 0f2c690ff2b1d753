//! The lowest layer: what a program of glibc needs besides itself. It changes with the building
//! machine's libraries, not with releases.

use std::path::Path;

use crate::layer::Tree;
use crate::spec::CERTIFICATES;
use crate::{Error, ImageSpec, Result, elf};

/// Where programs expect to write what may be lost.
const TEMPORARY: &str = "/tmp";

/// Libraries, loader, certificate authorities, users, and a folder for temporary files: the last for
/// pods whose root is writable; those with a read-only root mount one there.
pub(crate) fn tree(spec: &ImageSpec) -> Result<Tree> {
    let mut tree = Tree::default();
    for library in elf::libraries(&spec.program)? {
        let bytes = std::fs::read(&library.from).map_err(Error::reading(&library.from))?;
        tree.file(&library.to, 0o755, bytes)?;
    }
    if let Some(path) = &spec.certificates {
        tree.file(CERTIFICATES, 0o644, certificates(path)?)?;
    }
    let user = spec.user;
    let texts = [
        (
            "/etc/passwd",
            format!(
                "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{user}:{user}:nonroot:/:/sbin/nologin\n"
            ),
        ),
        ("/etc/group", format!("root:x:0:\nnonroot:x:{user}:\n")),
        // glibc asks nothing but these two; without the file it would look for more libraries.
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
        ),
    ];
    for (path, text) in texts {
        tree.file(path, 0o644, text.into_bytes())?;
    }
    tree.folder(TEMPORARY, 0o1777)?;
    Ok(tree)
}

/// The bundle, if there is at least one certificate in it.
fn certificates(path: &Path) -> Result<Vec<u8>> {
    let mark = b"-----BEGIN CERTIFICATE-----";
    match std::fs::read(path) {
        Ok(bytes) if bytes.windows(mark.len()).any(|part| part == mark) => Ok(bytes),
        _ => Err(Error::Certificates {
            path: path.to_owned(),
        }),
    }
}
