//! `sluice plugin test --record NAME`: asks real servers once, under the grant, and writes the case.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sluice_case::{Case, FOLDER, Recorded};
use sluice_core::plugin::{PluginCall, PluginKind, Targets};
use sluice_core::port::PluginHost as _;
use sluice_plugins::{
    DirectorySecrets, Door, Exchange, Host, HostOptions, NetFault, SeenOutcome, Tape, Wire,
};

use super::super::build::Built;
use super::super::run::{folder, settings};
use super::super::{call, unfit};
use crate::args::PluginTestArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Headers that say nothing to a test, and are others each time.
const PASSING: [&str; 5] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
];

pub(super) async fn run(
    args: &PluginTestArgs,
    name: &str,
    built: &Built,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let path = args.project.join(FOLDER).join(format!("{name}.toml"));
    let head = head(args, &path)?;
    let case = question(name, &head)?;
    let mut question = call::question(&built.manifest, &case)?;
    aim(&mut question, args, built)?;
    let tape = Tape::default();
    let folder = folder(&built.path, args.plugins_config.as_deref(), &built.manifest)?;
    let mut options = HostOptions {
        allow_loopback: true,
        wire: Wire::Record(tape.clone()),
        ..HostOptions::default()
    };
    if let Some(secrets) = &args.secrets {
        options.secrets = Arc::new(DirectorySecrets::new(secrets));
    }
    let host = Host::open(folder.path(), options)
        .await
        .map_err(|card| unfit(&built.path, &[card]))?;
    if host.catalog().is_empty() {
        return Err(unfit(&built.path, &host.problems()));
    }
    let value = call::value(&host.call(question).await);
    let recorded: Vec<Recorded> = tape.recorded().iter().map(exchange).collect();
    let fields: Vec<(&str, Value)> = head.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let text = format!(
        "# Recorded. Secrets stand as ${{secret:NAME}}; look through the bodies before you commit them.\n{}",
        sluice_case::toml_of(&fields, &recorded, &expectation(&value))
    );
    // What was written must be what a test reads.
    Case::parse(name, &text)
        .map_err(|why| Failure::new("internal", "what was recorded is no case").because(why))?;
    write(&path, &text)?;
    out.json(
        &json!({"case": path, "exchanges": recorded.len(), "answer": value}),
        false,
    )?;
    out.text(&format!(
        "{}: {} exchanges, and the answer {value}",
        path.display(),
        recorded.len()
    ))?;
    Ok(Exit::Done)
}

/// The case's own fields: those that stand in its file already, else the settings of the command line.
fn head(args: &PluginTestArgs, path: &Path) -> Result<Map<String, Value>, Failure> {
    let mut head = match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| bad(path, &error.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(bad(path, &error.to_string())),
    };
    head.remove("exchange");
    head.remove("expect");
    if let Some(text) = &args.settings {
        head.insert("settings".into(), settings(text)?);
    }
    Ok(head)
}

fn question(name: &str, head: &Map<String, Value>) -> Result<Case, Failure> {
    let fields: Vec<(&str, Value)> = head.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let text = sluice_case::toml_of(&fields, &[], &json!({}));
    Case::parse(name, &text).map_err(|why| bad(Path::new(name), &why))
}

fn bad(path: &Path, why: &str) -> Failure {
    Failure::new("bad-case", format!("{} is no case", path.display()))
        .because(why)
        .change("correct it, or choose another name to record")
        .exit(Exit::NotDone)
}

/// Puts the real addresses in the place of those of a case.
fn aim(question: &mut PluginCall, args: &PluginTestArgs, built: &Built) -> Result<(), Failure> {
    let kind = built.manifest.plugin.kind;
    let (PluginCall::RunSmokeTest { invocation, .. }
    | PluginCall::EvaluateMetrics { invocation, .. }) = question
    else {
        return Ok(());
    };
    if kind == PluginKind::SmokeTest && args.target.is_none() {
        return Err(
            Failure::new("usage", "--record of a smoke test needs --target")
                .because("it is the address of the version under test")
                .change("add --target http://127.0.0.1:8080")
                .exit(Exit::Usage),
        );
    }
    invocation.targets = Targets {
        candidate: args.target.iter().cloned().collect(),
        stable: args.stable.iter().cloned().collect(),
        service: args.service.clone(),
    };
    Ok(())
}

/// One exchange as a case has it.
fn exchange(seen: &Exchange) -> Recorded {
    let mut request = Map::new();
    if seen.door == Door::Tls {
        request.insert("inspect".into(), seen.target.as_str().into());
    } else {
        request.insert("target".into(), seen.target.as_str().into());
        request.insert("method".into(), seen.method.as_str().into());
        request.insert("path".into(), seen.path.as_str().into());
        if !seen.headers.is_empty() {
            request.insert("headers".into(), table(&seen.headers));
        }
        if let Some(body) = seen.body.as_ref().filter(|body| !body.is_empty()) {
            put_body(&mut request, &body.0);
        }
    }
    let mut response = Map::new();
    match &seen.outcome {
        SeenOutcome::Response(answer) => {
            response.insert("status".into(), answer.status.into());
            let headers: Vec<(String, String)> = answer
                .headers
                .iter()
                .filter(|(name, _)| !PASSING.contains(&name.as_str()))
                .cloned()
                .collect();
            if !headers.is_empty() {
                response.insert("headers".into(), table(&headers));
            }
            if !answer.body.is_empty() {
                put_body(&mut response, &answer.body.0);
            }
            if answer.truncated {
                response.insert("truncated".into(), true.into());
            }
        }
        SeenOutcome::Chain(chain) => {
            response.insert("chain".into(), json!(chain));
        }
        SeenOutcome::Fault(fault) => {
            response.insert("error".into(), trouble(fault));
        }
    }
    Recorded { request, response }
}

fn trouble(fault: &NetFault) -> Value {
    json!(fault)
}

fn table(pairs: &[(String, String)]) -> Value {
    let pairs = pairs.iter();
    Value::Object(pairs.map(|(k, v)| (k.clone(), v.as_str().into())).collect())
}

/// As JSON where it is some: a person can read it, and a comparison does not hang on spaces.
fn put_body(fields: &mut Map<String, Value>, body: &[u8]) {
    match serde_json::from_slice::<Value>(body) {
        Ok(json @ (Value::Object(_) | Value::Array(_))) => fields.insert("json".into(), json),
        Ok(_) | Err(_) => {
            let text = String::from_utf8_lossy(body).into_owned();
            fields.insert("body".into(), text.into())
        }
    };
}

/// What a later run must answer again: of a report, what does not hang on time and wording.
fn expectation(answer: &Value) -> Value {
    let Some(checks) = answer.get("checks").and_then(Value::as_array) else {
        return answer.clone();
    };
    let checks: Vec<Value> = checks
        .iter()
        .map(|check| json!({"name": check.get("name"), "outcome": check.get("outcome")}))
        .collect();
    json!({"outcome": answer.get("outcome"), "checks": checks})
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failure = |error: std::io::Error| {
        Failure::new(
            "unwritable",
            format!("{} cannot be written", path.display()),
        )
        .because(error.to_string())
        .change("make room, and see whose folder it is")
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failure)?;
    }
    std::fs::write(path, text).map_err(failure)
}
