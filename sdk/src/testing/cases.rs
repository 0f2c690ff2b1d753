//! Plays the cases of a project natively: the same files that `sluice plugin test` plays in the host.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_case::{Case, Exchange, Made, Trouble};

use super::answer;
use super::{Reply, Script};
use crate::serve::{
    AskFn, CallbackFn, EvaluateFn, JudgeFn, NotifyFn, PlanFn, Plugin, PollFn, RunFn, WithdrawFn,
};
use crate::{
    Certificate, Chain, Event, NetError, Observation, Release, Severity, Step, Window, Workload,
};

/// A plugin that can be asked by a case.
pub trait Playable {
    /// The export that a case means which names none.
    fn only_export(&self) -> Option<&'static str>;

    /// Calls an export; the value of the contract, or why it cannot be called.
    ///
    /// # Errors
    /// The kind has no such export.
    fn ask(&self, export: &str, script: &Script, case: &Case) -> Result<Value, String>;
}

/// What is expected of the outside by a case, and where the plugin did otherwise.
#[derive(Default)]
pub(super) struct Expected {
    exchanges: VecDeque<Exchange>,
    asked: usize,
    pub(super) faults: Vec<String>,
}

impl Expected {
    /// The answer to a request, or to a look at certificates.
    pub(super) fn answer(&mut self, made: &Made) -> Reply {
        let at = self.asked;
        self.asked += 1;
        let Some(exchange) = self.exchanges.pop_front() else {
            self.faults.push(format!(
                "no further request was expected, came {}",
                made.line()
            ));
            return Reply::error(NetError::Other("not in the case".into()));
        };
        let differences = exchange.request.differences(made);
        if differences.is_empty() {
            return reply(&exchange);
        }
        for difference in differences {
            self.faults
                .push(format!("/exchange/{at}/request{difference}"));
        }
        Reply::error(NetError::Other("not as in the case".into()))
    }
}

fn reply(exchange: &Exchange) -> Reply {
    let response = &exchange.response;
    let reply = match (&response.error, &response.chain) {
        (Some(trouble), _) => Reply::error(net_error(trouble)),
        (None, Some(chain)) => Reply::chain(Chain {
            certificates: chain
                .certificates
                .iter()
                .map(|certificate| Certificate {
                    subject: certificate.subject.clone(),
                    issuer: certificate.issuer.clone(),
                    not_after_unix_ms: certificate.not_after_unix_ms,
                })
                .collect(),
            verified: chain.unverified.clone().map_or(Ok(()), Err),
        }),
        (None, None) => {
            let mut reply = Reply::status(response.status.unwrap_or(200)).body(response.body());
            for (name, value) in response.headers() {
                reply = reply.header(&name, &value);
            }
            if response.truncated {
                reply = reply.truncated();
            }
            reply
        }
    };
    reply.after_ms(response.after_ms)
}

fn net_error(trouble: &Trouble) -> NetError {
    match trouble.clone() {
        Trouble::NotGranted(why) => NetError::NotGranted(why),
        Trouble::Resolve(why) => NetError::Resolve(why),
        Trouble::Connect(why) => NetError::Connect(why),
        Trouble::Tls(why) => NetError::Tls(why),
        Trouble::Timeout => NetError::Timeout,
        Trouble::TooLarge(limit) => NetError::TooLarge(limit),
        Trouble::Quota => NetError::Quota,
        Trouble::Protocol(why) => NetError::Protocol(why),
        Trouble::Other(why) => NetError::Other(why),
    }
}

/// Plays every case of a project and fails the test with every difference: what [`crate::test_cases!`]
/// calls.
#[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
pub fn play(project: &str, plugin: &dyn Playable) {
    let cases = sluice_case::load(Path::new(project)).unwrap_or_else(|why| panic!("{why}"));
    let mut told = String::new();
    for case in &cases {
        for fault in faults(case, plugin) {
            let _ = write!(told, "\n  case {}: {fault}", case.name);
        }
    }
    assert!(told.is_empty(), "{told}\n");
}

/// Where the plugin did otherwise than a case expects.
pub(super) fn faults(case: &Case, plugin: &dyn Playable) -> Vec<String> {
    let Some(export) = case.call.as_deref().or(plugin.only_export()) else {
        return vec!["/call: say which export is called".into()];
    };
    let script = script(case);
    let came = match plugin.ask(export, &script, case) {
        Ok(came) => came,
        Err(why) => return vec![format!("/call: {why}")],
    };
    let expected = script.expected();
    let mut found = expected.faults;
    for exchange in expected.exchanges {
        let line = exchange.request.line();
        found.push(format!("expected {line}, it never came"));
    }
    for difference in sluice_case::differences(&case.expect, &came) {
        found.push(format!("/expect{difference}"));
    }
    if !found.is_empty() {
        found.extend(sluice_case::told(&came));
    }
    found
}

