//! The agent's end: the core's port over the socket. It never hangs, never panics, and never takes a
//! missing or faulty answer for a good one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginFault, PluginInfo};
use sluice_core::port::{BoxFuture, PluginHost};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::exchange::{self, Fault};
use super::{CALL_BYTES, STATE_BYTES, STATE_GRACE, STATE_PATH, STATE_WAIT, State, check, socket};
use crate::card::Card;
use crate::smoke;

/// A host that is away may be on its way back: a restart takes a second or two. Short enough for a
/// callback, whose sender waits half a minute at most.
const RETURN: Duration = Duration::from_secs(10);
/// One call of a guest at most: half a minute for a slot and twice the largest wall clock limit, as the
/// host promises, and some seconds for the way.
const ONE_CALL: Duration = Duration::from_secs(30 + 2 * 120 + 10);
/// First and longest rest between attempts to find a host.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Least time between two looks at the state: a host that answers at once for ever costs no more.
const PACE: Duration = Duration::from_millis(100);

/// The host of another process. Cheap to clone; all clones are the same. Must be made within a tokio
/// runtime.
#[derive(Clone)]
pub struct RemoteHost {
    at: Arc<Path>,
    owner: u32,
    view: watch::Receiver<Arc<View>>,
    _follow: Arc<AbortOnDropHandle<()>>,
}

/// What is known of the host.
#[derive(Clone, Debug)]
struct View {
    state: State,
    /// Why it is away, if it is.
    away: Option<String>,
}

impl RemoteHost {
    /// Follows the host at `socket` until the last clone is dropped. Nothing serves until it was found:
    /// see [`RemoteHost::found`].
    pub fn connect(socket: impl Into<PathBuf>) -> RemoteHost {
        RemoteHost::of(socket.into(), socket::own())
    }

    fn of(socket: PathBuf, owner: u32) -> RemoteHost {
        let at: Arc<Path> = socket.into();
        let (tell, view) = watch::channel(Arc::new(View {
            state: State::default(),
            away: Some("it was not found yet".to_owned()),
        }));
        let follow = tokio::spawn(follow(at.clone(), owner, tell));
        RemoteHost {
            at,
            owner,
            view,
            _follow: Arc::new(AbortOnDropHandle::new(follow)),
        }
    }

    /// Waits until the host answers, at most so long. Returns whether it does.
    pub async fn found(&self, at_most: Duration) -> bool {
        let mut view = self.view.clone();
        let found = view.wait_for(|view| view.away.is_none());
        matches!(tokio::time::timeout(at_most, found).await, Ok(Ok(_)))
    }

    /// Why the host is away, if it is.
    pub fn away(&self) -> Option<String> {
        self.view.borrow().away.clone()
    }

    /// Everything that is wrong now: with the host, and as it says, with its plugins.
    pub fn problems(&self) -> Vec<Card> {
        let view = self.view.borrow().clone();
        let away = view.away.as_deref().map(|why| away_card(&self.at, why));
        away.into_iter()
            .chain(view.state.problems.iter().cloned())
            .collect()
    }

    async fn ask(&self, call: PluginCall) -> Result<PluginAnswer, PluginFault> {
        let question = serde_json::to_vec(&call)
            .map_err(|error| unusable(format!("the question cannot be written: {error}")))?;
        if question.len() > CALL_BYTES {
            return Err(unusable(format!(
                "the question has {} bytes; at most {CALL_BYTES} are sent",
                question.len()
            )));
        }
        let mut view = self.view.clone();
        if !self.found(RETURN).await {
            let why = self.away().unwrap_or_default();
            return Err(away(&self.at, &why));
        }
        let asked = exchange::call(&self.at, self.owner, Bytes::from(question));
        let asked = tokio::time::timeout(deadline(&call), asked);
        let gone = view.wait_for(|view| view.away.is_some());
        // First what came: an answer counts even where the host is gone by now.
        let answer = tokio::select! {
            biased;
            answer = asked => answer,
            gone = gone => {
                let why = gone.ok().and_then(|view| view.away.clone()).unwrap_or_default();
                return Err(away(&self.at, &why));
            }
        };
        let bytes = match answer {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(Fault::Away(why))) => return Err(away(&self.at, &why)),
            Ok(Err(Fault::Foreign(why))) => return Err(unusable(why)),
            Err(_) => {
                let limit = deadline(&call).as_secs();
                return Err(away(&self.at, &format!("no answer within {limit} s")));
            }
        };
        let answer: PluginAnswer = serde_json::from_slice(&bytes).map_err(|error| {
            tracing::warn!(%error, "an answer of the plugin host");
            unusable("an answer that is not understood".to_owned())
        })?;
        check::answer(&call, answer).map_err(unusable)
    }
}

