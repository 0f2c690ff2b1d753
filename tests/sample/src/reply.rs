//! HTTP connections: of the sample, and of the client's control door.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use serde_json::Value;
use tokio::net::TcpStream;

/// From the connection, or the last answer, to the next request.
const IDLE: Duration = Duration::from_secs(10);

/// A whole answer.
pub(crate) type Reply = Response<Full<Bytes>>;

/// A JSON answer; a string is sent as plain text.
pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    let (kind, text) = match body {
        Value::String(text) => ("text/plain; charset=utf-8", text.clone()),
        other => ("application/json", other.to_string()),
    };
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// A text of this kind.
pub(crate) fn text(kind: &'static str, text: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    let kind = HeaderValue::from_static(kind);
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// Answers the requests of one connection until it ends.
pub(crate) async fn connection<F>(
    stream: TcpStream,
    watcher: Watcher,
    answer: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = Reply>,
{
    // Answers are small and whole; a kernel that refuses sends them a little later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let reply = answer(request);
        async { Ok::<_, Infallible>(reply.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    // The client went away, or said nothing: its own business.
    let _ = watcher.watch(served).await;
}
