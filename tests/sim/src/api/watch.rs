//! Watches: a cursor into the log of changes, pulled by whoever reads the stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http_body::Frame;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::error::ApiError;
use crate::api::read::Scope;
use crate::api::store::{Change, ChangeKind, Object};
use crate::client::Instance;
use crate::fault::{Condition, Horizon};
use crate::model::Model;
use crate::server::Server;

/// How a watch is asked to start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    /// `resourceVersion`; nothing or 0 begins with what is there.
    pub(crate) version: Option<u64>,
    /// `sendInitialEvents=true`: begin with what is there and say where that ends.
    pub(crate) initial: bool,
    /// `allowWatchBookmarks=true`.
    pub(crate) bookmarks: bool,
    /// `timeoutSeconds`.
    pub(crate) timeout: Option<Duration>,
}

/// Events per chunk, so that a long replay does not hold the lock.
const BATCH: usize = 256;

/// The default life of a watch. The real server draws one between 30 and 60 minutes.
const LIFE: Duration = Duration::from_secs(1800);

struct Watch {
    server: Arc<Server>,
    caller: Arc<Instance>,
    scope: Scope,
    id: u64,
    cursor: u64,
    /// The state that the watch begins with, until it is sent.
    pending: Vec<u8>,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    head: watch::Receiver<u64>,
    ended: bool,
}

/// What one look at the log gave.
enum Look {
    Send(Bytes),
    Last(Bytes),
    End,
    Wait(Option<Instant>),
}

/// Opens a watch. The stream never fails; it ends, or it hangs when its client has crashed.
pub(crate) fn open(
    server: Arc<Server>,
    caller: Arc<Instance>,
    scope: Scope,
    start: Start,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    let now = Instant::now();
    let watch = {
        let mut model = server.lock();
        let Horizon {
            version: ceiling, ..
        } = model.horizon(&caller.user.name, now);
        let id = model.faults.open_watch();
        let from_state = start.initial || start.version.is_none_or(|version| version == 0);
        let mut pending = Vec::new();
        let cursor = if from_state {
            let view = model
                .store
                .view(scope.resource, scope.namespace.as_deref(), ceiling);
            for object in view.values().filter(|object| scope.matches(object.value())) {
                pending.extend_from_slice(&line("ADDED", &scope.shape.bytes(object)));
            }
            if start.initial {
                pending.extend_from_slice(&bookmark(&scope, ceiling, true));
            }
            ceiling
        } else {
            start.version.unwrap_or_default()
        };
        let every = model.timing.bookmarks;
        let head = model.head();
        drop(model);
        Watch {
            server,
            caller,
            scope,
            id,
            cursor,
            pending,
            bookmarks: start.bookmarks,
            next_bookmark: now + every,
            deadline: now + start.timeout.unwrap_or(LIFE),
            head,
            ended: false,
        }
    };
    futures::stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next().await?;
        Some((Ok(Frame::data(chunk)), watch))
    })
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.ended {
                return None;
            }
            self.caller.resumed().await;
            self.caller.hang_if_crashed().await;
            if !self.pending.is_empty() {
                return Some(Bytes::from(std::mem::take(&mut self.pending)));
            }
            self.head.mark_unchanged();
            let wake = match self.look() {
                Look::Send(chunk) => return Some(chunk),
                Look::Last(chunk) => {
                    self.ended = true;
                    return Some(chunk);
                }
                Look::End => return None,
                Look::Wait(wake) => wake,
            };
            let caller = Arc::clone(&self.caller);
            tokio::select! {
                changed = self.head.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                }
                () = sleep_until(wake) => {}
                () = caller.crashed() => {}
            }
        }
    }

    fn look(&mut self) -> Look {
        let server = Arc::clone(&self.server);
        let mut model = server.lock();
        let now = Instant::now();
        match model.faults.condition(&self.caller.user.name, self.id) {
            Condition::Well => {}
            Condition::Wedged => return Look::Wait(None),
            Condition::Closed => return Look::End,
            Condition::Expired => return self.expired(&model),
        }
        if self.cursor < model.store.compacted() {
            return self.expired(&model);
        }
        let horizon = model.horizon(&self.caller.user.name, now);
        let chunk = self.collect(&mut model, horizon.version);
        if !chunk.is_empty() {
            return Look::Send(Bytes::from(chunk));
        }
        if now >= self.deadline {
            // Like the real server: one more bookmark, so that the client resumes from here.
            return if self.bookmarks {
                Look::Last(bookmark(&self.scope, self.cursor, false))
            } else {
                Look::End
            };
        }
        if self.bookmarks && now >= self.next_bookmark {
            self.next_bookmark = now + model.timing.bookmarks;
            return Look::Send(bookmark(&self.scope, self.cursor, false));
        }
        let mut wake = self.deadline;
        if self.bookmarks {
            wake = wake.min(self.next_bookmark);
        }
        if let Some(later) = horizon.wake {
            wake = wake.min(later);
        }
        Look::Wait(Some(wake))
    }

    /// The events from the cursor up to a version, and the cursor moved past them.
    fn collect(&mut self, model: &mut Model, ceiling: u64) -> Vec<u8> {
        let mut chunk = Vec::new();
        // Where faults ate a whole batch there may be more behind it.
        while chunk.is_empty() && self.cursor < ceiling {
            let mut lines = Vec::new();
            let mut cursor = ceiling;
            for change in model.store.since(self.cursor) {
                if change.version > ceiling {
                    break;
                }
                if lines.len() == BATCH {
                    cursor = change.version - 1;
                    break;
                }
                lines.extend(self.event(change));
            }
            self.cursor = cursor;
            for event in lines {
                if !model
                    .faults
                    .lose_event(&self.caller.user.name, self.scope.resource)
                {
                    chunk.extend_from_slice(&event);
                }
            }
        }
        chunk
    }

    /// The event that this watch sees: entering a selector is ADDED, leaving it is DELETED.
    fn event(&self, change: &Change) -> Option<Bytes> {
        let here = change.key.resource == self.scope.resource
            && self
                .scope
                .namespace
                .as_ref()
                .is_none_or(|wanted| *wanted == change.key.namespace);
        if !here {
            return None;
        }
        let matched = |object: &Object| self.scope.matches(object.value());
        let before = change.before.as_deref().is_some_and(matched);
        let after = change.kind != ChangeKind::Deleted && matched(&change.after);
        let kind = match (before, after) {
            (false, false) => return None,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        Some(line(kind, &self.scope.shape.bytes(&change.after)))
    }

    fn expired(&self, model: &Model) -> Look {
        let status = ApiError::expired(self.cursor, model.store.compacted()).to_status();
        Look::Last(line("ERROR", status.to_string().as_bytes()))
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

fn line(kind: &str, object: &[u8]) -> Bytes {
    let mut line = format!("{{\"type\":\"{kind}\",\"object\":").into_bytes();
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    Bytes::from(line)
}

fn bookmark(scope: &Scope, version: u64, end_of_initial: bool) -> Bytes {
    let mut object = json!({
        "kind": scope.resource.info().kind,
        "apiVersion": scope.resource.api_version(),
        "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null },
    });
    if end_of_initial {
        let path = ["metadata", "annotations", "k8s.io/initial-events-end"];
        crate::json::set(&mut object, &path, json!("true"));
    }
    line("BOOKMARK", object.to_string().as_bytes())
}
