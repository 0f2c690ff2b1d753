//! What the verbs about registries share: references, words for faults, files.

use std::path::Path;

use sluice_core::port::Registry as _;
use sluice_plugins::{ArtifactFault, ArtifactRef, Card, MAX_COMPONENT_BYTES};
use sluice_registry::OciRegistry;

use super::unreadable;
use crate::exit::Exit;
use crate::failure::Failure;

/// A reference with a digest. Where it has none, the registry is asked, and the answer is what to paste:
/// to go on by a tag would trust whoever may move it.
pub(super) async fn pinned(registry: &OciRegistry, text: &str) -> Result<ArtifactRef, Failure> {
    let problem = match ArtifactRef::parse(text) {
        Ok(reference) => return Ok(reference),
        Err(problem) => problem,
    };
    let failure = Failure::new(
        "usage",
        format!("{text} does not say which plugin is meant"),
    )
    .because(problem)
    .exit(Exit::Usage);
    if text.contains('@') {
        return Err(failure);
    }
    let (repository, tag) = tagged(text);
    let tag = tag.unwrap_or("latest");
    Err(match registry.resolve(repository, tag).await {
        Ok(digest) => failure.change(format!(
            "the tag {tag} is this now; if that is what you mean, write {repository}@{digest}"
        )),
        Err(fault) => failure.because(format!("the registry was asked: {fault}")),
    })
}

/// Repository and tag. A port is a colon too, but no slash follows a tag.
pub(super) fn tagged(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        Some(_) | None => (text, None),
    }
}

/// A fault of a registry as a failure of this command.
pub(super) fn failed(what: &str, place: &str, fault: &ArtifactFault) -> Failure {
    let (code, exit) = match fault {
        ArtifactFault::Missing(_) => ("not-found", Exit::NotDone),
        ArtifactFault::Denied(_) => ("registry-denied", Exit::NotDone),
        ArtifactFault::Layout(_) => ("plugin-layout", Exit::NotDone),
        ArtifactFault::TooLarge(_) => ("plugin-too-large", Exit::NotDone),
        ArtifactFault::Tampered(_) => ("plugin-tampered", Exit::NotDone),
        ArtifactFault::Busy { .. } => ("registry-busy", Exit::CannotTell),
        ArtifactFault::Away(_) => ("registry-away", Exit::CannotTell),
    };
    Failure::new(code, what)
        .at(place)
        .because(fault.to_string())
        .exit(exit)
}

/// The bytes of a component, bounded.
pub(super) fn component(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let cannot = |e: std::io::Error| unreadable(path, &e.to_string());
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        let why = format!("it is larger than {MAX_COMPONENT_BYTES} bytes");
        return Err(unreadable(path, &why));
    }
    Ok(bytes)
}

/// Load checks that said no.
pub(super) fn unfit(what: &str, cards: &[Card]) -> Failure {
    let mut failure = Failure::new("plugin-unfit", what).exit(Exit::NotDone);
    for card in cards {
        failure
            .why
            .extend(card.why.iter().map(|why| format!("[{}] {why}", card.code)));
        failure.place = Some(card.place.clone()).filter(|place| !place.is_empty());
        failure.change = Some(card.change.clone()).filter(|change| !change.is_empty());
    }
    failure
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(tagged("a.example/x:v1"), ("a.example/x", Some("v1")));
        assert_eq!(tagged("a.example:5000/x"), ("a.example:5000/x", None));
        assert_eq!(
            tagged("a.example:5000/x:v1"),
            ("a.example:5000/x", Some("v1"))
        );
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(9_999), "9999 bytes");
        assert_eq!(size(61_440), "61 KB");
        assert_eq!(size(18_400_000), "18 MB");
    }
}
