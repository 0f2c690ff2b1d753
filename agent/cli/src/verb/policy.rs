//! `sluice policy`: check, test, explain, diff, schema.

use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use sluice_core::explain::run_cases;
use sluice_core::policy::{Policy, schema};
use sluice_core::problem::Problem;

use crate::access::Access;
use crate::args::PolicyVerb;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy_file::{MAX_BYTES, read};
use crate::text;

pub(crate) mod cluster;
mod diff;
mod explain;
mod pipeline;
mod registry;

/// Runs one of them. `access`: the cluster, where one is open already.
pub(crate) async fn run(
    verb: &PolicyVerb,
    access: Option<&Access>,
    out: &mut Output,
    now: Timestamp,
) -> Result<Exit, Failure> {
    match verb {
        PolicyVerb::Check { file } => check(file, out),
        PolicyVerb::Test { file } => test(file, out),
        PolicyVerb::Explain(args) => explain::run(args, access, out, now).await,
        PolicyVerb::Diff(args) => diff::run(args, out, now),
        PolicyVerb::Schema => {
            out.document(&schema(), false)?;
            Ok(Exit::Done)
        }
    }
}

/// The text of a policy file, or of standard input.
fn text(file: &Path) -> Result<String, Failure> {
    let text = if file == Path::new("-") {
        stdin()
    } else {
        read(file)
    };
    text.map_err(|e| {
        Failure::new(
            "unreadable",
            format!("the policy file {} cannot be read", file.display()),
        )
        .because(e.to_string())
        .change("name a file that is there and that you may read")
    })
}

/// A policy that is right: nothing else can be asked.
fn good(text: &str, place: &str) -> Result<Policy, Failure> {
    Policy::parse(text).map_err(|problems| {
        let mut failure = Failure::new("policy", format!("the policy {place} is not right"))
            .change("`sluice policy check` shows every problem with its line")
            .exit(Exit::NotDone);
        failure.why = problems.iter().map(ToString::to_string).collect();
        failure
    })
}

fn of_file(file: &Path) -> Result<Policy, Failure> {
    good(&text(file)?, &file.display().to_string())
}

fn test(file: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let results = run_cases(&of_file(file)?);
    let passed = results.iter().all(|result| result.passed);
    out.json(
        &json!({"file": file, "ok": passed, "tests": results}),
        false,
    )?;
    out.text(&text::policy::cases(&results))?;
    Ok(if passed { Exit::Done } else { Exit::NotDone })
}

fn check(file: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let text = text(file)?;
    let parsed = Policy::parse(&text);
    let (environments, problems) = match &parsed {
        Ok(policy) => (policy.environments.keys().cloned().collect(), Vec::new()),
        Err(problems) => (Vec::<String>::new(), problems.clone()),
    };
    out.json(
        &json!({
            "file": file,
            "ok": problems.is_empty(),
            "environments": environments,
            "problems": problems,
        }),
        false,
    )?;
    out.text(&report(
        &file.display().to_string(),
        &environments,
        &problems,
    ))?;
    Ok(if problems.is_empty() {
        Exit::Done
    } else {
        Exit::NotDone
    })
}

fn stdin() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// `FILE:LINE:COLUMN: what`, as compilers write it and editors read it.
fn report(file: &str, environments: &[String], problems: &[Problem]) -> String {
    if problems.is_empty() {
        return format!(
            "{file}: no problems; environments: {}",
            environments.join(", ")
        );
    }
    let mut lines: Vec<String> = problems
        .iter()
        .map(|p| {
            let place = match (p.line, p.column) {
                (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
                (Some(line), None) => format!("{file}:{line}"),
                (None, _) => file.to_owned(),
            };
            format!(
                "{place}: {}",
                Problem {
                    line: None,
                    column: None,
                    ..p.clone()
                }
            )
        })
        .collect();
    lines.push(match problems.len() {
        1 => "1 problem".to_owned(),
        n => format!("{n} problems"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests;
