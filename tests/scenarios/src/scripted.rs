//! What stands at the agent's ports in a run under virtual time: no socket, no wasm. The smoke test is
//! still a real question to a simulated pod.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sluice_core::image::facts::{ImageFacts, SignatureProof};
use sluice_core::plugin::{
    ApprovalDecision, ApprovalStatus, CheckLine, Event, Invocation, Judgement, Measurement,
    Outcome, PlanStep, PluginAnswer, PluginCall, PluginFault, PluginInfo, PluginKind, Report,
    Series, SeriesRole,
};
use sluice_core::policy::Signer;
use sluice_core::port::{BoxFuture, PluginHost, RecordSink, Registry, RegistryFault};
use sluice_sim::Cluster;

/// An answer that takes longer is as good as none.
const SLOWEST: Duration = Duration::from_secs(1);

/// Plugins as functions.
pub struct ScriptedPlugins {
    cluster: Cluster,
    told: Mutex<Vec<Event>>,
    missing: Mutex<Vec<String>>,
    hanging: Mutex<Vec<String>>,
    providers: Mutex<Vec<PluginCall>>,
    decisions: Mutex<BTreeMap<String, bool>>,
    failed_at: Mutex<Vec<Timestamp>>,
    real: Mutex<Option<Arc<dyn PluginHost>>>,
}

