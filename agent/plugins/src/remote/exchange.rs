//! One question over the socket and its answer, both bounded. The caller bounds the time.

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use super::{ANSWER_BYTES, CALL_PATH, socket};

/// Buffer for the head of an answer, in bytes: the server sends three short headers.
const HEAD_BYTES: usize = 16 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody is there, or went away meanwhile.
    #[error("{0}")]
    Away(String),
    /// Somebody is there who is not, or does not behave as, a plugin host.
    #[error("{0}")]
    Foreign(String),
}

/// Asks for a document.
pub(super) async fn get(at: &Path, owner: u32, path: &str, most: usize) -> Result<Bytes, Fault> {
    exchange(at, owner, Method::GET, path, Bytes::new(), most).await
}

/// Makes one call.
pub(super) async fn call(at: &Path, owner: u32, question: Bytes) -> Result<Bytes, Fault> {
    exchange(at, owner, Method::POST, CALL_PATH, question, ANSWER_BYTES).await
}

async fn exchange(
    at: &Path,
    owner: u32,
    method: Method,
    path: &str,
    body: Bytes,
    most: usize,
) -> Result<Bytes, Fault> {
    let stream = UnixStream::connect(at)
        .await
        .map_err(|error| Fault::Away(format!("nobody listens at {}: {error}", at.display())))?;
    if !socket::is_of(&stream, owner) {
        return Err(Fault::Foreign(format!(
            "{} belongs to a process of another user",
            at.display()
        )));
    }
    let broken = |error: hyper::Error| Fault::Away(format!("the connection broke: {error}"));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Works while the answer is awaited, and ends with it; its error is the exchange's error.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "plugin-host")
        .header("connection", "close")
        .header("content-type", "application/json")
        .body(Full::new(body))
        .map_err(|error| Fault::Foreign(format!("the question cannot be written: {error}")))?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    let read = Limited::new(answer.into_body(), most).collect().await;
    let bytes = read.map_err(
        |error| match error.is::<http_body_util::LengthLimitError>() {
            true => Fault::Foreign(format!("an answer of more than {most} bytes")),
            false => Fault::Away(format!("the connection broke: {error}")),
        },
    )?;
    match status {
        StatusCode::OK => Ok(bytes.to_bytes()),
        status => Err(Fault::Foreign(format!(
            "an answer with status {}",
            status.as_u16()
        ))),
    }
}
