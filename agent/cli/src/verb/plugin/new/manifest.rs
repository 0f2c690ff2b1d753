//! `Cargo.toml` of a new project and of the crates within it, with the versions of this workspace.

use std::fmt::Write as _;

use serde_json::Value;

use super::embedded;
use crate::failure::Failure;

/// What a plugin's own code needs.
const DEPENDENCIES: [&str; 2] = ["serde", "serde_json"];
/// What its tests need.
const FOR_TESTS: [&str; 1] = ["schemars"];

/// The project's.
pub(super) fn project(name: &str) -> Result<String, Failure> {
    let root = parsed("Cargo.toml")?;
    let mut text = format!(
        "[package]\n\
         name = \"{name}\"\n\
         version = \"0.1.0\"\n\
         edition = {}\n\
         publish = false\n\
         \n\
         # A workspace of its own, whatever folder it lies in.\n\
         [workspace]\n\
         \n\
         [lib]\n\
         crate-type = [\"cdylib\", \"lib\"] # the component, and what its tests link\n\
         \n\
         [dependencies]\n",
        inline(root.pointer("/workspace/package/edition"))?,
    );
    for dependency in DEPENDENCIES {
        line(&mut text, dependency, &of_workspace(&root, dependency)?)?;
    }
    text += "sluice-sdk = { path = \"vendor/sluice-sdk\" }\n\n[dev-dependencies]\n";
    for dependency in FOR_TESTS {
        let whole = of_workspace(&root, dependency)?;
        line(
            &mut text,
            dependency,
            whole.get("version").unwrap_or(&whole),
        )?;
    }
    text += "\n# A component is small; the host compiles it again.\n\
             [profile.release]\n\
             opt-level = \"s\"\n\
             lto = true\n\
             strip = \"debuginfo\"\n\
             panic = \"abort\"\n\
             codegen-units = 1\n";
    Ok(text)
}

/// That of a crate of this workspace, standing alone.
pub(super) fn vendored(path: &str) -> Result<String, Failure> {
    let root = parsed("Cargo.toml")?;
    let manifest = parsed(path)?;
    let mut text = String::from("[package]\n");
    for key in ["name", "description"] {
        line(&mut text, key, at(&manifest, &format!("/package/{key}"))?)?;
    }
    for key in ["version", "edition", "license", "publish"] {
        line(
            &mut text,
            key,
            at(&root, &format!("/workspace/package/{key}"))?,
        )?;
    }
    text += "autoexamples = false\n";
    let native = "cfg(not(target_arch = \"wasm32\"))";
    let sections = [
        ("[dependencies]".to_owned(), manifest.get("dependencies")),
        (
            format!("[target.'{native}'.dependencies]"),
            manifest
                .get("target")
                .and_then(|targets| targets.get(native)?.get("dependencies")),
        ),
    ];
    for (head, dependencies) in sections {
        let Some(dependencies) = dependencies.and_then(Value::as_object) else {
            continue;
        };
        write_line(&mut text, &format!("\n{head}"))?;
        for name in dependencies.keys() {
            let value = of_workspace(&root, name)?;
            match value.get("path") {
                Some(_) => write_line(&mut text, &format!("{name} = {{ path = \"../{name}\" }}"))?,
                None => line(&mut text, name, &value)?,
            }
        }
    }
    Ok(text)
}

fn of_workspace(root: &Value, name: &str) -> Result<Value, Failure> {
    at(root, &format!("/workspace/dependencies/{name}")).cloned()
}

fn at<'v>(table: &'v Value, pointer: &str) -> Result<&'v Value, Failure> {
    table
        .pointer(pointer)
        .ok_or_else(|| incomplete(&format!("no {pointer}")))
}

fn line(text: &mut String, key: &str, value: &Value) -> Result<(), Failure> {
    write_line(text, &format!("{key} = {}", inline(Some(value))?))
}

fn write_line(text: &mut String, line: &str) -> Result<(), Failure> {
    writeln!(text, "{line}").map_err(|error| incomplete(&error.to_string()))
}

fn inline(value: Option<&Value>) -> Result<String, Failure> {
    value
        .and_then(sluice_case::toml_inline)
        .ok_or_else(|| incomplete("a value is missing"))
}

fn parsed(path: &str) -> Result<Value, Failure> {
    let text = embedded::text(path).ok_or_else(|| incomplete(path))?;
    toml::from_str(text).map_err(|error| incomplete(&format!("{path}: {error}")))
}

/// The tests of this module see every template, so that no user sees this.
fn incomplete(why: &str) -> Failure {
    Failure::new("internal", "the templates in this program are not whole")
        .because(why)
        .change("take a program that was built from a whole source")
}
