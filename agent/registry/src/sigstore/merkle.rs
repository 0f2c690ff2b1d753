//! Proofs that a log has an entry (RFC 6962, section 2.1), and the log's signed word about its size.

use super::sha256;
use super::trust::Log;
use crate::signature::Refused;

/// A path through a tree of 2^64 entries.
const MOST_HASHES: usize = 64;
/// Signatures below a checkpoint: the log's, and those of a few witnesses.
const MOST_CO_SIGNERS: usize = 16;

/// The root of the tree of this size that has this entry at this index.
pub(super) fn root(
    entry: &[u8],
    index: u64,
    size: u64,
    path: &[[u8; 32]],
) -> Result<[u8; 32], Refused> {
    let wrong = || Refused::new("the log's proof does not fit its tree");
    if index >= size || path.len() > MOST_HASHES {
        return Err(wrong());
    }
    let mut hash = sha256(&[&[0], entry]);
    let (mut node, mut last) = (index, size - 1);
    for sibling in path {
        if last == 0 {
            return Err(wrong());
        }
        if node % 2 == 1 || node == last {
            hash = sha256(&[&[1], sibling, &hash]);
            // A last node without a sibling moves up as it is.
            while node.is_multiple_of(2) && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            hash = sha256(&[&[1], &hash, sibling]);
        }
        node /= 2;
        last /= 2;
    }
    if last == 0 { Ok(hash) } else { Err(wrong()) }
}

/// `Ok` where the checkpoint is signed by this log and says this size and root.
pub(super) fn checkpoint(note: &str, log: &Log, size: u64, root: &[u8; 32]) -> Result<(), Refused> {
    let unsigned = || Refused::new("the log's checkpoint is not signed by the log");
    let (text, signatures) = note.split_once("\n\n").ok_or_else(unsigned)?;
    let mut lines = text.lines().skip(1);
    let says_size = lines.next().and_then(|line| line.parse::<u64>().ok());
    let says_root = lines
        .next()
        .map(|line| super::base64("the checkpoint's root", line))
        .transpose()?;
    if says_size != Some(size) || says_root.as_deref() != Some(root.as_slice()) {
        return Err(Refused::new("the log's checkpoint is of another tree"));
    }
    let signed = format!("{text}\n");
    let hint = log.id.get(..4).ok_or_else(unsigned)?;
    for line in signatures.lines().take(MOST_CO_SIGNERS) {
        let Some((_, blob)) = line
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.rsplit_once(' '))
        else {
            continue;
        };
        let blob = super::base64("a signature of the checkpoint", blob)?;
        if let Some(signature) = blob.strip_prefix(hint) {
            return log.key.verify(signed.as_bytes(), signature);
        }
    }
    Err(unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(entry: &[u8]) -> [u8; 32] {
        sha256(&[&[0], entry])
    }

    /// Root and path by the definition in the RFC: slow, and plainly right.
    fn tree(leaves: &[[u8; 32]], index: usize) -> ([u8; 32], Vec<[u8; 32]>) {
        if leaves.len() == 1 {
            return (leaves[0], Vec::new());
        }
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        let inside = if index < half { index } else { index - half };
        let (left_root, left_path) = tree(left, if index < half { inside } else { 0 });
        let (right_root, right_path) = tree(right, if index < half { 0 } else { inside });
        let root = sha256(&[&[1], &left_root, &right_root]);
        let (mut path, sibling) = if index < half {
            (left_path, right_root)
        } else {
            (right_path, left_root)
        };
        path.push(sibling);
        (root, path)
    }

    #[test]
    fn every_entry_of_every_small_tree_is_proven_and_no_other() {
        for size in 1_usize..=33 {
            let entries: Vec<Vec<u8>> = (0..size).map(|n| vec![u8::try_from(n).unwrap()]).collect();
            let leaves: Vec<_> = entries.iter().map(|entry| leaf(entry)).collect();
            for (index, entry) in entries.iter().enumerate() {
                let (expected, path) = tree(&leaves, index);
                let of = |entry: &[u8], index: usize, size: usize, path: &[[u8; 32]]| {
                    root(entry, index as u64, size as u64, path).ok()
                };
                assert_eq!(of(entry, index, size, &path), Some(expected));
                assert_ne!(of(b"another", index, size, &path), Some(expected));
                for other in (0..size).filter(|other| *other != index) {
                    assert_ne!(of(entry, other, size, &path), Some(expected));
                }
                let mut longer = path.clone();
                longer.push([0; 32]);
                assert_eq!(of(entry, index, size, &longer), None);
                if !path.is_empty() {
                    assert_eq!(of(entry, index, size, &path[1..]), None);
                }
            }
        }
        assert!(root(b"x", 1, 1, &[]).is_err());
        assert!(root(b"x", 0, 0, &[]).is_err());
        assert!(root(b"x", 0, u64::MAX, &[[0; 32]; 65]).is_err());
    }
}