impl ScriptedPlugins {
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            told: Mutex::default(),
            missing: Mutex::default(),
            hanging: Mutex::default(),
            providers: Mutex::default(),
            decisions: Mutex::default(),
            failed_at: Mutex::default(),
            real: Mutex::default(),
        }
    }

    /// What the notifier was told, in order, repetitions included.
    pub fn told(&self) -> Vec<Event> {
        self.told.lock().expect("not poisoned").clone()
    }

    /// Takes a plugin away, or brings it back.
    pub fn set_missing(&self, name: &str, missing: bool) {
        set(&self.missing, name, missing);
    }

    /// From now on this host answers for the plugins that it has.
    pub fn behind(&self, host: Arc<dyn PluginHost>) {
        *self.real.lock().expect("not poisoned") = Some(host);
    }

    fn real(&self) -> Option<Arc<dyn PluginHost>> {
        self.real.lock().expect("not poisoned").clone()
    }

    /// Makes a plugin run into its deadline, or not any more.
    pub fn set_hanging(&self, name: &str, hanging: bool) {
        set(&self.hanging, name, hanging);
    }

    /// What approval providers were asked, in order, repetitions included.
    pub fn asked(&self) -> Vec<PluginCall> {
        self.providers.lock().expect("not poisoned").clone()
    }

    /// From now on whoever is behind this provider says yes, or no, to what it is polled about.
    pub fn decide(&self, plugin: &str, approved: bool) {
        let mut decisions = self.decisions.lock().expect("not poisoned");
        decisions.insert(plugin.to_owned(), approved);
    }

    /// When a check failed, each time that it did.
    pub fn failed_at(&self) -> Vec<Timestamp> {
        self.failed_at.lock().expect("not poisoned").clone()
    }

    /// A provider's answer. Its ticket is the same for every repetition of a question.
    fn provider(&self, call: PluginCall) -> PluginAnswer {
        self.providers
            .lock()
            .expect("not poisoned")
            .push(call.clone());
        match call {
            PluginCall::PollApproval {
                plugin,
                invocation,
                ticket,
            } => {
                let decisions = self.decisions.lock().expect("not poisoned");
                let status = match decisions.get(&plugin) {
                    None => ApprovalStatus::Pending(ticket),
                    Some(approved) => ApprovalStatus::Decided(ApprovalDecision {
                        approved: *approved,
                        approver: "the board".into(),
                        reason: "as planned".into(),
                        subject_digest: invocation.release.subject_digest,
                    }),
                };
                PluginAnswer::Approval(status)
            }
            PluginCall::AskApproval { invocation, .. } => {
                let ticket = format!("ticket of {}", invocation.idempotency_key);
                PluginAnswer::Approval(ApprovalStatus::Pending(ticket))
            }
            _ => PluginAnswer::Withdrawn,
        }
    }

    async fn answer(&self, call: PluginCall) -> PluginAnswer {
        let name = match &call {
            PluginCall::RunSmokeTest { plugin, .. }
            | PluginCall::EvaluateMetrics { plugin, .. }
            | PluginCall::Plan { plugin, .. }
            | PluginCall::Judge { plugin, .. }
            | PluginCall::Notify { plugin, .. }
            | PluginCall::AskApproval { plugin, .. }
            | PluginCall::PollApproval { plugin, .. }
            | PluginCall::WithdrawApproval { plugin, .. }
            | PluginCall::ApprovalCallback { plugin, .. }
            | PluginCall::ValidateSettings { plugin, .. } => plugin.clone(),
        };
        if let Some(host) = self.real()
            && host.catalog().iter().any(|info| info.name == name)
        {
            return host.call(call).await;
        }
        if self.missing.lock().expect("not poisoned").contains(&name) {
            return fault("plugin/missing", "no plugin of that name is loaded");
        }
        if self.hanging.lock().expect("not poisoned").contains(&name) {
            tokio::time::sleep(Duration::from_secs(10)).await;
            return fault("plugin/deadline", "no answer within 10 s");
        }
        match call {
            PluginCall::RunSmokeTest { invocation, .. } => {
                PluginAnswer::Report(self.smoke(&invocation).await)
            }
            PluginCall::EvaluateMetrics { invocation, .. } => {
                PluginAnswer::Measurement(measure(&invocation))
            }
            PluginCall::Plan { plugin, .. } => PluginAnswer::Plan(plan(&plugin)),
            PluginCall::Judge { .. } => PluginAnswer::Judgement(Judgement::Proceed),
            PluginCall::Notify { event, .. } => {
                self.told.lock().expect("not poisoned").push(event);
                PluginAnswer::Notified(Some("thread-1".into()))
            }
            PluginCall::AskApproval { .. }
            | PluginCall::PollApproval { .. }
            | PluginCall::WithdrawApproval { .. } => self.provider(call),
            PluginCall::ApprovalCallback { .. } => PluginAnswer::ApprovalCallback(None),
            PluginCall::ValidateSettings { .. } => PluginAnswer::Settings(Vec::new()),
        }
    }

    /// Asks `/health` of every ready pod of the candidate.
    async fn smoke(&self, invocation: &Invocation) -> Report {
        let mut checks = Vec::new();
        for address in &invocation.targets.candidate {
            let address = address.trim_start_matches("http://");
            let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
            let answer = self.cluster.ask_pod(ip, "/health").await;
            let status = answer.as_ref().map(|a| a.body["status"].clone());
            let slow = answer.as_ref().is_some_and(|a| a.latency > SLOWEST);
            let outcome = match &status {
                _ if slow => Outcome::Fail,
                Some(Value::String(s)) if s == "ok" => Outcome::Pass,
                Some(_) => Outcome::Fail,
                None => Outcome::Inconclusive,
            };
            checks.push(CheckLine {
                name: format!("GET /health of {address}"),
                outcome,
                message: format!("status is {status:?}"),
                elapsed_ms: 1,
            });
        }
        let worst = |o| checks.iter().any(|c| c.outcome == o);
        let outcome = if worst(Outcome::Fail) {
            let now = self.cluster.clock().now();
            self.failed_at.lock().expect("not poisoned").push(now);
            Outcome::Fail
        } else if worst(Outcome::Inconclusive) || checks.is_empty() {
            Outcome::Inconclusive
        } else {
            Outcome::Pass
        };
        Report {
            outcome,
            summary: format!("{} pods asked", checks.len()),
            checks,
        }
    }
}