impl PluginHost for RemoteHost {
    fn call(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        Box::pin(async move { self.ask(call).await.unwrap_or_else(PluginAnswer::Failed) })
    }

    /// What was seen last. Where the host is away it stays, with that as its problem: what a release
    /// needs is known, and calls say that they cannot be made now.
    fn catalog(&self) -> Vec<PluginInfo> {
        let view = self.view.borrow().clone();
        let mut plugins = view.state.plugins.clone();
        if let Some(why) = &view.away {
            let card = away_card(&self.at, why).to_string();
            for plugin in &mut plugins {
                plugin.problem = Some(match plugin.problem.take() {
                    Some(problem) => format!("{card}\n{problem}"),
                    None => card.clone(),
                });
            }
        }
        plugins
    }
}

/// Looks at the host again and again, for as long as it is wanted.
async fn follow(at: Arc<Path>, owner: u32, tell: watch::Sender<Arc<View>>) {
    let [first, longest] = BACK_OFF;
    let mut rest = first;
    loop {
        let view = tell.borrow().clone();
        let known = match &view.away {
            None => view.state.version.as_str(),
            Some(_) => "-",
        };
        let before = Instant::now();
        match look(&at, owner, known).await {
            Ok(state) => {
                rest = first;
                if view.away.is_some() {
                    tracing::info!(at = %at.display(), "the plugin host is there");
                }
                if view.away.is_some() || state != view.state {
                    log(&view.state, &state);
                    tell.send_replace(Arc::new(View { state, away: None }));
                }
                tokio::time::sleep_until(before + PACE).await;
            }
            Err(why) => {
                if view.away.as_ref() != Some(&why) {
                    tracing::warn!(at = %at.display(), why, "the plugin host is away");
                    tell.send_replace(Arc::new(View {
                        state: view.state.clone(),
                        away: Some(why),
                    }));
                }
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(longest);
            }
        }
    }
}

async fn look(at: &Path, owner: u32, known: &str) -> Result<State, String> {
    let path = format!("{STATE_PATH}{known}");
    let asked = exchange::get(at, owner, &path, STATE_BYTES);
    let bytes = match tokio::time::timeout(STATE_WAIT + STATE_GRACE, asked).await {
        Ok(answer) => answer.map_err(|fault| fault.to_string())?,
        Err(_) => return Err("it does not answer any more".to_owned()),
    };
    let state: State = serde_json::from_slice(&bytes).map_err(|error| {
        tracing::debug!(%error, "the state of the plugin host");
        "what it says of itself is not understood".to_owned()
    })?;
    check::state(state)
}

/// What is newly wrong is logged here too: the host's own log may be elsewhere.
fn log(before: &State, now: &State) {
    for card in now
        .problems
        .iter()
        .filter(|card| !before.problems.contains(card))
    {
        tracing::warn!(target: "sluice::plugin", card = %card, "plugin");
    }
}

/// How long a call may take at most. A host that hangs is noticed much sooner, by its state.
fn deadline(call: &PluginCall) -> Duration {
    let pods = match call {
        PluginCall::RunSmokeTest { invocation, .. } => {
            invocation.targets.candidate.len().min(smoke::MAX_PODS)
        }
        PluginCall::EvaluateMetrics { .. }
        | PluginCall::Plan { .. }
        | PluginCall::Judge { .. }
        | PluginCall::Notify { .. }
        | PluginCall::AskApproval { .. }
        | PluginCall::PollApproval { .. }
        | PluginCall::WithdrawApproval { .. }
        | PluginCall::ApprovalCallback { .. }
        | PluginCall::ValidateSettings { .. } => 1,
    };
    let rounds = pods.div_ceil(smoke::PARALLEL).max(1);
    ONE_CALL * u32::try_from(rounds).unwrap_or(1)
}

fn away(at: &Path, why: &str) -> PluginFault {
    PluginFault {
        code: "plugin/host-away".to_owned(),
        message: format!(
            "the plugin host at {} is away: {}; nothing is decided without it, and the agent asks again; look at the log of the host (in a cluster, of the container plugins)",
            at.display(),
            crate::text::line(why, crate::text::LINE)
        ),
        retryable: true,
    }
}

fn away_card(at: &Path, why: &str) -> Card {
    Card::new("plugin/host-away", "the plugin host")
        .effect("is away; what needs a plugin waits")
        .at(at.display().to_string())
        .because(crate::text::line(why, crate::text::LINE))
        .change("nothing, if it comes back by itself; else look at its log (in a cluster, of the container plugins)")
}

fn unusable(why: String) -> PluginFault {
    PluginFault {
        code: "plugin/bad-answer".to_owned(),
        message: format!(
            "the plugin host gave an answer that cannot be used: {}",
            crate::text::line(&why, crate::text::LINE)
        ),
        retryable: true,
    }
}

#[cfg(test)]
mod tests;
