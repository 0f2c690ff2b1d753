//! Following one object live, with a limit and through interruptions.

use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watch_object};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, MissedTickBehavior};

use crate::access::Access;
use crate::failure::Failure;

/// How following ended.
#[derive(Debug)]
pub(crate) enum Followed<K> {
    /// The object is as it was waited for.
    Reached(K),
    /// The limit is over.
    TimedOut,
    /// The object was deleted, or never was.
    Gone,
}

/// What whoever follows is shown.
pub(crate) enum Sight<'a, K> {
    /// The object, new or changed.
    Object(&'a K),
    /// Some time went by.
    Tick,
    /// The connection is interrupted; it is made anew by itself.
    Trouble(String),
}

/// How often a tick comes: often enough for a clock in seconds, and for the eye.
const TICK: Duration = Duration::from_millis(250);

/// Follows the object `name` until `each` answers true, for at most `limit`.
///
/// # Errors
/// What `each` could not do, and what no waiting mends: missing rights, an unknown kind.
pub(crate) async fn follow<K>(
    access: &Access,
    name: &str,
    limit: Option<Duration>,
    mut each: impl FnMut(Sight<'_, K>) -> Result<bool, Failure>,
) -> Result<Followed<K>, Failure>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let api: Api<K> = Api::namespaced(access.client.clone(), &access.namespace);
    let mut seen = std::pin::pin!(watch_object(api, name).default_backoff());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = limit.map(|l| Instant::now() + l);
    let mut version = None;
    loop {
        let over = async {
            match end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        let sight = tokio::select! {
            biased;
            sight = seen.next() => sight,
            () = over => return Ok(Followed::TimedOut),
            _ = tick.tick() => {
                each(Sight::Tick)?;
                continue;
            }
        };
        match sight {
            Some(Ok(Some(object))) => {
                // A connection made anew shows the same version again.
                if version == object.resource_version() && version.is_some() {
                    continue;
                }
                version = object.resource_version();
                if each(Sight::Object(&object))? {
                    return Ok(Followed::Reached(object));
                }
            }
            Some(Ok(None)) | None => return Ok(Followed::Gone),
            Some(Err(error)) => {
                let what = format!("{} {name}", K::kind(&()));
                match hopeless(access, &what, error) {
                    Ok(failure) => return Err(failure),
                    Err(trouble) => {
                        each(Sight::Trouble(trouble))?;
                    }
                }
            }
        }
    }
}

/// What no waiting mends, or else a word about the interruption.
fn hopeless(access: &Access, what: &str, error: watcher::Error) -> Result<Failure, String> {
    match error {
        watcher::Error::InitialListFailed(e)
        | watcher::Error::WatchStartFailed(e)
        | watcher::Error::WatchFailed(e) => {
            let lasting =
                matches!(&e, kube::Error::Api(s) if [400, 401, 403, 404].contains(&s.code));
            if lasting {
                Ok(access.fault("watch", what, e))
            } else {
                Err(crate::access::deepest(&e))
            }
        }
        watcher::Error::WatchError(status) => Err(status.message.clone()),
        watcher::Error::NoResourceVersion => Err("an answer without a version".to_owned()),
    }
}