fn script(case: &Case) -> Script {
    let given = case.release.clone();
    let at = given.workload;
    let release = Release {
        id: given.id,
        workload: Workload {
            cluster: at.cluster,
            namespace: at.namespace,
            kind: at.kind,
            name: at.name,
            uid: at.uid,
        },
        from_revision: given.from_revision,
        to_revision: given.to_revision,
        images: given.images,
        subject_digest: given.subject_digest,
    };
    let mut script = Script::new()
        .settings(Value::Object(case.settings.clone()))
        .release(release)
        .expecting(Expected {
            exchanges: case.exchanges.iter().cloned().collect(),
            ..Expected::default()
        });
    for (name, value) in &case.attributes {
        script = script.attribute(name, value);
    }
    if let Some(secrets) = &case.secrets {
        script = script.attribute("secrets", &secrets.join(","));
    }
    match case.remaining_ms {
        Some(ms) => script.remaining_ms(ms),
        None => script,
    }
}

type Approval<S> = (AskFn<S>, PollFn<S>, WithdrawFn<S>, CallbackFn<S>);

fn unknown(export: &str, known: &str) -> String {
    format!("no export \"{export}\"; there are {known} and validate")
}

fn validate<S: DeserializeOwned, F>(plugin: &Plugin<S, F>, case: &Case) -> Value {
    let settings = Value::Object(case.settings.clone()).to_string();
    answer::issues(&plugin.issues(&settings))
}

impl<S: DeserializeOwned> Playable for Plugin<S, RunFn<S>> {
    fn only_export(&self) -> Option<&'static str> {
        Some("run")
    }

    fn ask(&self, export: &str, script: &Script, case: &Case) -> Result<Value, String> {
        match export {
            "run" => Ok(answer::of(self.run(script), answer::report)),
            "validate" => Ok(validate(self, case)),
            _ => Err(unknown(export, "run")),
        }
    }
}

impl<S: DeserializeOwned> Playable for Plugin<S, EvaluateFn<S>> {
    fn only_export(&self) -> Option<&'static str> {
        Some("evaluate")
    }

    fn ask(&self, export: &str, script: &Script, case: &Case) -> Result<Value, String> {
        let window = Window {
            from_unix_ms: case.arguments.window.from_unix_ms,
            to_unix_ms: case.arguments.window.to_unix_ms,
        };
        match export {
            "evaluate" => Ok(answer::of(
                self.evaluate(script, window),
                answer::measurement,
            )),
            "validate" => Ok(validate(self, case)),
            _ => Err(unknown(export, "evaluate")),
        }
    }
}

impl<S: DeserializeOwned> Playable for Plugin<S, NotifyFn<S>> {
    fn only_export(&self) -> Option<&'static str> {
        Some("notify")
    }

    fn ask(&self, export: &str, script: &Script, case: &Case) -> Result<Value, String> {
        match export {
            "notify" => Ok(answer::of(
                self.notify(script, &event(&case.arguments.event)),
                |thread| sluice_case::answer::thread(thread.as_deref()),
            )),
            "validate" => Ok(validate(self, case)),
            _ => Err(unknown(export, "notify")),
        }
    }
}

impl<S: DeserializeOwned> Playable for Plugin<S, (PlanFn<S>, JudgeFn<S>)> {
    fn only_export(&self) -> Option<&'static str> {
        None
    }

    fn ask(&self, export: &str, script: &Script, case: &Case) -> Result<Value, String> {
        match export {
            "plan" => Ok(answer::of(self.plan(script), answer::plan)),
            "judge" => {
                let step = step(&case.arguments.step);
                let seen: Vec<Observation> = case
                    .arguments
                    .observations
                    .iter()
                    .map(observation)
                    .collect();
                Ok(answer::of(
                    self.judge(script, &step, &seen),
                    answer::judgement,
                ))
            }
            "validate" => Ok(validate(self, case)),
            _ => Err(unknown(export, "plan, judge")),
        }
    }
}

