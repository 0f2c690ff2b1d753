//! `sluice plugin new`: a project that builds, with its tests and the SDK in it.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::args::PluginNewArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod embedded;
mod files;
mod manifest;

/// The longest name that the manifest allows.
const MAX_NAME: usize = 63;
/// Words that Rust keeps for itself, and names that a crate of the project has: a library cannot be
/// called so.
const TAKEN: [&str; 30] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue",
    "core", "crate", "dyn", "else", "enum", "extern", "fn", "for", "if", "impl", "in", "let",
    "loop", "match", "mod", "serde", "std", "test", "type", "use",
];

pub(crate) fn run(args: &PluginNewArgs, out: &mut Output) -> Result<Exit, Failure> {
    check_name(&args.name)?;
    let folder = args
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(&args.name));
    if folder.exists() {
        return Err(
            Failure::new("exists", format!("{} is there already", folder.display()))
                .because("a new project never writes over anything")
                .change("choose another name, another folder with --path, or remove that one")
                .exit(Exit::NotDone),
        );
    }
    let files = files::of(args.language, args.kind, &args.name)?;
    let count = files.len();
    for (path, content) in files {
        write(&folder.join(path), &content)?;
    }
    let shown = folder.display();
    let commands = [
        format!("cd {shown}"),
        "sluice plugin build".to_owned(),
        "sluice plugin test".to_owned(),
    ];
    out.json(
        &json!({
            "folder": folder,
            "name": args.name,
            "language": args.language.name(),
            "kind": args.kind.name(),
            "files": count,
            "next": commands,
        }),
        false,
    )?;
    out.text(&format!(
        "{shown}: a {} in {}, {count} files\n\nnext:\n  {}\n\nthe plugin itself is {}",
        args.kind.name(),
        args.language.title(),
        commands.join("\n  "),
        folder.join(args.language.source()).display(),
    ))?;
    Ok(Exit::Done)
}

/// As the manifest wants it, and as a crate can be called.
fn check_name(name: &str) -> Result<(), Failure> {
    let bad = |why: String| {
        Err(
            Failure::new("usage", format!("{name:?} cannot be the name of a plugin"))
                .because(why)
                .change("use lower-case letters, digits and dashes, a letter first: shop-smoke")
                .exit(Exit::Usage),
        )
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() > MAX_NAME {
        return bad(format!(
            "it has {} characters, at most {MAX_NAME}",
            name.len()
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fits) {
        return bad("plugins.yaml and pipelines could not name it".into());
    }
    if name.ends_with('-') || name.contains("--") {
        return bad("dashes stand between words".into());
    }
    if TAKEN.contains(&name) {
        return bad("languages keep this word for themselves".into());
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failure = |error: std::io::Error| {
        Failure::new(
            "unwritable",
            format!("{} cannot be written", path.display()),
        )
        .because(error.to_string())
        .change("make room, or choose a folder of your own with --path")
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failure)?;
    }
    std::fs::write(path, content).map_err(failure)
}

#[cfg(test)]
mod tests;
