//! Whether the API server pins a vote to its voter (reliability.md A4). It is tried, not assumed: a vote
//! in another's name, as a dry run, must be refused. Where it is not, anybody whom RBAC lets write
//! votes could sign as anybody, and such votes count for nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use sluice_cluster::crd::Request;
use sluice_cluster::own::votes_are_guarded;
use sluice_core::approval::Channel;
use tokio::time::Instant;

use crate::context::Context;

/// How long an answer is good for: admission policies are removed seldom, and put back seldom.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// What whoever asks for something that loosens is told where their name is not to be relied on.
pub(crate) const NOT_BELIEVED: &str = "the API server does not refuse what somebody writes in another's \
    name, so it is not sure who asks for this: install the chart's admission policies, or ask by the \
    web page";

/// The last sure answer for each namespace.
#[derive(Default)]
pub(crate) struct Guards {
    seen: Mutex<HashMap<String, (bool, Instant)>>,
}

impl Guards {
    fn known(&self, namespace: &str) -> Option<bool> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (guarded, at) = seen.get(namespace)?;
        (at.elapsed() < GOOD_FOR).then_some(*guarded)
    }

    fn learned(&self, namespace: &str, guarded: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(namespace.to_owned(), (guarded, Instant::now()));
    }
}

/// Whether a wish is surely of whom it names.
pub(crate) async fn believed(context: &Context, request: &Request) -> bool {
    let namespace = request.namespace().unwrap_or_default();
    request.spec.channel != Channel::Kubernetes || hold(context, &namespace).await
}

/// Whether votes that people write themselves can be believed there. No sure answer is a no.
pub(crate) async fn hold(context: &Context, namespace: &str) -> bool {
    if let Some(guarded) = context.guards.known(namespace) {
        return guarded;
    }
    match votes_are_guarded(&context.client, namespace).await {
        Ok(guarded) => {
            if !guarded {
                tracing::error!(
                    namespace,
                    "a vote in another's name was not refused: votes by kubectl and CLI do not count \
                     until the chart's admission policies are in force"
                );
            }
            context.guards.learned(namespace, guarded);
            guarded
        }
        Err(fault) => {
            tracing::warn!(namespace, %fault, "cannot tell whether votes are guarded: they wait");
            false
        }
    }
}
