//! A transparency log as Rekor 1 is one: it signs the time of each entry, and the root of its tree.

use serde_json::{Value, json};

use super::key::Key;
use super::{base64, hex, sha256};

/// The log's tree is a part of all that it ever recorded, as Rekor's shards are.
const OLDER: u64 = 1000;

/// A log with a few entries of others.
pub struct Transparency {
    key: Key,
}

/// What the log answers to a new entry. Every part can be changed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The id of the log.
    pub log_id: [u8; 32],
    /// The number of the entry among all.
    pub index: u64,
    /// When it was taken, in seconds since 1970.
    pub seconds: u64,
    /// The entry, in base64.
    pub body: String,
    /// The log's signature over the above.
    pub promise: Vec<u8>,
    /// The number of the entry in the tree.
    pub tree_index: u64,
    /// How many entries the tree has.
    pub tree_size: u64,
    /// The root of the tree.
    pub root: [u8; 32],
    /// The hashes on the way from the entry to the root.
    pub path: Vec<[u8; 32]>,
    /// The log's signed word about size and root.
    pub checkpoint: String,
}

impl Transparency {
    pub(super) fn new() -> Self {
        Self { key: Key::p256() }
    }

    /// The log's key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Records an entry at this time.
    #[must_use]
    pub fn record(&self, body: &Value, seconds: u64) -> Entry {
        let bytes = body.to_string().into_bytes();
        let mut leaves: Vec<[u8; 32]> = (0..11_u8).map(|n| sha256(&[&[0, n]])).collect();
        let tree_index = 6;
        leaves.insert(tree_index, sha256(&[&[0], &bytes]));
        let (root, path) = tree(&leaves, tree_index);
        let log_id = sha256(&[&self.key.public_der()]);
        let mut entry = Entry {
            log_id,
            index: OLDER + tree_index as u64,
            seconds,
            body: base64(bytes),
            promise: Vec::new(),
            tree_index: tree_index as u64,
            tree_size: leaves.len() as u64,
            root,
            path,
            checkpoint: String::new(),
        };
        self.promise(&mut entry);
        let text = format!("log.example.com - 1\n{}\n{}\n", leaves.len(), base64(root));
        let signature = [&log_id[..4], &self.key.sign(text.as_bytes())].concat();
        entry.checkpoint = format!("{text}\n\u{2014} log.example.com {}\n", base64(signature));
        entry
    }

    /// Signs an entry anew, whatever is in it.
    pub fn promise(&self, entry: &mut Entry) {
        let signed = json!({
            "body": entry.body, "integratedTime": entry.seconds,
            "logID": hex(&entry.log_id), "logIndex": entry.index,
        });
        // Sorted keys and no spaces: this is its canonical form, too.
        entry.promise = self.key.sign(signed.to_string().as_bytes());
    }
}

impl Entry {
    /// As it stands in a bundle.
    #[must_use]
    pub fn in_bundle(&self) -> Value {
        json!({
            "logIndex": self.index.to_string(),
            "logId": {"keyId": base64(self.log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": self.seconds.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": base64(&self.promise)},
            "inclusionProof": {
                "logIndex": self.tree_index.to_string(),
                "rootHash": base64(self.root),
                "treeSize": self.tree_size.to_string(),
                "hashes": self.path.iter().map(base64).collect::<Vec<_>>(),
                "checkpoint": {"envelope": self.checkpoint},
            },
            "canonicalizedBody": self.body,
        })
    }

    /// As it stands in the annotation of an attached signature.
    #[must_use]
    pub fn in_annotation(&self) -> String {
        json!({
            "SignedEntryTimestamp": base64(&self.promise),
            "Payload": {
                "body": self.body, "integratedTime": self.seconds,
                "logIndex": self.index, "logID": hex(&self.log_id),
            },
        })
        .to_string()
    }
}

/// Root of a tree and path to one of its leaves, by the definition in RFC 6962.
fn tree(leaves: &[[u8; 32]], index: usize) -> ([u8; 32], Vec<[u8; 32]>) {
    if let [only] = leaves {
        return (*only, Vec::new());
    }
    let half = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(half);
    let (mut path, sibling, root) = if index < half {
        let (inner, path) = tree(left, index);
        let (sibling, _) = tree(right, 0);
        (path, sibling, sha256(&[&[1], &inner, &sibling]))
    } else {
        let (inner, path) = tree(right, index - half);
        let (sibling, _) = tree(left, 0);
        (path, sibling, sha256(&[&[1], &sibling, &inner]))
    };
    path.push(sibling);
    (root, path)
}
