//! What the agent asks a plugin and what a plugin answers, as plain values.
//!
//! These types cross the port between the controller and the plugin host ([`crate::port`]). All of
//! them serialise, so that the host can become a process of its own. They mirror `wit/` one to one.

use serde::{Deserialize, Serialize};

/// The five things a plugin can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginKind {
    /// Judges one version by talking to it.
    SmokeTest,
    /// Turns metrics into numbers for the two versions.
    MetricProvider,
    /// Asks people outside the cluster for a decision.
    ApprovalProvider,
    /// Plans the steps of a rollout and judges between them.
    TrafficStrategy,
    /// Tells people what happens.
    Notifier,
}

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Seen to hold.
    Pass,
    /// Seen to be broken: the candidate is bad.
    Fail,
    /// Could not be told. Never a pass: the rollout holds.
    Inconclusive,
    /// Not run, on purpose. Satisfies a check only where it is marked optional.
    Skipped,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckLine {
    /// What was looked at, in the words of the plugin.
    pub name: String,
    /// Its verdict.
    pub outcome: Outcome,
    /// What was expected and what came.
    pub message: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u32,
}

/// What a smoke test answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The verdict of the whole.
    pub outcome: Outcome,
    /// One sentence for a tired person.
    pub summary: String,
    /// The single checks behind it.
    pub checks: Vec<CheckLine>,
}

/// One step of a plan as a traffic strategy proposes it. Checked against the policy before use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// Unique within the plan.
    pub name: String,
    /// Share of traffic for the candidate, in basis points: 10000 is all of it, and promotion.
    pub weight_bp: u16,
    /// Number of candidate pods, where the strategy wants a certain one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_replicas: Option<u32>,
    /// How long to watch the step after its checks passed, in milliseconds.
    pub hold_ms: u64,
    /// Whether the environment's checks run in this step.
    pub checks: bool,
    /// Name of a gate that a person has to open before this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
}

/// What a strategy sees of one moment of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepObservation {
    /// Milliseconds since the step began.
    pub elapsed_ms: u64,
    /// Share announced at that moment, in basis points.
    pub weight_bp: u16,
    /// Whether every candidate pod was ready and every check had passed.
    pub healthy: bool,
    /// Named measurements.
    pub samples: Vec<(String, f64)>,
}

/// A strategy's opinion between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Judgement {
    /// Go to the next approved step, once the agent's own checks and gates agree.
    Proceed,
    /// Look again after so many milliseconds.
    Hold(u64),
    /// Put the stable version back, for this reason.
    Rollback(String),
}

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// What a notifier is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Stable over retries: `<rollout uid>/<sequence number>`.
    pub id: String,
    /// The kind of event, such as `started` or `rolled-back`.
    pub kind: String,
    /// How loud.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// A few lines of plain text.
    pub body: String,
    /// Label and http(s) address.
    // A pair is a list of two: structural schemas know no tuples.
    #[schemars(with = "Vec<Vec<String>>")]
    pub links: Vec<(String, String)>,
    /// What the notifier answered last time for this rollout, so that it can update in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// The workload that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadRef {
    /// Name of the cluster, as the agent's configuration says.
    pub cluster: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// `Deployment`.
    pub kind: String,
    /// Object name.
    pub name: String,
    /// Object uid.
    pub uid: String,
}

/// The release that a call is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The Rollout's name: the deployment id.
    pub id: String,
    /// Where it goes.
    pub workload: WorkloadRef,
    /// Digest that serves now.
    pub from_revision: Option<String>,
    /// Digest that shall serve.
    pub to_revision: String,
    /// Every container image, pinned.
    pub images: Vec<String>,
    /// The approval hash.
    pub subject_digest: String,
}

/// The three things a check can look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// `http://ip:port` of each ready pod of the new version.
    pub candidate: Vec<String>,
    /// `http://ip:port` of each ready pod of the version that is being replaced.
    pub stable: Vec<String>,
    /// `http://ip:port` of the Service: what users get.
    pub service: Option<String>,
}

/// Everything a plugin learns about why it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The release.
    pub release: Release,
    /// The settings of this use of the plugin, as a JSON document.
    pub settings: serde_json::Value,
    /// The same for every repetition of the same call.
    pub idempotency_key: String,
    /// Room to grow: string pairs such as `environment`.
    pub attributes: Vec<(String, String)>,
    /// What the call may reach. Empty for kinds without a network.
    pub targets: Targets,
}

/// The attribute of an [`Invocation`] that holds, as a JSON document, what an approver has to see.
pub const APPROVAL_REQUEST: &str = "approval-request";

/// What a person decided, in the words of an approval provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDecision {
    /// Yes or no.
    pub approved: bool,
    /// Who, as the provider knows them. Shown, never believed: the person comes from the verified
    /// callback, and what was only polled counts for roles that the policy gives to the plugin.
    pub approver: String,
    /// Their words.
    pub reason: String,
    /// The approval hash that they saw. Any other than the open request's is void.
    pub subject_digest: String,
}

/// Where a request stands with an approval provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalStatus {
    /// Open. The ticket is opaque and comes back with the next call.
    Pending(String),
    /// Somebody decided. Counts once.
    Decided(ApprovalDecision),
    /// The provider gave up on it.
    Expired,
}

/// Which version a series is about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SeriesRole {
    /// The version that is being replaced.
    Stable,
    /// The version that is being tried.
    Candidate,
}

