//! `sluice policy check` and `sluice policy schema`.

use std::io::Read as _;
use std::path::Path;

use serde_json::json;
use sluice_core::policy::{Policy, schema};
use sluice_core::problem::Problem;

use crate::args::PolicyVerb;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::policy_file::{MAX_BYTES, read};

pub(crate) fn run(verb: &PolicyVerb, out: &mut Output) -> Result<Exit, Failure> {
    match verb {
        PolicyVerb::Check { file } => check(file, out),
        PolicyVerb::Schema => {
            out.document(&schema(), false)?;
            Ok(Exit::Done)
        }
    }
}

fn check(file: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let text = if file == Path::new("-") {
        stdin()
    } else {
        read(file)
    };
    let text = text.map_err(|e| {
        Failure::new(
            "unreadable",
            format!("the policy file {} cannot be read", file.display()),
        )
        .because(e.to_string())
        .change("name a file that is there and that you may read")
    })?;
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
mod tests {
    use super::*;
    use crate::output::Format;

    const BROKEN: &str = "\
apiVersion: sluice.dev/v1alpha1
kind: Policy
environments:
  production:
    targets: {namespaces: [shop]}
    trigers: [manual]
    approvals:
      require: [{role: devops-lead}]
";

    #[test]
    fn every_problem_stands_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, BROKEN).unwrap();
        let (mut out, seen) = Output::captured(Format::Text);
        let exit = check(&file, &mut out).unwrap();
        assert_eq!(exit, Exit::NotDone);
        let shown = seen
            .out()
            .replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(shown);
        let (mut out, seen) = Output::captured(Format::Json);
        check(&file, &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_str(&seen.out()).unwrap();
        assert_eq!(value["ok"], false);
        assert_eq!(value["problems"][2]["line"], 6);
    }

    #[test]
    fn a_good_file_says_what_it_opens_and_a_missing_one_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        let good = "\
apiVersion: sluice.dev/v1alpha1
kind: Policy
environments:
  staging:
    targets: {namespaces: [staging]}
    triggers: [manual]
    images: {repositories: ['registry.example.com/shop/*']}
    strategy: {allow: [rolling]}
";
        std::fs::write(&file, good).unwrap();
        let (mut out, seen) = Output::captured(Format::Text);
        assert_eq!(
            check(&file, &mut out).unwrap(),
            Exit::Done,
            "{}",
            seen.out()
        );
        assert!(
            seen.out()
                .ends_with("policy.yaml: no problems; environments: staging\n")
        );
        let failure = check(&folder.path().join("none"), &mut out).unwrap_err();
        assert_eq!(failure.code, "unreadable");
    }
}
