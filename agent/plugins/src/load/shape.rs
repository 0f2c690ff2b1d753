//! What a file is, told from its first bytes and its outline, before any parser of weight sees it.
//!
//! "Bad magic number" helped nobody who had saved a web page as plugin (kwctl#101): each mistake that
//! people make has its own words here (plugins.md section 6, check 1; attack 15).

use wasmparser::{Parser, Payload};

use crate::card::Card;

/// Deepest nesting of components and modules. Packers nest two or three levels; tools behind this
/// check walk the levels by recursion.
const MAX_DEPTH: usize = 16;
const MAGIC: &[u8] = b"\0asm";
const REBUILD: &str = "build for wasm32-wasip2, or run `sluice plugin build`";

/// A card if the file cannot be a component.
pub(crate) fn diagnose(bytes: &[u8], file: &str) -> Result<(), Card> {
    let card = |code: &str, why: &str, change: &str| {
        Err(Card::new(code, file).because(why).change(change))
    };
    if bytes.is_empty() {
        return card("plugin/empty", "the file is empty", "copy the plugin again");
    }
    if !bytes.starts_with(MAGIC) {
        return not_wasm(bytes, file);
    }
    match bytes.get(4..8) {
        None => card(
            "plugin/truncated",
            "the file ends within its header",
            "copy it again",
        ),
        Some([1, 0, 0, 0]) => card(
            "plugin/core-module",
            "this is a core WebAssembly module, not a component",
            REBUILD,
        ),
        Some([0x0d, 0, 1, 0]) => outline(bytes.get(8..).unwrap_or_default(), file),
        Some(_) => card(
            "plugin/invalid",
            "this is WebAssembly of a version that this agent does not know",
            REBUILD,
        ),
    }
}

fn not_wasm(bytes: &[u8], file: &str) -> Result<(), Card> {
    let card = |code: &str, why: &str, change: &str| {
        Err(Card::new(code, file).because(why).change(change))
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return card(
            "plugin/compressed",
            "the file is compressed with gzip",
            "run gunzip on it",
        );
    }
    // Zip, zstd, xz, bzip2. Nothing is ever unpacked here: what is small on disk may be large in memory.
    let archives: [&[u8]; 4] = [b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"];
    if archives.iter().any(|magic| bytes.starts_with(magic)) {
        return card("plugin/compressed", "the file is an archive", "unpack it");
    }
    if bytes.starts_with(b"\x7fELF") {
        return card(
            "plugin/precompiled",
            "this is machine code, perhaps a .cwasm; it is never loaded from a folder",
            "put the component itself there; the agent compiles it",
        );
    }
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let start = text
        .trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
        .to_ascii_lowercase();
    if start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml") {
        return card(
            "plugin/html",
            "this is a web page, not a plugin; perhaps a download answered with its login page",
            "download the file itself",
        );
    }
    if start.starts_with("(component") || start.starts_with("(module") || start.starts_with(";;") {
        return card(
            "plugin/text",
            "this is WebAssembly as text",
            "convert it with `wasm-tools parse`",
        );
    }
    if start.starts_with("version https://git-lfs") {
        return card(
            "plugin/text",
            "this is a Git LFS pointer, not the file itself",
            "run `git lfs pull`",
        );
    }
    let readable = head
        .iter()
        .all(|byte| matches!(byte, 9 | 10 | 13 | 32..=126 | 128..=255));
    if readable && std::str::from_utf8(head).is_ok_and(|text| !text.trim().is_empty()) {
        return card(
            "plugin/text",
            "this is a text file, not a plugin",
            "put a component there",
        );
    }
    card(
        "plugin/not-wasm",
        "the file does not begin like WebAssembly",
        REBUILD,
    )
}

/// Walks over the sections without looking into them: sizes must add up, and one of them must hold
/// code.
fn outline(mut rest: &[u8], file: &str) -> Result<(), Card> {
    const CORE_MODULE: u8 = 1;
    const COMPONENT: u8 = 4;
    let mut has_code = false;
    while let Some((&id, after)) = rest.split_first() {
        let Some((size, after)) = leb128(after) else {
            return Err(truncated(file));
        };
        let Some((_, after)) = after.split_at_checked(size) else {
            return Err(truncated(file));
        };
        has_code |= id == CORE_MODULE || id == COMPONENT;
        rest = after;
    }
    if has_code {
        return Ok(());
    }
    Err(Card::new("plugin/wit-package", file)
        .because("it holds interfaces but no code: a WIT package, or an empty component")
        .change("put the component there that implements the interfaces"))
}

/// Refuses components that are nested too deep.
pub(crate) fn depth(bytes: &[u8], file: &str) -> Result<(), Card> {
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ComponentSection { .. } | Payload::ModuleSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            // The validator says it better.
            Err(_) => return Ok(()),
        }
        if depth > MAX_DEPTH {
            return Err(Card::new("plugin/invalid", file)
                .because(format!(
                    "components are nested more than {MAX_DEPTH} levels deep"
                ))
                .change(REBUILD));
        }
    }
    Ok(())
}

fn truncated(file: &str) -> Card {
    Card::new("plugin/truncated", file)
        .because("the file ends before its last section does; it may still be being copied")
        .change("copy it again; copy under another name and rename, then no half file is seen")
}

/// An unsigned 32-bit LEB128 number.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(bytes: &[u8]) -> String {
        diagnose(bytes, "x.wasm").map_or_else(|card| card.code, |()| "component".to_owned())
    }

    #[test]
    fn every_mistake_has_its_own_word() {
        let component = [b"\0asm\x0d\0\x01\0".as_slice(), &[1, 2, 0, 0]].concat();
        for (bytes, expected) in [
            (&b""[..], "plugin/empty"),
            (b"\0asm", "plugin/truncated"),
            (b"\0asm\x01\0\0\0", "plugin/core-module"),
            (b"\0asm\x02\0\x01\0", "plugin/invalid"),
            (b"\0asm\x0d\0\x01\0", "plugin/wit-package"),
            (b"\0asm\x0d\0\x01\0\x07\x01\0", "plugin/wit-package"),
            (&component, "component"),
            (&component[..11], "plugin/truncated"),
            (
                b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f",
                "plugin/truncated",
            ),
            (
                b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\xff\xff",
                "plugin/truncated",
            ),
            (b"\x1f\x8b\x08\0", "plugin/compressed"),
            (b"PK\x03\x04", "plugin/compressed"),
            (b"\x7fELF\x02", "plugin/precompiled"),
            (b"\n<!DOCTYPE html><html>", "plugin/html"),
            (b"<HTML>", "plugin/html"),
            (b"(module)", "plugin/text"),
            (b" (component)", "plugin/text"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "plugin/text",
            ),
            (b"hello\n", "plugin/text"),
            (b"\x01\x02\x03\x04", "plugin/not-wasm"),
            (b"\n\n", "plugin/not-wasm"),
        ] {
            assert_eq!(code(bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_verdict(bytes in any::<Vec<u8>>(), magic in any::<bool>()) {
            let bytes = if magic { [b"\0asm\x0d\0\x01\0".as_slice(), &bytes].concat() } else { bytes };
            let _ = diagnose(&bytes, "x.wasm");
        }
    }
}
