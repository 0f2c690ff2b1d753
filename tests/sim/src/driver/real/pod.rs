//! One pod: an HTTP server that behaves as its image says.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::driver::PodStart;
use crate::image::{Answer, Scene};

/// Connections of one pod at once; more wait to be accepted.
const CONNECTIONS: usize = 4096;

/// How long a connection may take to send a request's head.
const HEAD: Duration = Duration::from_secs(60);

/// How long requests under way may take once the pod has stopped.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// A pod's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Deleted: answers, and closes each connection with its answer.
    Draining,
    Stopped,
}

/// A running pod.
pub(super) struct Pod {
    start: PodStart,
    phase: watch::Sender<Phase>,
    ready: OnceLock<Instant>,
    crashed: AtomicBool,
}

impl Pod {
    pub(super) fn new(start: PodStart) -> Arc<Self> {
        let phase = watch::Sender::new(Phase::Serving);
        Arc::new(Self {
            start,
            phase,
            ready: OnceLock::new(),
            crashed: AtomicBool::new(false),
        })
    }

    /// The pod is ready from now on.
    pub(super) fn ready(&self) {
        self.ready.get_or_init(Instant::now);
    }

    /// The container has exited, or runs again. Connections that were open stay so.
    pub(super) fn crashed(&self, crashed: bool) {
        self.crashed.store(crashed, Ordering::SeqCst);
    }

    pub(super) fn drain(&self) {
        self.phase.send_replace(Phase::Draining);
    }

    pub(super) fn stop(&self) {
        self.phase.send_replace(Phase::Stopped);
    }

    /// Serves one port until the pod stops.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let mut phase = self.phase.subscribe();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                stopped = phase.wait_for(|phase| *phase == Phase::Stopped) => {
                    drop(stopped);
                    break;
                }
                accepted = accept(&listener, &permits) => {
                    // Nobody listens for a container that has exited: whoever comes is turned away.
                    let running = !self.crashed.load(Ordering::SeqCst);
                    if let Some((stream, permit)) = accepted.filter(|_| running) {
                        let pod = Arc::clone(&self);
                        connections.spawn(async move {
                            pod.converse(stream).await;
                            drop(permit);
                        });
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
        drop(listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        // Whoever takes longer is cut off, as by SIGKILL.
        let _ = tokio::time::timeout(LAST_REQUESTS, rest).await;
    }

    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut phase = self.phase.subscribe();
        let pod = Arc::clone(&self);
        let service = service_fn(move |request| {
            let pod = Arc::clone(&pod);
            async move { Ok::<_, Infallible>(pod.answer(&request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let leaving = phase.wait_for(|phase| *phase == Phase::Stopped);
        tokio::pin!(leaving);
        // A client that breaks off is no event here.
        tokio::select! {
            _ = connection.as_mut() => return,
            stopped = &mut leaving => drop(stopped),
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let behaviour = self.start.images.behaviour(&self.start.image_id);
        let (version, answer) = match behaviour {
            Some(behaviour) => {
                let answer = behaviour.answer(request.uri().path(), &self.scene());
                (behaviour.version.clone(), answer)
            }
            None => {
                let body = json!({ "error": "the image was taken away" });
                (
                    String::new(),
                    Answer {
                        status: 500,
                        body,
                        latency: Duration::ZERO,
                    },
                )
            }
        };
        if answer.latency > Duration::ZERO {
            tokio::time::sleep(answer.latency).await;
        }
        let (content_type, body) = match answer.body {
            Value::String(text) => ("text/plain; charset=utf-8", text),
            other => ("application/json", other.to_string()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in [("x-version", &version), ("x-pod", &self.start.name)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if *self.phase.borrow() != Phase::Serving {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn scene(&self) -> Scene {
        let mut scene = self.start.scene.clone();
        if let Some(ready) = self.ready.get() {
            scene.ready_for = Instant::now().saturating_duration_since(*ready);
        }
        scene
    }
}

/// The next connection, once there is room for it.
pub(super) async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(_) => {
            // Out of file descriptors, or a client that was gone before it was taken.
            tokio::time::sleep(Duration::from_millis(10)).await;
            None
        }
    }
}
