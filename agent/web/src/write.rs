//! Calls to the API server: bounded in number and in time, and told to people in words.

use std::future::Future;
use std::time::Duration;

use axum::http::StatusCode;
use kube::api::PostParams;
use kube::{Api, Error, Resource, ResourceExt as _};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::problem::Problem;

/// A call that takes longer is a failure: somebody waits before a page.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Characters of a message of the API server that are passed on.
const MESSAGE_LIMIT: usize = 300;

/// Makes one call. The outer error is ours: no place, or no answer in time.
pub(crate) async fn call<T>(
    places: &Semaphore,
    what: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, Error>, Problem> {
    let in_time = tokio::time::timeout(CALL_TIMEOUT, async {
        // Never closed: the semaphore lives as long as the app.
        let _place = places.acquire().await;
        call.await
    });
    in_time.await.map_err(|_| unanswered(what))
}

fn unanswered(what: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "cluster-silent",
        format!(
            "the API server gave no answer within {} s to: {what}",
            CALL_TIMEOUT.as_secs()
        ),
        "look whether it was done, then try again: doing it twice does no harm",
    )
}

/// What an error of the API server means for whoever waits.
pub(crate) fn problem(what: &str, error: &Error) -> Problem {
    tracing::warn!(what, error = %error, "a call of the web page failed");
    match error {
        Error::Api(status) => Problem::new(
            StatusCode::BAD_GATEWAY,
            "cluster-refused",
            format!(
                "the API server refused to {what}: {}",
                status
                    .message
                    .chars()
                    .take(MESSAGE_LIMIT)
                    .collect::<String>()
            ),
            "the agent's account needs the rights of its chart; an administrator can see more in \
             the agent's log",
        ),
        _ => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "cluster-unreachable",
            format!("the API server could not be asked to {what}"),
            "look whether it was done, then try again: doing it twice does no harm",
        ),
    }
}

/// Whether the object is already there.
fn exists_already(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists")
}

/// Creates an object; the same one that is there already is as good. Tells which it was.
pub(crate) async fn create<K>(
    app: &App,
    api: &Api<K>,
    what: &str,
    object: &K,
    same: impl Fn(&K) -> bool,
) -> Result<bool, Problem>
where
    K: Resource + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    match call(&app.calls, what, api.create(&PostParams::default(), object)).await? {
        Ok(_) => Ok(false),
        Err(e) if exists_already(&e) => {
            let there = call(&app.calls, what, api.get(&object.name_any()))
                .await?
                .map_err(|e| problem(what, &e))?;
            if same(&there) {
                return Ok(true);
            }
            // Somebody took the name for another object: not ours, and not to be trusted.
            Err(Problem::new(
                StatusCode::CONFLICT,
                "name-taken",
                format!("{} exists and says something else", object.name_any()),
                "open the rollout again and look",
            ))
        }
        Err(e) => Err(problem(what, &e)),
    }
}
