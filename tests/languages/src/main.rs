//! The contract is language-neutral: the same five examples are written anew in every language with
//! `sluice plugin new`, built, tested in their own language, and played in the agent's host. Each has
//! to give the Rust one's answers. `make languages` runs this.
//!
//! The components stay in `target/languages/LANGUAGE/KIND.wasm`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose work is to print what it saw"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

mod answers;
mod language;
mod process;

use answers::Answers;
use language::Language;
use process::Run;

/// The kinds, as the contract names them.
const KINDS: [&str; 5] = [
    "smoke-test",
    "metric-provider",
    "approval-provider",
    "traffic-strategy",
    "notifier",
];

fn main() -> ExitCode {
    match every_language() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn every_language() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("this crate lies two folders below the root")?;
    let stage = Stage {
        program: root.join("target/debug/sluice"),
        folder: root.join("target/languages"),
        root: root.to_path_buf(),
    };
    ensure!(
        stage.program.is_file(),
        "{} is missing: `cargo build -p sluice` makes it",
        stage.program.display()
    );
    let mut model: Option<Answers> = None;
    for language in Language::ALL {
        if let Some(missing) = language.missing() {
            // A person without npm can work on the rest; in CI nothing may be left out silently.
            ensure!(
                std::env::var_os("CI").is_none(),
                "{} cannot be tried: {missing}",
                language.name()
            );
            println!("SKIPPED {}: {missing}", language.name());
            continue;
        }
        let begun = Instant::now();
        let answers = stage.play(language)?;
        println!("{}: {} s", language.name(), begun.elapsed().as_secs());
        match &model {
            None => model = Some(answers),
            Some(rust) => answers.are_those_of(rust, language.name())?,
        }
    }
    Ok(())
}

/// Where everything lies.
struct Stage {
    root: PathBuf,
    program: PathBuf,
    folder: PathBuf,
}

impl Stage {
    /// Everything about one language: the SDK's own tests, then each kind.
    fn play(&self, language: Language) -> Result<Answers> {
        language.test_sdk(&self.root)?;
        let projects = self.folder.join("projects").join(language.name());
        if projects.exists() {
            std::fs::remove_dir_all(&projects)?;
        }
        let built = self.folder.join(language.name());
        std::fs::create_dir_all(&projects)?;
        std::fs::create_dir_all(&built)?;
        let mut answers = Answers::default();
        for kind in KINDS {
            let project = projects.join(kind);
            self.sluice(&["new", "my-check", "--lang", language.name()])
                .args(["--kind", kind, "--path"])
                .arg(&project)
                .run()?;
            language.prepare(&project, &self.folder)?;
            let begun = Instant::now();
            self.sluice(&["build"])
                .arg(&project)
                .env("CARGO_TARGET_DIR", self.folder.join("rust-target"))
                .run()?;
            let took = begun.elapsed();
            let component = project.join("my-check.wasm");
            let kib = std::fs::metadata(&component)?.len().div_ceil(1024);
            std::fs::copy(&component, built.join(format!("{kind}.wasm")))?;
            language.test_project(&project)?;
            // Rust projects would be built again for another folder of targets.
            let played = self
                .sluice(&["test", "--output", "json"])
                .arg(&project)
                .env("CARGO_TARGET_DIR", self.folder.join("rust-target"))
                .output()?;
            let cases = answers.add(kind, &played)?;
            println!(
                "{:10}  {kind:17}  {cases} cases hold, {kib} KiB, built in {:.1} s",
                language.name(),
                took.as_secs_f64()
            );
        }
        self.mistake(language, &projects)?;
        Ok(answers)
    }

    /// A typing error in a language that no compiler checks ends in an answer that names the line: not
    /// in a trap, which would tell an author nothing, and not in a pass.
    fn mistake(&self, language: Language, projects: &Path) -> Result<()> {
        let Some((source, line)) = language.source() else {
            return Ok(());
        };
        let project = projects.join("smoke-test");
        let file = project.join(source);
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.contains("t.check("), "{} has no check", file.display());
        std::fs::write(&file, text.replace("t.check(", "t.chek("))?;
        let said = self
            .sluice(&["test", "--case", "healthy"])
            .arg(&project)
            .run()
            .err()
            .context("a plugin that does not work passes")?
            .to_string();
        ensure!(
            said.contains("plugin/said-other") && said.contains(line),
            "an author's mistake is not told with its line, {line}:\n{said}"
        );
        Ok(())
    }

    fn sluice(&self, words: &[&str]) -> Run {
        Run::new(&self.program).arg("plugin").args(words)
    }
}

/// The kinds of one language that others are compared with must all be there.
fn every_kind<T>(of: &[(String, T)]) -> Result<()> {
    for kind in KINDS {
        if !of.iter().any(|(name, _)| name == kind) {
            bail!("{kind} was not played");
        }
    }
    Ok(())
}
