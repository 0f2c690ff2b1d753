//! Which files a new project has.

use std::collections::BTreeMap;

use super::super::{Kind, Language};
use super::{embedded, manifest};
use crate::failure::Failure;

/// The name in the templates, as it stands in manifests and as a word of a language.
const PLACEHOLDER: (&str, &str) = ("my-check", "my_check");

/// Paths within the project, and contents.
pub(super) fn of(
    language: Language,
    kind: Kind,
    name: &str,
) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    let shared = format!("sdk/templates/{}", kind.name());
    for (path, content) in embedded::below(&shared) {
        let for_all = path.starts_with("cases/")
            || matches!(path, "README.md" | "plugin.toml" | "settings.schema.json");
        if language == Language::Rust || for_all {
            files.insert(path.to_owned(), named(content, name));
        }
    }
    if let Some(text) = files.get_mut("README.md") {
        *text = in_language(text, language);
    }
    match language {
        Language::Rust => {
            files.insert("Cargo.toml".into(), manifest::project(name)?.into_bytes());
            for (crate_name, folder) in [("sluice-sdk", "sdk"), ("sluice-case", "sdk/case")] {
                let at = format!("vendor/{crate_name}");
                let text = manifest::vendored(&format!("{folder}/Cargo.toml"))?;
                files.insert(format!("{at}/Cargo.toml"), text.into_bytes());
                for part in ["examples", "src"] {
                    for (path, content) in embedded::below(&format!("{folder}/{part}")) {
                        files.insert(format!("{at}/{part}/{path}"), content.to_vec());
                    }
                }
            }
        }
        Language::Javascript | Language::Python => {
            let folder = format!("sdk/{}", language.name());
            for of in ["every", kind.name()] {
                for (path, content) in embedded::below(&format!("{folder}/templates/{of}")) {
                    files.insert(path.to_owned(), named(content, name));
                }
            }
            if !files.contains_key(language.source()) {
                return Err(Failure::new(
                    "no-template",
                    format!("there is no {} in {}", kind.name(), language.title()),
                )
                .because("this version of sluice comes without it")
                .change("choose another --kind or --lang"));
            }
            for (path, content) in embedded::below(&format!("{folder}/lib")) {
                files.insert(format!("vendor/sluice-sdk/{path}"), content.to_vec());
            }
        }
    }
    // What was released stands in a folder of its own, and is the same.
    let own = |path: &str| path.ends_with(".wit") && !path.contains('/');
    for (path, content) in embedded::below("wit").filter(|(path, _)| own(path)) {
        files.insert(format!("vendor/wit/{path}"), content.to_vec());
    }
    Ok(files)
}

/// The page about the project, which is written for Rust, in the words of another language.
fn in_language(text: &[u8], language: Language) -> Vec<u8> {
    let own_tests = match language {
        Language::Rust => return text.to_vec(),
        Language::Javascript => "npm test                # its own tests",
        Language::Python => "python3 -m unittest     # its own tests",
    };
    let replaced = [
        ("src/lib.rs", language.source()),
        (
            "cargo test              # the same cases natively; and the schema of the settings",
            own_tests,
        ),
        (
            "made from the type of the settings by `cargo test`",
            "what the settings may be, for people and editors",
        ),
    ];
    let mut text = String::from_utf8_lossy(text).into_owned();
    for (from, to) in replaced {
        text = text.replace(from, to);
    }
    text.into_bytes()
}

/// The content with the plugin's name. Whatever is no text stays as it is.
fn named(content: &[u8], name: &str) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(content) else {
        return content.to_vec();
    };
    let (dashed, word) = PLACEHOLDER;
    text.replace(dashed, name)
        .replace(word, &name.replace('-', "_"))
        .into_bytes()
}
