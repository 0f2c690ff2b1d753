//! What stands in a component, read without running it.

use wasmparser::{Parser, Payload};

/// Section of the manifest, which the host reads.
pub(crate) const MANIFEST: &str = "sluice:manifest";
/// Section of the JSON Schema of the settings, for people and editors.
pub(crate) const SCHEMA: &str = "sluice:settings-schema";

/// Imports and exports of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anatomy {
    /// Interfaces that it calls, sorted.
    pub(crate) imports: Vec<String>,
    /// Interfaces that it offers, sorted.
    pub(crate) exports: Vec<String>,
}

impl Anatomy {
    /// Of the component's own level: what lies within it is its own affair.
    pub(crate) fn of(component: &[u8]) -> Anatomy {
        let mut found = Anatomy::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    let names = section.into_iter().map_while(Result::ok);
                    found.imports.extend(names.map(|i| i.name.name.to_owned()));
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    let names = section.into_iter().map_while(Result::ok);
                    found.exports.extend(names.map(|e| e.name.name.to_owned()));
                }
                _ => {}
            }
        }
        found.imports.sort();
        found.exports.sort();
        found
    }

    /// The custom sections of this name, on every level.
    pub(crate) fn sections<'c>(component: &'c [u8], name: &str) -> Vec<&'c [u8]> {
        Parser::new(0)
            .parse_all(component)
            .map_while(Result::ok)
            .filter_map(|payload| match payload {
                Payload::CustomSection(section) if section.name() == name => Some(section.data()),
                _ => None,
            })
            .collect()
    }

    /// The imports that let it do something: the host's, and WASI's HTTP. The rest of WASI is linked,
    /// and closed.
    pub(crate) fn permissions(&self) -> Vec<&str> {
        let telling = |name: &&String| {
            let plain = name.starts_with("sluice:plugin/types")
                || name.starts_with("sluice:plugin/context")
                || name.starts_with("wasi:http/types");
            (name.starts_with("sluice:plugin/") || name.starts_with("wasi:http/")) && !plain
        };
        self.imports
            .iter()
            .filter(telling)
            .map(String::as_str)
            .collect()
    }

    /// The same for people.
    pub(crate) fn permissions_text(&self) -> String {
        let permissions = self.permissions();
        if permissions.is_empty() {
            "nothing: it answers from what it is given".into()
        } else {
            permissions.join(", ")
        }
    }
}

/// The component with one more custom section, at its own level.
pub(crate) fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(name.len() + data.len() + 5);
    leb128(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    let mut out = Vec::with_capacity(component.len() + body.len() + 6);
    out.extend_from_slice(component);
    // The id of custom sections.
    out.push(0);
    leb128(&mut out, body.len());
    out.extend_from_slice(&body);
    out
}

/// An unsigned number as the binary format writes it.
fn leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        // Seven bits fit a byte.
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest component: magic and version.
    const EMPTY: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    #[test]
    fn a_section_that_was_added_is_found() {
        for length in [0, 1, 127, 128, 40_000] {
            let data = vec![7; length];
            let component = with_section(&EMPTY, MANIFEST, &data);
            assert_eq!(Anatomy::sections(&component, MANIFEST), [&data]);
            assert!(Anatomy::sections(&component, SCHEMA).is_empty());
            let twice = with_section(&component, MANIFEST, b"b");
            assert_eq!(Anatomy::sections(&twice, MANIFEST).len(), 2);
            wasmparser::validate(&twice).unwrap();
        }
    }

    #[test]
    fn only_what_lets_it_do_something_is_a_permission() {
        let names = [
            "sluice:plugin/context@0.1.0",
            "sluice:plugin/http@0.1.0",
            "sluice:plugin/types@0.1.0",
            "wasi:clocks/monotonic-clock@0.2.6",
            "wasi:http/outgoing-handler@0.2.6",
            "wasi:http/types@0.2.6",
        ];
        let anatomy = Anatomy {
            imports: names.map(str::to_owned).into(),
            ..Anatomy::default()
        };
        assert_eq!(
            anatomy.permissions(),
            [
                "sluice:plugin/http@0.1.0",
                "wasi:http/outgoing-handler@0.2.6"
            ]
        );
        assert!(Anatomy::default().permissions_text().starts_with("nothing"));
    }

    #[test]
    fn what_is_no_component_has_nothing() {
        assert_eq!(Anatomy::of(b"<html>"), Anatomy::default());
    }
}
