//! Proof, on a real API server, of what the charts' guards refuse and what they let through.
//!
//! Both charts are installed, and no agent is running: it would act on what is made here. People and
//! the agent are impersonated by an administrator, with rights so wide that RBAC refuses nothing: what
//! is refused then is refused by a guard.

use std::fmt;

use anyhow::Context as _;
use kube::Config;

mod actor;
mod epoch;
mod fields;
mod objects;
mod pipelines;
mod rollouts;
mod routes;
mod stage;
mod status;
mod votes;
mod workloads;

pub use actor::{Actor, Kind};

/// Where the charts are installed.
#[derive(Clone, Debug)]
pub struct Install {
    /// Namespace of Pipelines.
    pub pipelines: String,
    /// A namespace of targets.
    pub target: String,
    /// The agent as the API server names it: `system:serviceaccount:NAMESPACE:NAME`.
    pub agent: String,
}

/// One attempt, and what became of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// Who tried what.
    pub what: String,
    /// Part of the message with which it must be refused. `None`: it must be let through.
    pub refusal: Option<&'static str>,
    /// What the API server said: nothing, where it did it.
    pub answer: Result<(), String>,
}

impl Case {
    /// Whether it came out as it must.
    pub fn holds(&self) -> bool {
        match (&self.answer, self.refusal) {
            (Ok(()), None) => true,
            (Err(message), Some(part)) => message.contains(part),
            (Ok(()), Some(_)) | (Err(_), None) => false,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.holds() { "ok  " } else { "FAIL" };
        write!(f, "{mark} {}: ", self.what)?;
        match (&self.answer, self.refusal) {
            (Ok(()), None) => write!(f, "done"),
            (Ok(()), Some(part)) => write!(f, "DONE, should be refused with {part:?}"),
            (Err(message), Some(_)) => write!(f, "refused: {message}"),
            (Err(message), None) => write!(f, "REFUSED, should be done: {message}"),
        }
    }
}

/// The table of cases, in the order in which they were tried.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Case>);

impl Table {
    fn refused(&mut self, part: &'static str, what: &str, answer: Result<(), String>) {
        self.note(Some(part), what, answer);
    }

    fn done(&mut self, what: &str, answer: Result<(), String>) {
        self.note(None, what, answer);
    }

    fn note(&mut self, refusal: Option<&'static str>, what: &str, answer: Result<(), String>) {
        self.0.push(Case {
            what: what.to_owned(),
            refusal,
            answer,
        });
    }
}

/// Tries everything, and cleans up. Whether each case [holds](Case::holds) is for the caller to ask.
///
/// # Errors
/// The scene could not be set: the charts are not there, or `admin` may not impersonate.
pub async fn prove_guards(admin: &Config, install: &Install) -> anyhow::Result<Vec<Case>> {
    let stage = stage::Stage::set(admin, install)
        .await
        .context("the scene could not be set")?;
    let mut table = Table::default();
    let played = async {
        votes::prove(&stage, &mut table).await;
        rollouts::prove(&stage, &mut table).await?;
        status::prove(&stage, &mut table).await?;
        pipelines::prove(&stage, &mut table).await;
        workloads::prove(&stage, &mut table).await;
        objects::prove(&stage, &mut table).await?;
        routes::prove(&stage, &mut table).await?;
        epoch::prove(&stage, &mut table).await;
        anyhow::Ok(())
    }
    .await;
    stage.clear().await;
    played?;
    Ok(table.0)
}