/// One version's numbers in a window. Numbers, not a verdict: that is the core's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// The version.
    pub role: SeriesRole,
    /// Events of interest, such as errors. Never more than `total`.
    pub events: u64,
    /// All events they were counted among, such as requests. Zero: no data.
    pub total: u64,
    /// A finite value that is no ratio of counts, such as a p95 in milliseconds. None: no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// What a metric provider answers about one window. At most one series for each role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// The numbers. A role that is missing has no data, which is never a good sign.
    pub series: Vec<Series>,
    /// One sentence for a tired person.
    pub summary: String,
}

/// One question to one plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum PluginCall {
    /// Run a smoke test.
    RunSmokeTest {
        /// Plugin name as in `plugins.yaml`.
        plugin: String,
        /// The context.
        invocation: Invocation,
    },
    /// Ask a metric provider for the numbers of one window.
    EvaluateMetrics {
        /// Plugin name.
        plugin: String,
        /// The context.
        invocation: Invocation,
        /// First millisecond of the window, since 1970-01-01 UTC.
        from_unix_ms: u64,
        /// First millisecond after it.
        to_unix_ms: u64,
    },
    /// Ask a strategy for the plan.
    Plan {
        /// Plugin name.
        plugin: String,
        /// The context.
        invocation: Invocation,
    },
    /// Ask a strategy whether to go on.
    Judge {
        /// Plugin name.
        plugin: String,
        /// The context.
        invocation: Invocation,
        /// The step that is being left.
        step: PlanStep,
        /// What was seen in it.
        observations: Vec<StepObservation>,
    },
    /// Tell people.
    Notify {
        /// Plugin name.
        plugin: String,
        /// The context.
        invocation: Invocation,
        /// What to tell.
        event: Event,
    },
    /// Open a request for a decision. Comes again with the same idempotency key after a restart.
    AskApproval {
        /// Plugin name.
        plugin: String,
        /// The context. Its attribute [`APPROVAL_REQUEST`] holds what an approver has to see.
        invocation: Invocation,
    },
    /// Look after an open request.
    PollApproval {
        /// Plugin name.
        plugin: String,
        /// The context, with the facts as they are now.
        invocation: Invocation,
        /// What the plugin answered last.
        ticket: String,
    },
    /// Take an open request back. A late decision is void with or without it.
    WithdrawApproval {
        /// Plugin name.
        plugin: String,
        /// The context; the facts say why the request closed.
        invocation: Invocation,
        /// What the plugin answered last.
        ticket: String,
    },
    /// Let a plugin read a callback whose signature and sender the host has verified.
    ApprovalCallback {
        /// Plugin name.
        plugin: String,
        /// The context.
        invocation: Invocation,
        /// What the plugin answered last.
        ticket: String,
        /// The headers that the host lets through.
        headers: Vec<(String, String)>,
        /// The verified body: the JSON document, out of whatever form carried it.
        body: Vec<u8>,
    },
    /// Ask whether a plugin accepts these settings, before anything depends on them.
    ValidateSettings {
        /// Plugin name.
        plugin: String,
        /// The settings.
        settings: serde_json::Value,
    },
}

/// One complaint about settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsIssue {
    /// JSON pointer into the settings.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PluginAnswer {
    /// To `RunSmokeTest`. The host has already turned a passing report with a failing check to `Fail`.
    Report(Report),
    /// To `EvaluateMetrics`. The host has refused what is no number.
    Measurement(Measurement),
    /// To `Plan`.
    Plan(Vec<PlanStep>),
    /// To `Judge`.
    Judgement(Judgement),
    /// To `Notify`: a thread reference.
    Notified(Option<String>),
    /// To `AskApproval` and `PollApproval`.
    Approval(ApprovalStatus),
    /// To `WithdrawApproval`.
    Withdrawn,
    /// To `ApprovalCallback`. None: the callback is not about this request.
    ApprovalCallback(Option<ApprovalStatus>),
    /// To `ValidateSettings`: empty means accepted.
    Settings(Vec<SettingsIssue>),
    /// The plugin is missing, trapped, timed out, or said that it could not do the job.
    Failed(PluginFault),
}

impl PluginAnswer {
    /// Why this is no answer to what was asked, for whoever expected another kind of answer.
    pub fn no_answer(&self) -> String {
        match self {
            PluginAnswer::Failed(fault) => format!("[{}] {}", fault.code, fault.message),
            PluginAnswer::Report(_)
            | PluginAnswer::Measurement(_)
            | PluginAnswer::Plan(_)
            | PluginAnswer::Judgement(_)
            | PluginAnswer::Notified(_)
            | PluginAnswer::Approval(_)
            | PluginAnswer::Withdrawn
            | PluginAnswer::ApprovalCallback(_)
            | PluginAnswer::Settings(_) => {
                "the answer is of another kind than the question".to_owned()
            }
        }
    }
}

/// Why a call gave no answer. Never a verdict about the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginFault {
    /// Stable code such as `plugin/missing`, `plugin/cpu-budget`, `plugin/deadline`,
    /// `plugin/trap`, `plugin/memory`, `plugin/said-unavailable`.
    pub code: String,
    /// What happened, where and what to do, for people. No raw trace.
    pub message: String,
    /// Whether the same call may succeed later without a person's help.
    pub retryable: bool,
}

/// What the host says about one plugin that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginInfo {
    /// Name as in `plugins.yaml`.
    pub name: String,
    /// Its kind.
    pub kind: PluginKind,
    /// Its own version.
    pub version: String,
    /// `sha256:…` of the component.
    pub digest: String,
    /// The error card of the newest load attempt, where an older version keeps serving.
    pub problem: Option<String>,
}
