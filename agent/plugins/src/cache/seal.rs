//! The seal of a cached file: AES-256-GCM, chunk by chunk, with a key that this process drew and
//! nobody else knows.
//!
//! A broken seal is what matters; that nobody can read the code either costs nothing. (HMAC-SHA256
//! would authenticate as well, and takes five times as long for the 35 MB of a Python plugin.) No
//! byte leaves before the seal of its chunk held, and no chunk fits at another place, under another
//! name or in a file of another length.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::code::{Code, Draft, MAX_CODE_BYTES};

/// Says what the file is, to people. Length and number follow, eight bytes each.
const HEAD: &[u8; 16] = b"sluice-sealed-01";
const HEAD_BYTES: usize = HEAD.len() + 16;
/// Small enough to stay in the processor's cache between reading, opening and writing.
const CHUNK: usize = 256 << 10;
const TAG: usize = 16;

/// Why a sealed file is not opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Somebody else wrote it, or changed it.
    Seal,
    /// This machine failed.
    Machine(io::ErrorKind),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::Seal,
            kind => Broken::Machine(kind),
        }
    }
}

/// What a file of so much code has on disk.
pub(super) fn sealed_size(code: u64) -> u64 {
    code + code.div_ceil(CHUNK as u64) * TAG as u64 + HEAD_BYTES as u64
}

/// One key a process, so that all its hosts can use what one of them compiled. `None` where the
/// machine has no randomness: then nothing is kept.
fn key() -> Option<&'static LessSafeKey> {
    static KEY: OnceLock<Option<LessSafeKey>> = OnceLock::new();
    KEY.get_or_init(drawn).as_ref()
}

fn drawn() -> Option<LessSafeKey> {
    let mut bytes = [0u8; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    let key = UnboundKey::new(&AES_256_GCM, &bytes).ok()?;
    Some(LessSafeKey::new(key))
}

/// A number that no other file of this process has: nonces must not repeat under one key.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn nonce(number: u64, chunk: u32) -> Nonce {
    let mut bytes = [0u8; NONCE_LEN];
    for (to, from) in bytes
        .iter_mut()
        .zip(number.to_le_bytes().into_iter().chain(chunk.to_le_bytes()))
    {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Where each chunk begins, and how long it is.
fn chunks(size: u64) -> impl Iterator<Item = (u32, u64, usize)> {
    let step = CHUNK as u64;
    (0u32..)
        .zip((0..size).step_by(CHUNK))
        .map(move |(index, at)| (index, at, (size - at).min(step) as usize))
}

fn about(name: &str, size: u64) -> Vec<u8> {
    [&size.to_le_bytes(), name.as_bytes()].concat()
}

/// Writes the code under seal.
pub(super) fn seal(name: &str, code: &Code, file: &mut File) -> io::Result<()> {
    let key = key().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    seal_with(key, name, code, file)
}

fn seal_with(key: &LessSafeKey, name: &str, code: &Code, file: &mut File) -> io::Result<()> {
    let (number, size) = (number(), code.size());
    file.write_all(HEAD)?;
    file.write_all(&size.to_le_bytes())?;
    file.write_all(&number.to_le_bytes())?;
    let about = about(name, size);
    let mut chunk = Vec::with_capacity(CHUNK + TAG);
    for (index, at, length) in chunks(size) {
        chunk.resize(length, 0);
        code.read_at(&mut chunk, at)?;
        key.seal_in_place_append_tag(nonce(number, index), Aad::from(&about), &mut chunk)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        file.write_all(&chunk)?;
    }
    Ok(())
}

/// Reads a sealed file of this size, once and from its start.
pub(super) fn open(name: &str, file: &mut File, file_size: u64) -> Result<Code, Broken> {
    let key = key().ok_or(Broken::Seal)?;
    let mut head = [0u8; HEAD.len()];
    let mut figure = [0u8; 8];
    file.read_exact(&mut head)?;
    file.read_exact(&mut figure)?;
    let size = u64::from_le_bytes(figure);
    file.read_exact(&mut figure)?;
    let number = u64::from_le_bytes(figure);
    if &head != HEAD || size > MAX_CODE_BYTES || sealed_size(size) != file_size {
        return Err(Broken::Seal);
    }
    let mut draft = Draft::new()?;
    let about = about(name, size);
    let mut chunk = Vec::with_capacity(CHUNK + TAG);
    for (index, _, length) in chunks(size) {
        chunk.resize(length + TAG, 0);
        file.read_exact(&mut chunk)?;
        let plain = key
            .open_in_place(nonce(number, index), Aad::from(&about), &mut chunk)
            .map_err(|_| Broken::Seal)?;
        draft.append(plain)?;
    }
    draft.finish().map_err(|_| Broken::Seal)
}

/// The file name for a key of the cache: it begins with a mark of this process, so that the next one
/// knows what is of no use to it.
pub(super) fn file_name(name: &str) -> String {
    format!("{}-{name}", mark())
}

/// Whether this process wrote a file of that name.
pub(super) fn is_own_name(name: &str) -> bool {
    name.starts_with(mark())
}

/// Drawn, because process ids come again, in containers at once.
fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| {
        let mut bytes = [0u8; 8];
        // Without randomness there is no key, and nothing is written that needed a mark.
        let _ = SystemRandom::new().fill(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;

    #[test]
    fn attack_18_the_seal_of_another_process_is_none() {
        let mut draft = Draft::new().unwrap();
        draft.append(&[1; 1000]).unwrap();
        let code = draft.finish().unwrap();
        let (ours, theirs) = (drawn().unwrap(), drawn().unwrap());
        for (key, opens) in [(&ours, false), (&theirs, false), (key().unwrap(), true)] {
            let mut file = tempfile::tempfile().unwrap();
            seal_with(key, "a", &code, &mut file).unwrap();
            file.rewind().unwrap();
            let opened = open("a", &mut file, sealed_size(1000));
            assert_eq!(opened.map(|code| code.size()).ok(), opens.then_some(1000));
        }
    }

    #[test]
    fn no_two_files_share_a_nonce() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10 {
            let number = number();
            for chunk in [0, 1, u32::MAX] {
                assert!(seen.insert(nonce(number, chunk).as_ref().to_vec()));
            }
        }
    }
}