/// A thousand requests of each version that has ready pods. How many of the candidate's failed its
/// settings say, by the step as the agent names it: `{"errors": {"0": 3, "watch": 20}}`; `null`: nobody
/// counted.
fn measure(invocation: &Invocation) -> Measurement {
    let attribute = |name: &str| {
        let mut all = invocation.attributes.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let errors = match attribute("step").and_then(|step| invocation.settings["errors"].get(step)) {
        Some(errors) => errors.as_u64(),
        None => Some(0),
    };
    let pods = |role: &str| attribute(role).is_some_and(|names| !names.is_empty());
    let series = |role, events| Series {
        role,
        events,
        total: 1000,
        value: None,
    };
    let candidate = errors.filter(|_| pods("candidate-pods"));
    let candidate = candidate.map(|errors| series(SeriesRole::Candidate, errors));
    let stable = pods("stable-pods").then(|| series(SeriesRole::Stable, 0));
    Measurement {
        series: candidate.into_iter().chain(stable).collect(),
        summary: "counted in a script".into(),
    }
}

fn set(list: &Mutex<Vec<String>>, name: &str, on: bool) {
    let mut list = list.lock().expect("not poisoned");
    list.retain(|n| n != name);
    if on {
        list.push(name.to_owned());
    }
}

fn fault(code: &str, message: &str) -> PluginAnswer {
    let (code, message) = (code.to_owned(), message.to_owned());
    PluginAnswer::Failed(PluginFault {
        code,
        message,
        retryable: true,
    })
}

fn plan(strategy: &str) -> Vec<PlanStep> {
    let step = |name: &str, weight_bp, hold_ms| PlanStep {
        name: name.into(),
        weight_bp,
        capacity_replicas: None,
        hold_ms,
        checks: true,
        gate: None,
    };
    let hold = 120_000;
    match strategy {
        "canary" => vec![
            step("10 %", 1000, hold),
            step("50 %", 5000, hold),
            step("100 %", 10_000, 0),
        ],
        "blue-green" => vec![step("preview", 0, hold), step("switch", 10_000, 0)],
        _ => vec![step("roll", 10_000, 0)],
    }
}

impl PluginHost for ScriptedPlugins {
    fn call(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        Box::pin(self.answer(call))
    }

    fn catalog(&self) -> Vec<PluginInfo> {
        let real = self.real().map(|host| host.catalog()).unwrap_or_default();
        let missing = self.missing.lock().expect("not poisoned");
        let scripted = [
            ("blue-green", PluginKind::TrafficStrategy),
            ("canary", PluginKind::TrafficStrategy),
            ("rolling", PluginKind::TrafficStrategy),
            ("http-smoke", PluginKind::SmokeTest),
            ("numbers", PluginKind::MetricProvider),
            ("notes", PluginKind::Notifier),
        ]
        .into_iter()
        .filter(|(name, _)| !missing.iter().any(|m| m == name))
        .filter(|(name, _)| !real.iter().any(|info| info.name == *name))
        .map(|(name, kind)| PluginInfo {
            name: name.into(),
            kind,
            version: "0.1.0".into(),
            digest: format!("sha256:{name}"),
            problem: None,
        })
        .collect::<Vec<_>>();
        real.into_iter().chain(scripted).collect()
    }
}

/// A registry as a map.
#[derive(Default)]
pub struct ScriptedRegistry {
    tags: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    facts: Mutex<BTreeMap<String, ImageFacts>>,
    signed: Mutex<BTreeMap<String, Vec<String>>>,
    down: Mutex<bool>,
    silent: Mutex<bool>,
    reads: Mutex<BTreeMap<String, u32>>,
    lists: Mutex<u32>,
}

impl ScriptedRegistry {
    /// A tag names this digest from now on.
    pub fn push(&self, repository: &str, tag: &str, digest: &str) {
        let mut tags = self.tags.lock().expect("not poisoned");
        tags.entry(repository.to_owned())
            .or_default()
            .insert(tag.to_owned(), digest.to_owned());
    }

    /// What the image with this digest says about itself.
    pub fn set_facts(&self, digest: &str, facts: ImageFacts) {
        let mut all = self.facts.lock().expect("not poisoned");
        all.insert(digest.to_owned(), facts);
    }

    /// This digest has a signature by the policy's signer of this name, whatever its definition.
    pub fn sign(&self, digest: &str, signer: &str) {
        let mut signed = self.signed.lock().expect("not poisoned");
        signed
            .entry(digest.to_owned())
            .or_default()
            .push(signer.to_owned());
    }

    /// Whether nobody can reach it.
    pub fn set_down(&self, down: bool) {
        *self.down.lock().expect("not poisoned") = down;
    }

    /// Whether it has tags and digests, but shows no image.
    pub fn set_silent(&self, silent: bool) {
        *self.silent.lock().expect("not poisoned") = silent;
    }

    /// How often an image was described, and how often its signatures were looked for.
    pub fn reads(&self, digest: &str) -> (u32, u32) {
        let reads = self.reads.lock().expect("not poisoned");
        let of = |what: &str| reads.get(&format!("{what} {digest}")).copied();
        (
            of("describe").unwrap_or_default(),
            of("verify").unwrap_or_default(),
        )
    }

    /// How often its tags were listed.
    pub fn lists(&self) -> u32 {
        *self.lists.lock().expect("not poisoned")
    }

    fn shows(&self, what: &str, digest: &str) -> Result<(), RegistryFault> {
        let mut reads = self.reads.lock().expect("not poisoned");
        *reads.entry(format!("{what} {digest}")).or_default() += 1;
        if *self.silent.lock().expect("not poisoned") {
            return Err(RegistryFault::Unavailable("no manifest comes".into()));
        }
        self.up()
    }

    fn up(&self) -> Result<(), RegistryFault> {
        if *self.down.lock().expect("not poisoned") {
            return Err(RegistryFault::Unavailable(
                "the registry does not answer".into(),
            ));
        }
        Ok(())
    }
}

impl Registry for ScriptedRegistry {
    fn tags<'a>(
        &'a self,
        repository: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, RegistryFault>> {
        Box::pin(async move {
            *self.lists.lock().expect("not poisoned") += 1;
            self.up()?;
            let tags = self.tags.lock().expect("not poisoned");
            Ok(tags
                .get(repository)
                .map(|t| t.keys().cloned().collect())
                .unwrap_or_default())
        })
    }

    fn resolve<'a>(
        &'a self,
        repository: &'a str,
        tag: &'a str,
    ) -> BoxFuture<'a, Result<String, RegistryFault>> {
        Box::pin(async move {
            self.up()?;
            let tags = self.tags.lock().expect("not poisoned");
            tags.get(repository)
                .and_then(|t| t.get(tag))
                .cloned()
                .ok_or_else(|| RegistryFault::NotFound(format!("{repository}:{tag}")))
        })
    }

    fn describe<'a>(
        &'a self,
        _repository: &'a str,
        digest: &'a str,
        _keys: &'a [String],
    ) -> BoxFuture<'a, Result<ImageFacts, RegistryFault>> {
        Box::pin(async move {
            self.shows("describe", digest)?;
            let facts = self.facts.lock().expect("not poisoned");
            Ok(facts.get(digest).cloned().unwrap_or_default())
        })
    }

    fn verify<'a>(
        &'a self,
        _repository: &'a str,
        digest: &'a str,
        signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<Vec<SignatureProof>, RegistryFault>> {
        Box::pin(async move {
            self.shows("verify", digest)?;
            let signed = self.signed.lock().expect("not poisoned");
            let by = signed.get(digest).cloned().unwrap_or_default();
            Ok(signers
                .iter()
                .filter(|(name, _)| by.contains(name))
                .map(|(name, signer)| SignatureProof {
                    signer: name.clone(),
                    definition: signer.definition(),
                })
                .collect())
        })
    }
}

