//! One layer: files in a tar whose bytes depend on the files alone.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::{Digest, Error, Result};

/// A file or an empty folder.
enum Node {
    File { mode: u32, bytes: Vec<u8> },
    Folder { mode: u32 },
}

/// What a layer holds, by path without the leading slash, so in order.
#[derive(Default)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// A layer as it travels.
pub(crate) struct Layer {
    /// Compressed.
    pub(crate) bytes: Vec<u8>,
    /// Of `bytes`.
    pub(crate) digest: Digest,
    /// Of the tar before compression.
    pub(crate) diff_id: Digest,
    /// What it is for; stands in the image's history.
    pub(crate) title: &'static str,
}

impl Tree {
    /// Adds a file, and the folders above it.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<()> {
        let path = self.above(path)?;
        self.nodes.insert(path, Node::File { mode, bytes });
        Ok(())
    }

    /// Adds a folder, and those above it.
    pub(crate) fn folder(&mut self, path: &str, mode: u32) -> Result<()> {
        let path = self.above(path)?;
        self.nodes.insert(path, Node::Folder { mode });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds the folders above a path, and checks it.
    fn above(&mut self, path: &str) -> Result<String> {
        let wrong = Error::Value {
            what: "path in the image",
            value: path.to_owned(),
            why: "write it in full, such as /usr/share/sluice/x, without . and ..",
        };
        let Some(relative) = path.strip_prefix('/') else {
            return Err(wrong);
        };
        let parts: Vec<&str> = relative.split('/').collect();
        if parts
            .iter()
            .any(|part| matches!(*part, "" | "." | "..") || part.contains('\0'))
        {
            return Err(wrong);
        }
        for (end, _) in relative.match_indices('/') {
            let folder = relative.get(..end).unwrap_or_default();
            self.nodes
                .entry(folder.to_owned())
                .or_insert(Node::Folder { mode: 0o755 });
        }
        Ok(relative.to_owned())
    }

    /// Packs it. Memory holds the layer twice; a layer is one program or a few plugins.
    pub(crate) fn pack(self, title: &'static str) -> Result<Layer> {
        let failed = |source| Error::File {
            what: "write",
            path: "(layer in memory)".into(),
            source,
        };
        let mut tar = Builder::new(Vec::new());
        for (path, node) in self.nodes {
            let (kind, mode, bytes, path) = match node {
                Node::File { mode, bytes } => (EntryType::Regular, mode, bytes, path),
                Node::Folder { mode } => {
                    (EntryType::Directory, mode, Vec::new(), format!("{path}/"))
                }
            };
            append(&mut tar, &path, kind, mode, &bytes).map_err(failed)?;
        }
        let plain = tar.into_inner().map_err(failed)?;
        // No name and no time of its own in the header.
        let mut gzip = GzBuilder::new()
            .mtime(0)
            .write(Vec::new(), Compression::new(6));
        gzip.write_all(&plain).map_err(failed)?;
        let bytes = gzip.finish().map_err(failed)?;
        Ok(Layer {
            digest: Digest::of(&bytes),
            diff_id: Digest::of(&plain),
            bytes,
            title,
        })
    }
}

/// Adds one entry whose header has nothing of the building machine in it.
pub(crate) fn append(
    tar: &mut Builder<impl std::io::Write>,
    path: &str,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    // Of 1970: with the time of a release in it, every layer would be new with every release.
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn order_of_adding_does_not_matter() {
        let mut one = Tree::default();
        one.file("/usr/bin/b", 0o755, b"b".to_vec()).unwrap();
        one.file("/etc/a", 0o644, b"a".to_vec()).unwrap();
        let mut two = Tree::default();
        two.file("/etc/a", 0o644, b"a".to_vec()).unwrap();
        two.folder("/usr/bin", 0o755).unwrap();
        two.file("/usr/bin/b", 0o755, b"b".to_vec()).unwrap();
        let (one, two) = (one.pack("x").unwrap(), two.pack("x").unwrap());
        assert_eq!(one.digest, two.digest);
        assert_eq!(one.diff_id, two.diff_id);
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for path in ["etc/a", "/../a", "/a//b", "/a/./b", "/", ""] {
            let error = Tree::default().file(path, 0o644, Vec::new()).unwrap_err();
            assert!(error.to_string().contains("in full"), "{path}: {error}");
        }
    }
}
