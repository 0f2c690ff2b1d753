//! Why a Rollout is where it is, as a value. One sentence is made of it here, once, and the CLI, the
//! web page, notifications and `kubectl` show that.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugin::Outcome;
use crate::router::percent;

/// The reason for the present state. Holds nothing that changes without a decision, so that waiting
/// costs no write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all_fields = "camelCase")]
#[schemars(transform = crate::structural::one_object)]
pub enum Why {
    /// Another Rollout of the same target goes first.
    WaitsForRollout {
        /// Its name.
        name: String,
        /// What it deploys.
        title: String,
    },
    /// The policy wants an image to have been known for a while.
    TooYoung {
        /// Until when.
        until: Timestamp,
    },
    /// The target was never seen healthy, so there would be nothing to roll back to.
    NoBaseline,
    /// The policy closes the environment.
    Closed {
        /// The policy's reason.
        reason: String,
    },
    /// The strategy is being asked for the plan.
    AskingForPlan {
        /// The plugin.
        plugin: String,
    },
    /// The strategy could not answer; it will be asked again.
    StrategyUnavailable {
        /// The plugin.
        plugin: String,
        /// What it or the host said.
        message: String,
    },
    /// A plugin that is needed is not loaded.
    PluginMissing {
        /// The plugins.
        plugins: Vec<String>,
    },
    /// Votes are missing.
    WaitsForVotes {
        /// Roles without a vote.
        missing: Vec<String>,
        /// `role: person` of the votes that count.
        given: Vec<String>,
        /// Votes that do not count, each with its reason.
        ignored: Vec<String>,
        /// When the request lapses.
        expires_at: Timestamp,
    },
    /// The votes are in; the wait timer runs.
    WaitsForTimer {
        /// Until when.
        until: Timestamp,
    },
    /// The change window is closed.
    WindowClosed {
        /// The policy's reason.
        reason: String,
        /// When that changes, if it is known.
        until: Option<Timestamp>,
    },
    /// The target carries the claim of another Rollout that is not over.
    Claimed {
        /// That Rollout.
        by: String,
    },
    /// A person stopped everything.
    Stopped {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// When the stop lifts by itself.
        until: Option<Timestamp>,
    },
    /// As many Rollouts are under way as the policy lets be.
    WaitsForSlot {
        /// The limit.
        limit: u32,
        /// Where it holds: an environment, or all of them.
        scope: String,
        /// Those under way or before this one, some of them.
        running: Vec<String>,
    },
    /// A person paused it.
    Paused {
        /// Who.
        by: String,
    },
    /// Somebody else changed the target's pod template.
    Drifted {
        /// What was found and what to do.
        message: String,
    },
    /// Somebody else changed the target's number of pods.
    Rescaled {
        /// What was found and what to do.
        message: String,
    },
    /// Something could not be read from the cluster.
    CannotSee {
        /// What, and why.
        what: String,
    },
    /// Pods are being started, moved or removed.
    MovesPods {
        /// The step, for people from 1; none while rolling back.
        step: Option<u32>,
        /// The share that the candidate is to have, in basis points.
        share_bp: u16,
    },
    /// Pods were asked for and are not all ready.
    WaitsForPods {
        /// The Deployment.
        deployment: String,
        /// Ready pods wanted.
        replicas: u32,
        /// When waiting ends in a rollback; none while rolling back.
        until: Option<Timestamp>,
    },
    /// Checks run.
    Checking {
        /// The step, for people from 1.
        step: u32,
        /// Checks without a verdict.
        running: Vec<String>,
    },
    /// A check could not be told; it runs again. Nothing moves meanwhile.
    CheckInconclusive {
        /// The step, for people from 1.
        step: u32,
        /// The check.
        check: String,
        /// Its last answer.
        outcome: Outcome,
        /// In its words.
        message: String,
        /// When waiting ends in a rollback.
        until: Timestamp,
    },
    /// All checks passed; the step is watched.
    Holds {
        /// The step, for people from 1.
        step: u32,
        /// The share of the candidate, in basis points.
        share_bp: u16,
        /// Until when.
        until: Timestamp,
    },
    /// The strategy is asked whether to go on.
    Judging {
        /// The plugin.
        plugin: String,
    },
    /// The strategy wants more time.
    StrategyHolds {
        /// The plugin.
        plugin: String,
        /// Asked again then.
        until: Timestamp,
    },
    /// A person has to open the next step.
    WaitsForGate {
        /// The gate's name.
        gate: String,
    },
    /// The target is being claimed, before anything else is written.
    Prepares,
    /// A Job runs that has to end first.
    RunsHook {
        /// The hook.
        hook: String,
        /// Its Job.
        job: String,
        /// When waiting for it ends.
        until: Timestamp,
        /// What its pod waits for, where it does.
        waits_for: Option<String>,
    },
    /// Before anything may change, something has to be put right.
    NotReady {
        /// Everything that is wrong, one sentence each.
        problems: Vec<String>,
    },
    /// The router is being told to send another share to the candidate.
    ShiftsTraffic {
        /// The step, for people from 1; none while going back or finishing.
        step: Option<u32>,
        /// The object that is written.
        object: String,
        /// The share that the candidate is to have, in basis points.
        share_bp: u16,
    },
    /// Metrics of the step are being judged.
    Analysing {
        /// The step, for people from 1.
        step: u32,
        /// Analyses without enough good measurements yet.
        running: Vec<String>,
        /// When waiting ends in a rollback.
        until: Timestamp,
    },
    /// Metrics could not be judged; nothing moves meanwhile.
    AnalysisInconclusive {
        /// The step, for people from 1.
        step: u32,
        /// The analysis.
        analysis: String,
        /// Why.
        message: String,
        /// When waiting ends in a rollback.
        until: Timestamp,
    },
    /// The candidate was found bad, and the Pipeline wants a person to decide.
    FailedHolds {
        /// What was found.
        message: String,
        /// When it goes back by itself.
        until: Timestamp,
    },
    /// The candidate serves and is watched.
    Watches {
        /// Until when.
        until: Timestamp,
        /// Whether the old version stands beside it for an instant return.
        kept: bool,
    },
    /// It stays; what is left is cleared up.
    Finishes {
        /// What is being done.
        what: String,
    },
    /// The outcome is being written to the Pipeline.
    Records,
    /// The stable revision is being put back.
    RollsBack {
        /// Why.
        reason: String,
    },
    /// Over.
    Ended {
        /// How.
        message: String,
    },
}

