//! `sluice plugin test`: plays the cases of a project in the agent's own host, without a network.

use serde_json::{Value, json};
use sluice_case::Case;
use sluice_core::plugin::PluginKind;

use super::build::{self, Built};
use super::call;
use super::stage::{Played, Stage};
use crate::args::PluginTestArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod budget;
mod record;

use budget::Budget;

pub(crate) async fn run(args: &PluginTestArgs, out: &mut Output) -> Result<Exit, Failure> {
    let built = build::current(&args.project, out).await?;
    if let Some(name) = &args.record {
        return record::run(args, name, &built, out).await;
    }
    let cases = cases(args)?;
    let Built {
        path,
        component,
        manifest,
    } = built;
    // A strategy whose answer depends on more than its input is refused, here as in the agent.
    let twice = args.deterministic || manifest.plugin.kind == PluginKind::TrafficStrategy;
    let mut stage = Stage::set(&component, manifest, &path, twice).await?;
    let width = cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let mut told = Vec::new();
    for case in &cases {
        let result = play(&mut stage, case, twice).await?;
        show(&result, width, out)?;
        told.push(result);
    }
    let failed = told
        .iter()
        .filter(|result| !result.faults.is_empty())
        .count();
    let documents: Vec<Value> = told.iter().map(Outcome::document).collect();
    let plugin = &stage.manifest().plugin;
    out.json(
        &json!({
            "plugin": plugin.name,
            "version": plugin.version,
            "cases": documents,
            "failed": failed,
        }),
        false,
    )?;
    let all = told.len();
    let how = if twice {
        ", each twice with the same answer"
    } else {
        ""
    };
    if failed == 0 {
        out.judged(true, "", &format!("{all} of {all} cases hold{how}"))?;
        return Ok(Exit::Done);
    }
    out.text(&format!("{failed} of {all} cases failed"))?;
    Ok(Exit::NotDone)
}

/// The cases that were asked for.
fn cases(args: &PluginTestArgs) -> Result<Vec<Case>, Failure> {
    let bad = |why: String| {
        Failure::new("bad-case", "the cases cannot be read")
            .because(why)
            .change("correct it; the form of cases is described in docs/cli.md")
            .exit(Exit::NotDone)
    };
    let mut cases = sluice_case::load(&args.project).map_err(bad)?;
    if !args.only.is_empty() {
        cases.retain(|case| args.only.contains(&case.name));
        if cases.is_empty() {
            return Err(bad(format!("there is no case {}", args.only.join(", "))));
        }
    }
    Ok(cases)
}

/// What became of one case.
struct Outcome {
    name: String,
    answer: Value,
    budgets: Vec<Budget>,
    log: Vec<String>,
    /// Where the plugin did otherwise than the case says; none: it holds.
    faults: Vec<String>,
}

impl Outcome {
    fn document(&self) -> Value {
        let budgets: serde_json::Map<String, Value> =
            self.budgets.iter().map(Budget::document).collect();
        json!({
            "case": self.name,
            "holds": self.faults.is_empty(),
            "differences": self.faults,
            "answer": self.answer,
            "used": budgets,
            "log": self.log,
        })
    }
}

async fn play(stage: &mut Stage, case: &Case, twice: bool) -> Result<Outcome, Failure> {
    let Played { answer, usage, log } = stage.play(case).await?;
    let value = call::value(&answer);
    let mut faults = requests(stage, case);
    let differences = sluice_case::differences(&case.expect, &value);
    faults.extend(differences.iter().map(|d| format!("/expect{d}")));
    if twice && faults.is_empty() {
        let again = stage.play(case).await?;
        let second = call::value(&again.answer);
        // Bytes: values that are equal may still be written in two ways.
        let bytes = |value: &Value| value.to_string();
        if bytes(&second) != bytes(&value) {
            faults.extend(
                sluice_case::differences(&value, &second)
                    .iter()
                    .map(|d| format!("the second answer to the same question differs: {d}")),
            );
        }
        let fuel = |usage: &Option<sluice_plugins::CallUsage>| usage.as_ref().and_then(|u| u.fuel);
        if fuel(&usage) != fuel(&again.usage) {
            faults.push("the second answer to the same question took another way".into());
        }
    }
    Ok(Outcome {
        name: case.name.clone(),
        answer: value,
        budgets: usage.as_ref().map(budget::of).unwrap_or_default(),
        log,
        faults,
    })
}

/// Where the plugin asked otherwise than the case says.
fn requests(stage: &Stage, case: &Case) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, (expected, came)) in case.exchanges.iter().zip(stage.tape().played()).enumerate() {
        let differences = expected.request.differences(&call::made(&came));
        faults.extend(
            differences
                .iter()
                .map(|d| format!("/exchange/{at}/request{d}")),
        );
    }
    let left = stage.tape().left().len();
    let next = case.exchanges.len().saturating_sub(left);
    let surprises = stage.tape().surprises();
    for surprise in &surprises {
        let made = call::made(&surprise.came);
        match case
            .exchanges
            .get(next)
            .filter(|_| surprise.expected.is_some())
        {
            Some(expected) => faults.extend(
                expected
                    .request
                    .differences(&made)
                    .iter()
                    .map(|d| format!("/exchange/{next}/request{d} ({})", made.line())),
            ),
            None => faults.push(format!(
                "no further request was expected, came {}",
                made.line()
            )),
        }
    }
    if surprises.is_empty() {
        let missing = case.exchanges.iter().skip(next);
        faults.extend(missing.map(|e| format!("expected {}, it never came", e.request.line())));
    }
    faults
}

fn show(result: &Outcome, width: usize, out: &mut Output) -> Result<(), Failure> {
    let good = result.faults.is_empty();
    let budgets: Vec<String> = result.budgets.iter().map(ToString::to_string).collect();
    let line = format!(" {:<width$}  {}", result.name, budgets.join("  "));
    out.judged(good, if good { "ok  " } else { "FAIL" }, line.trim_end())?;
    if good {
        return Ok(());
    }
    for fault in &result.faults {
        out.text(&format!("       {fault}"))?;
    }
    for line in result.log.iter().chain(&sluice_case::told(&result.answer)) {
        out.text(&format!("       {line}"))?;
    }
    Ok(())
}
