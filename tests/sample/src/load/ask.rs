//! One request on a connection of its own.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::plan::Plan;

/// Largest answer that is read.
const BODY_LIMIT: usize = 64 * 1024;

/// A request without an answer 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One of a few words, for counting.
    pub(crate) kind: String,
    /// For people.
    pub(crate) text: String,
}

fn failure(kind: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure {
        kind: kind.to_owned(),
        text: format!("{kind}: {error}"),
    }
}

/// Answers the version that served it: the header `x-version`, or `version` in the body.
pub(crate) async fn ask(plan: &Plan) -> Result<String, Failure> {
    match timeout(plan.patience, exchange(plan)).await {
        Ok(answer) => answer,
        Err(_) => {
            let text = format!("no answer within {} s", plan.patience.as_secs());
            Err(failure("timeout", &text))
        }
    }
}

async fn exchange(plan: &Plan) -> Result<String, Failure> {
    let stream = TcpStream::connect(plan.address).await.map_err(|e| {
        let kind = match e.kind() {
            io::ErrorKind::ConnectionRefused => "refused",
            io::ErrorKind::ConnectionReset => "reset",
            _ => "connect",
        };
        failure(kind, &e)
    })?;
    // The request is one small packet; a kernel that refuses sends it a little later.
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| failure("broken", &e))?;
    let request = Request::get(&plan.path)
        .header("host", &plan.host)
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| failure("request", &e))?;
    let talk = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| failure("broken", &e))?;
        let status = response.status();
        let header = response.headers().get("x-version");
        let header = header.and_then(|v| v.to_str().ok()).map(str::to_owned);
        let body = Limited::new(response.into_body(), BODY_LIMIT)
            .collect()
            .await
            .map_err(|e| failure("body", &e))?
            .to_bytes();
        if status.as_u16() == 200 {
            Ok(header.unwrap_or_else(|| version(&body)))
        } else {
            let text = String::from_utf8_lossy(&body)
                .chars()
                .take(120)
                .collect::<String>();
            Err(failure(&format!("status_{}", status.as_u16()), &text))
        }
    };
    // The connection works while the exchange waits, and ends with it.
    let (answer, _) = tokio::join!(talk, async {
        // Its error is the exchange's error.
        let _ = connection.await;
    });
    answer
}

fn version(body: &[u8]) -> String {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    document
        .as_ref()
        .and_then(|d| d.get("version"))
        .and_then(Value::as_str)
        .unwrap_or("unknown")
        .to_owned()
}