impl Why {
    /// The variant's name: bounded, for metric labels.
    pub fn code(&self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| Some(v.get("code")?.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Whether a person or a rule holds it: time that passes so is nobody's delay.
    pub(crate) fn holds(&self) -> bool {
        matches!(
            self,
            Self::Closed { .. }
                | Self::WaitsForVotes { .. }
                | Self::WaitsForTimer { .. }
                | Self::WindowClosed { .. }
                | Self::Claimed { .. }
                | Self::Stopped { .. }
                | Self::WaitsForSlot { .. }
                | Self::Paused { .. }
                | Self::Drifted { .. }
                | Self::Rescaled { .. }
                | Self::FailedHolds { .. }
        )
    }

    /// What a person can do about it, where anything can be done.
    pub fn advice(&self, rollout: &str) -> Option<String> {
        Some(match self {
            Self::WaitsForVotes { .. } => format!(
                "a holder of a missing role decides: `sluice approve {rollout}` or \
                 `sluice reject {rollout} --reason …`"
            ),
            Self::WaitsForRollout { name, .. } => {
                format!(
                    "it starts by itself; `sluice explain {name}` says what the other waits for"
                )
            }
            Self::NoBaseline => "bring the Deployment to health once; it is then adopted as the \
                                 version to roll back to"
                .into(),
            Self::Closed { .. } => {
                "name the environment and the namespace in the policy file".into()
            }
            Self::PluginMissing { plugins } => {
                format!(
                    "load the plugin {}; it continues by itself",
                    plugins.join(", ")
                )
            }
            Self::Stopped { until: None, .. } => {
                "`sluice start --all` lets everything go on, once what it was stopped for is over"
                    .into()
            }
            Self::Paused { .. } => {
                format!("`sluice resume {rollout}` goes on, `sluice abort {rollout}` rolls back")
            }
            Self::WaitsForGate { .. } => {
                format!(
                    "`sluice promote {rollout}` opens the gate, `sluice abort {rollout}` rolls back"
                )
            }
            Self::Drifted { .. } => format!(
                "put the pod template back as it was, or `sluice abort {rollout}` and adopt the \
                 new one with `sluice adopt`"
            ),
            Self::Rescaled { .. } => format!(
                "give it back the number of pods that Sluice set, and it goes on; or `sluice abort \
                 {rollout}`, which keeps the number as it is now"
            ),
            Self::CheckInconclusive { check, .. } => {
                format!("see why {check} could not tell; `sluice abort {rollout}` rolls back now")
            }
            Self::NotReady { .. } => "put these right; it goes on by itself".into(),
            Self::AnalysisInconclusive { analysis, .. } => format!(
                "see why {analysis} has no numbers; `sluice abort {rollout}` rolls back now"
            ),
            Self::FailedHolds { .. } => format!(
                "`sluice rollback {rollout}` goes back now; `sluice promote {rollout}` overrules it, \
                 and what failed is judged anew"
            ),
            Self::Watches { kept: true, .. } => format!(
                "`sluice rollback {rollout}` returns at once; `sluice promote {rollout}` ends the watch"
            ),
            Self::Watches { kept: false, .. } => {
                format!(
                    "`sluice rollback {rollout}` goes back; `sluice promote {rollout}` ends the watch"
                )
            }
            Self::RunsHook { job, .. } => format!("`kubectl logs job/{job}` shows what it does"),
            Self::AskingForPlan { .. }
            | Self::Prepares
            | Self::ShiftsTraffic { .. }
            | Self::Analysing { .. }
            | Self::Finishes { .. }
            | Self::StrategyUnavailable { .. }
            | Self::WaitsForTimer { .. }
            | Self::TooYoung { .. }
            | Self::WindowClosed { .. }
            | Self::Claimed { .. }
            | Self::Stopped { .. }
            | Self::WaitsForSlot { .. }
            | Self::CannotSee { .. }
            | Self::MovesPods { .. }
            | Self::WaitsForPods { .. }
            | Self::Checking { .. }
            | Self::Holds { .. }
            | Self::Judging { .. }
            | Self::StrategyHolds { .. }
            | Self::Records
            | Self::RollsBack { .. }
            | Self::Ended { .. } => return None,
        })
    }
}

/// Instants for people: seconds are enough.
pub(crate) fn clock(at: &Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitsForRollout { name, title } => {
                write!(f, "waits for {name} ({title}), which has the target now")
            }
            Self::TooYoung { until } => {
                write!(
                    f,
                    "the policy's minimum age of an image is reached at {}",
                    clock(until)
                )
            }
            Self::NoBaseline => {
                f.write_str("the target was never seen healthy: there is nothing to roll back to")
            }
            Self::Closed { reason } => write!(f, "the policy closes this environment: {reason}"),
            Self::AskingForPlan { plugin } => write!(f, "asks {plugin} for the plan"),
            Self::StrategyUnavailable { plugin, message } => {
                write!(
                    f,
                    "{plugin} could not answer and will be asked again: {message}"
                )
            }
            Self::PluginMissing { plugins } => {
                write!(f, "holds: plugin not loaded: {}", plugins.join(", "))
            }
            Self::WaitsForVotes {
                missing,
                given,
                ignored,
                expires_at,
            } => {
                write!(f, "waits for a vote of: {}", missing.join(", "))?;
                if !given.is_empty() {
                    write!(f, "; given: {}", given.join(", "))?;
                }
                if !ignored.is_empty() {
                    write!(f, "; not counted: {}", ignored.join(", "))?;
                }
                write!(f, "; lapses at {}", clock(expires_at))
            }
            Self::WaitsForTimer { until } => {
                write!(f, "approved; the wait timer runs until {}", clock(until))
            }
            Self::WindowClosed { reason, until } => {
                write!(f, "the change window is closed: {reason}")?;
                match until {
                    Some(t) => write!(f, "; next change at {}", clock(t)),
                    None => Ok(()),
                }
            }
            Self::Claimed { by } => write!(f, "the target is claimed by {by}, which is not over"),
            Self::Stopped { by, reason, until } => {
                write!(f, "everything is stopped by {by}: {reason}")?;
                match until {
                    Some(until) => write!(f, "; it goes on by itself at {}", clock(until)),
                    None => f.write_str("; `sluice start` lets it go on"),
                }
            }
            Self::WaitsForSlot {
                limit,
                scope,
                running,
            } => {
                write!(
                    f,
                    "waits for its turn: the policy lets {limit} be under way in {scope}"
                )?;
                if running.is_empty() {
                    return Ok(());
                }
                write!(f, "; first come {}", running.join(", "))
            }
            Self::Paused { by } => write!(f, "paused by {by}"),
            Self::Drifted { message } | Self::Rescaled { message } => write!(f, "holds: {message}"),
            Self::CannotSee { what } => write!(f, "holds: {what}"),
            Self::MovesPods {
                step: Some(n),
                share_bp,
            } => {
                write!(
                    f,
                    "step {n}: moves pods until the candidate has {}",
                    percent(*share_bp)
                )
            }
            Self::MovesPods { step: None, .. } => f.write_str("puts the stable version back"),
            Self::WaitsForPods {
                deployment,
                replicas,
                until,
            } => {
                write!(
                    f,
                    "waits until {deployment} has {replicas} ready pods and no others"
                )?;
                match until {
                    Some(t) => write!(f, "; rolls back at {}", clock(t)),
                    None => Ok(()),
                }
            }
            Self::Checking { step, running } => {
                write!(f, "step {step}: runs {}", running.join(", "))
            }
            Self::CheckInconclusive {
                step,
                check,
                outcome,
                message,
                until,
            } => write!(
                f,
                "step {step}: {check} is {}, which is not a pass, and runs again: {message}; rolls \
                 back at {}",
                match outcome {
                    Outcome::Skipped => "skipped",
                    Outcome::Inconclusive | Outcome::Pass | Outcome::Fail => "inconclusive",
                },
                clock(until)
            ),
            Self::Holds {
                step,
                share_bp,
                until,
            } => write!(
                f,
                "step {step}: all checks passed; watches {} of the traffic until {}",
                percent(*share_bp),
                clock(until)
            ),
            Self::Judging { plugin } => write!(f, "asks {plugin} whether to go on"),
            Self::StrategyHolds { plugin, until } => {
                write!(
                    f,
                    "{plugin} wants more time; asked again at {}",
                    clock(until)
                )
            }
            Self::WaitsForGate { gate } => write!(f, "waits for a person to open `{gate}`"),
            Self::Prepares => f.write_str("takes the target, before anything is changed"),
            Self::RunsHook {
                hook,
                job,
                until,
                waits_for,
            } => {
                write!(
                    f,
                    "runs the hook {hook} (Job {job}); it may take until {}",
                    clock(until)
                )?;
                match waits_for {
                    Some(what) => write!(f, "; its pod waits: {what}"),
                    None => Ok(()),
                }
            }
            Self::NotReady { problems } => {
                write!(f, "not ready to begin: {}", problems.join("; "))
            }
            Self::ShiftsTraffic {
                step: Some(n),
                object,
                share_bp,
            } => write!(
                f,
                "step {n}: gives the candidate {} by {object}",
                percent(*share_bp)
            ),
            Self::ShiftsTraffic { object, .. } => {
                write!(
                    f,
                    "gives the traffic back to the target's own pods by {object}"
                )
            }
            Self::Analysing {
                step,
                running,
                until,
            } => write!(
                f,
                "step {step}: measures {}; rolls back at {} without enough good measurements",
                running.join(", "),
                clock(until)
            ),
            Self::AnalysisInconclusive {
                step,
                analysis,
                message,
                until,
            } => write!(
                f,
                "step {step}: {analysis} is inconclusive, which is not a pass: {message}; rolls back \
                 at {}",
                clock(until)
            ),
            Self::FailedHolds { message, until } => write!(
                f,
                "failed, and holds as the pipeline asks: {message}; goes back by itself at {}",
                clock(until)
            ),
            Self::Watches { until, kept } => {
                write!(f, "serves everything; watched until {}", clock(until))?;
                if *kept {
                    f.write_str("; the old version stands beside it for an instant return")?;
                }
                Ok(())
            }
            Self::Finishes { what } => write!(f, "stays; {what}"),
            Self::Records => f.write_str("writes the outcome to the pipeline"),
            Self::RollsBack { reason } => write!(f, "rolls back: {reason}"),
            Self::Ended { message } => f.write_str(message),
        }
    }
}
