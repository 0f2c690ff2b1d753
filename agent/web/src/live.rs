//! Tells open pages that something changed, by server-sent events. A notice carries no content: the
//! page fetches its fragment again, so that nothing is lost by a break; after every (re)connection
//! it fetches once.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use kube::ResourceExt;
use serde::Serialize;
use sluice_controller::World;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::Instant;

use crate::app::App;
use crate::problem::Problem;

/// Open streams at most. Each costs a connection and a place in the channel.
const STREAMS: usize = 64;
/// Notices that a slow page may be behind; then it is told to fetch everything.
const BACKLOG: usize = 128;
/// How often the caches are compared while a page is open.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Changes in one look that are named one by one.
const NAMED: usize = 32;
/// A comment so often keeps proxies from closing the stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after so long and the page comes back: sign-ins end, and servers are replaced.
const LIFETIME: Duration = Duration::from_secs(600);
/// Milliseconds after which a page comes back.
const RETRY: Duration = Duration::from_secs(2);

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Notice {
    /// A Rollout, or votes and wishes about it.
    Rollout {
        namespace: String,
        name: String,
        pipeline: String,
        phase: String,
    },
    /// A Pipeline, or wishes about it.
    Pipeline { namespace: String, name: String },
    /// The policy, or more than can be named.
    Everything,
}

/// The open streams.
pub(crate) struct Live {
    changes: broadcast::Sender<Notice>,
    streams: Arc<Semaphore>,
    wanted: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            changes: broadcast::Sender::new(BACKLOG),
            streams: Arc::new(Semaphore::new(STREAMS)),
            wanted: Notify::new(),
        }
    }
}

/// Compares the caches while anybody watches. Idle, it holds what it saw last, so that the next
/// watcher hears of everything since.
pub(crate) async fn follow(app: &App) {
    let mut seen = Seen::default();
    let mut policy = app.policy.clone();
    loop {
        if app.live.changes.receiver_count() == 0 {
            app.live.wanted.notified().await;
        }
        let mut notices = seen.compare(&app.world);
        if policy.has_changed().unwrap_or(false) {
            policy.mark_unchanged();
            notices.insert(Notice::Everything);
        }
        if notices.len() > NAMED || notices.contains(&Notice::Everything) {
            notices = BTreeSet::from([Notice::Everything]);
        }
        for notice in notices {
            // An error means that the last page was closed just now.
            let _ = app.live.changes.send(notice);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Opens a stream for one page.
pub(crate) fn open(app: &App) -> Result<Response, Problem> {
    let place = Arc::clone(&app.live.streams)
        .try_acquire_owned()
        .map_err(|_| Problem::busy("the places for live pages"))?;
    let changes = app.live.changes.subscribe();
    app.live.wanted.notify_one();
    let stream = notices(changes, place);
    Ok(Sse::new(stream)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text(""))
        .into_response())
}

fn notices(
    changes: broadcast::Receiver<Notice>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let end = Instant::now() + LIFETIME;
    let hello = Event::default().event("hello").retry(RETRY).data("{}");
    futures::stream::unfold(
        (changes, place, Some(hello)),
        move |(mut changes, place, hello)| async move {
            if let Some(hello) = hello {
                return Some((Ok(hello), (changes, place, None)));
            }
            let notice = tokio::select! {
                received = changes.recv() => match received {
                    Ok(notice) => notice,
                    Err(broadcast::error::RecvError::Lagged(_)) => Notice::Everything,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                () = tokio::time::sleep_until(end) => return None,
            };
            let text = serde_json::to_string(&notice).unwrap_or_else(|_| "{}".to_owned());
            let event = Event::default().event("change").data(text);
            Some((Ok(event), (changes, place, None)))
        },
    )
}

/// The versions of all objects at the last look.
#[derive(Default)]
struct Seen {
    versions: HashMap<Key, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: &'static str,
    namespace: String,
    name: String,
}

impl Seen {
    /// What is new, different or gone since the last look.
    fn compare(&mut self, world: &World) -> BTreeSet<Notice> {
        let mut now: HashMap<Key, (String, Notice)> = HashMap::new();
        for p in world.pipelines.state() {
            let notice = pipeline(p.namespace(), p.name_any());
            now.insert(key("pipeline", p.as_ref()), (version(p.as_ref()), notice));
        }
        for r in world.rollouts.state() {
            let notice = rollout(world, r.namespace(), r.name_any());
            now.insert(key("rollout", r.as_ref()), (version(r.as_ref()), notice));
        }
        for a in world.approvals.state() {
            let notice = rollout(world, a.namespace(), a.spec.rollout.clone());
            now.insert(key("approval", a.as_ref()), (version(a.as_ref()), notice));
        }
        for r in world.requests.state() {
            let notice = match (&r.spec.rollout, &r.spec.pipeline) {
                (Some(name), _) => rollout(world, r.namespace(), name.clone()),
                (None, Some(name)) => pipeline(r.namespace(), name.clone()),
                (None, None) => Notice::Everything,
            };
            now.insert(key("request", r.as_ref()), (version(r.as_ref()), notice));
        }
        let mut notices: BTreeSet<Notice> = now
            .iter()
            .filter(|(key, (version, _))| self.versions.get(key) != Some(version))
            .map(|(_, (_, notice))| notice.clone())
            .collect();
        // What is gone can only be told by its own name.
        for gone in self.versions.keys().filter(|key| !now.contains_key(key)) {
            let (namespace, name) = (Some(gone.namespace.clone()), gone.name.clone());
            notices.insert(match gone.kind {
                "rollout" => rollout(world, namespace, name),
                "pipeline" => pipeline(namespace, name),
                _ => Notice::Everything,
            });
        }
        self.versions = now
            .into_iter()
            .map(|(key, (version, _))| (key, version))
            .collect();
        notices
    }
}

fn key<K: ResourceExt>(kind: &'static str, object: &K) -> Key {
    Key {
        kind,
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    }
}

fn version<K: ResourceExt>(object: &K) -> String {
    object.resource_version().unwrap_or_default()
}

fn pipeline(namespace: Option<String>, name: String) -> Notice {
    Notice::Pipeline {
        namespace: namespace.unwrap_or_default(),
        name,
    }
}

fn rollout(world: &World, namespace: Option<String>, name: String) -> Notice {
    let namespace = namespace.unwrap_or_default();
    let found = world.rollout(&namespace, &name);
    let pipeline = found
        .as_ref()
        .map(|r| r.spec.body.pipeline.clone())
        .unwrap_or_default();
    let phase = found.and_then(|r| r.status.as_ref().map(|j| j.state.phase()));
    Notice::Rollout {
        namespace,
        name,
        pipeline,
        phase: phase.unwrap_or_default().to_owned(),
    }
}
