//! What the build script embeds.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The files below this folder of the repository, by their paths within it.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(path, content)| {
        let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
        Some((rest, *content))
    })
}

/// The text of one file.
pub(super) fn text(path: &str) -> Option<&'static str> {
    let (_, content) = FILES.iter().find(|(known, _)| *known == path)?;
    std::str::from_utf8(content).ok()
}
