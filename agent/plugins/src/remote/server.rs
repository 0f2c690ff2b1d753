//! The host's end: takes calls and questions about the state over the socket, from its own user alone.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sluice_core::hash::sha256_hex;
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginFault};
use sluice_core::port::PluginHost as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{CALL_BYTES, CALL_PATH, STATE_PATH, STATE_WAIT, State, check, socket};
use crate::host::{Catalog, Host};

/// Calls that are worked on at once: the host runs 16, and those that wait for a slot must not pile up.
const CALLS: usize = 64;
/// Askers for the state at once: the agent, probes, and an agent that is going while another comes.
const WATCHERS: usize = 8;
/// Connections at once: the two above, and some that have not said yet what they want.
const CONNECTIONS: usize = 96;
/// How long a question may take to arrive. It comes from the same machine.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Longest life of a connection: more than any call takes, for an asker who does not read the answer.
const LONGEST: Duration = Duration::from_secs(20 * 60);
/// How often the catalog is compared with the one that was told last: two pointers.
const LOOK: Duration = Duration::from_millis(200);
/// Rest after the system refused a connection, such as for want of file descriptors.
const RECOVER: Duration = Duration::from_millis(100);

/// Serves `host` on `listener` until it is dropped, which ends every call.
pub async fn serve(host: Host, listener: UnixListener) {
    serve_for(host, listener, socket::own()).await;
}

pub(super) async fn serve_for(host: Host, listener: UnixListener, owner: u32) {
    let desk = Arc::new(Desk {
        host,
        told: Mutex::default(),
        calls: Semaphore::new(CALLS),
        watchers: Semaphore::new(WATCHERS),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) if socket::is_of(&stream, owner) => {
                let desk = desk.clone();
                tasks.spawn(async move {
                    attend(&desk, stream).await;
                    drop(place);
                });
            }
            Ok(_) => tracing::warn!("a process of another user came to the plugin host's socket"),
            Err(error) => {
                tracing::warn!(%error, "the plugin host's socket");
                tokio::time::sleep(RECOVER).await;
            }
        }
    }
}

/// One connection, one request. Whoever goes away takes their call with them.
async fn attend(desk: &Arc<Desk>, stream: UnixStream) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(desk.answer(request).await) });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ARRIVAL)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(LONGEST, served).await {
        tracing::debug!(%error, "a connection to the plugin host broke");
    }
}

struct Desk {
    host: Host,
    told: Mutex<Option<Told>>,
    calls: Semaphore,
    watchers: Semaphore,
}

/// The state as it was written last, and what of.
#[derive(Clone)]
struct Told {
    of: Arc<Catalog>,
    version: String,
    json: Bytes,
}

type Answer = Response<Full<Bytes>>;

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        if method == Method::POST && path == CALL_PATH {
            return self.call(request.into_body()).await;
        }
        match path.strip_prefix(STATE_PATH) {
            Some(known) if method == Method::GET => self.state(known).await,
            Some(_) | None => plain(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    async fn call(&self, body: Incoming) -> Answer {
        let Ok(_place) = self.calls.try_acquire() else {
            return json(&PluginAnswer::Failed(busy()));
        };
        let arrives = Limited::new(body, CALL_BYTES).collect();
        let bytes = match tokio::time::timeout(ARRIVAL, arrives).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the question is too large"),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the question did not arrive"),
        };
        match serde_json::from_slice::<PluginCall>(&bytes) {
            Ok(call) => json(&self.host.call(call).await),
            Err(error) => {
                tracing::warn!(%error, "a question that is none");
                plain(StatusCode::BAD_REQUEST, "the question is not understood")
            }
        }
    }

    async fn state(&self, known: &str) -> Answer {
        let Ok(_place) = self.watchers.try_acquire() else {
            return plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many ask for the state",
            );
        };
        let until = tokio::time::Instant::now() + STATE_WAIT;
        loop {
            let told = self.now();
            if told.version != known || tokio::time::Instant::now() >= until {
                return ready(told.json);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The state, written anew only where the catalog is another.
    fn now(&self) -> Told {
        let of = self.host.catalog_now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = told.as_ref().filter(|told| Arc::ptr_eq(&told.of, &of)) {
            return told.clone();
        }
        let mut state = check::cut(State {
            version: String::new(),
            plugins: self.host.catalog(),
            problems: self.host.problems(),
        });
        state.version = sha256_hex(&serde_json::to_vec(&state).unwrap_or_default());
        let fresh = Told {
            of,
            json: Bytes::from(serde_json::to_vec(&state).unwrap_or_default()),
            version: state.version,
        };
        *told = Some(fresh.clone());
        fresh
    }
}

fn busy() -> PluginFault {
    PluginFault {
        code: "plugin/busy".to_owned(),
        message: format!(
            "the plugin host works on {CALLS} calls already and took no other; it is tried again"
        ),
        retryable: true,
    }
}

fn json(answer: &PluginAnswer) -> Answer {
    match serde_json::to_vec(answer) {
        Ok(bytes) => ready(Bytes::from(bytes)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the answer cannot be written",
            )
        }
    }
}

fn ready(json: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(json));
    answer.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    answer
}

fn plain(status: StatusCode, words: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *answer.status_mut() = status;
    answer
}