/// Records by the uid of their Rollout, and how often each came.
#[derive(Default)]
pub struct MemorySink {
    records: Mutex<BTreeMap<String, (Value, u32)>>,
}

impl MemorySink {
    /// All records, and how often each was stored.
    pub fn records(&self) -> Vec<(Value, u32)> {
        self.records
            .lock()
            .expect("not poisoned")
            .values()
            .cloned()
            .collect()
    }
}

/// Every record of every story is what its schema describes.
fn as_the_schema_says(record: &Value) {
    static SCHEMA: LazyLock<(boon::Schemas, boon::SchemaIndex)> = LazyLock::new(|| {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler
            .add_resource("record.json", sluice_core::record::schema())
            .expect("a schema");
        let index = compiler
            .compile("record.json", &mut schemas)
            .expect("a schema");
        (schemas, index)
    });
    if let Err(e) = SCHEMA.0.validate(record, SCHEMA.1) {
        panic!("a record is not as its schema says: {e:#}\n{record:#}");
    }
}

impl RecordSink for MemorySink {
    fn store<'a>(&'a self, id: &'a str, record: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let record: Value = serde_json::from_str(record).map_err(|e| e.to_string())?;
            as_the_schema_says(&record);
            let mut records = self.records.lock().expect("not poisoned");
            let entry = records.entry(id.to_owned()).or_insert((record.clone(), 0));
            *entry = (record, entry.1 + 1);
            Ok(())
        })
    }
}