impl<S: DeserializeOwned> Playable for Plugin<S, Approval<S>> {
    fn only_export(&self) -> Option<&'static str> {
        None
    }

    fn ask(&self, export: &str, script: &Script, case: &Case) -> Result<Value, String> {
        let arguments = &case.arguments;
        let ticket = arguments.ticket.as_str();
        match export {
            "ask" => Ok(answer::of(self.ask(script), answer::status)),
            "poll" => Ok(answer::of(self.poll(script, ticket), answer::status)),
            "withdraw" => Ok(answer::of(self.withdraw(script, ticket), |()| {
                sluice_case::answer::withdrawn()
            })),
            "on-callback" => {
                let headers: Vec<(String, String)> =
                    arguments.headers.clone().into_iter().collect();
                let answer = self.on_callback(script, ticket, &headers, &arguments.body());
                Ok(answer::of(answer, |status| {
                    status.map_or_else(sluice_case::answer::not_ours, answer::status)
                }))
            }
            "validate" => Ok(validate(self, case)),
            _ => Err(unknown(export, "ask, poll, withdraw, on-callback")),
        }
    }
}

fn event(event: &sluice_case::Event) -> Event {
    Event {
        id: event.id.clone(),
        kind: event.kind.clone(),
        severity: match event.severity {
            sluice_case::Severity::Info => Severity::Info,
            sluice_case::Severity::Warning => Severity::Warning,
            sluice_case::Severity::Critical => Severity::Critical,
        },
        title: event.title.clone(),
        body: event.body.clone(),
        links: event.links.clone().into_iter().collect(),
        thread: event.thread.clone(),
    }
}

fn step(step: &sluice_case::Step) -> Step {
    Step {
        name: step.name.clone(),
        weight_bp: step.weight_bp,
        capacity_replicas: step.capacity_replicas,
        hold_ms: step.hold_ms,
        checks: step.checks,
        gate: step.gate.clone(),
    }
}

fn observation(seen: &sluice_case::Observation) -> Observation {
    Observation {
        elapsed_ms: seen.elapsed_ms,
        weight_bp: seen.weight_bp,
        healthy: seen.healthy,
        samples: seen.samples.clone().into_iter().collect(),
    }
}

/// Keeps the JSON Schema of the settings beside the source: writes it anew where it has changed, and
/// then fails the test, so that the change is seen and committed.
#[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
pub fn keep_schema(project: &str, schema: &Value) {
    let path = Path::new(project).join("settings.schema.json");
    let text = format!("{schema:#}\n");
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if serde_json::from_str::<Value>(&there).ok().as_ref() == Some(schema) {
        return;
    }
    if let Err(error) = std::fs::write(&path, text) {
        panic!("{}: {error}", path.display());
    }
    panic!(
        "{} was not that of the type of the settings; it is written anew: look at the change, and \
         run the test again",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::serve;
    use crate::settings::NoSettings;

    fn health(t: &mut SmokeTest, _: NoSettings) -> TestResult {
        let answer = t.get("/health")?;
        t.check("health", &answer).status(200);
        Ok(())
    }

    fn told(case: &str) -> Vec<String> {
        faults(&Case::parse("x", case).unwrap(), &serve::smoke_test(health))
    }

    const GOOD: &str = r#"
        exchange = [{ request = { path = "/health" }, response = { status = 200 } }]
        expect = { outcome = "pass", checks = [{ name = "health" }] }
    "#;

    #[test]
    fn a_case_that_holds_says_nothing() {
        assert_eq!(told(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_difference_is_told_with_its_place() {
        for (from, to, first) in [
            (
                "\"pass\"",
                "\"fail\"",
                "/expect/outcome: expected \"fail\", came \"pass\"",
            ),
            (
                "\"/health\"",
                "\"/ready\"",
                "/exchange/0/request/path: expected \"/ready\", came \"/health\"",
            ),
            (
                "{ status = 200 } }]",
                "{ status = 200 } }, { request = { path = \"/b\" }, response = { status = 200 } }]",
                "expected GET /b on candidate, it never came",
            ),
            (
                "[{ request = { path = \"/health\" }, response = { status = 200 } }]",
                "[]",
                "no further request was expected, came GET /health on candidate",
            ),
            (
                "expect =",
                "call = \"ask\"\nexpect =",
                "/call: no export \"ask\"; there are run and validate",
            ),
            (
                "expect = { outcome = \"pass\", checks",
                "call = \"validate\"\nsettings = { a = 1 }\nexpect = { issues = [], checks",
                "/expect/checks: expected [{\"name\":\"health\"}], came nothing; there is issues = ",
            ),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let told = told(&GOOD.replace(from, to));
            assert!(told.iter().any(|line| line.starts_with(first)), "{told:#?}");
        }
    }
}
