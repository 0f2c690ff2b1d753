//! The client's control door.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request};
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::counts::Counts;
use crate::reply::{Reply, connection, reply};

/// A test and whoever watches it.
const CONNECTIONS: usize = 16;
/// Pause when the kernel gives no connection.
const BREATH: Duration = Duration::from_millis(50);
/// Longest name of a phase.
const NAME: usize = 100;

/// Serves `GET /totals`, and `POST /mark?name=NAME` which begins a phase and answers the totals up to
/// it. Does not end; whoever drops it ends it.
pub async fn control(listener: TcpListener, counts: Arc<Counts>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let (counts, watcher) = (counts.clone(), graceful.watcher());
                    connections.spawn(async move {
                        let answer = |request: Request<Incoming>| {
                            std::future::ready(answer(&request, &counts))
                        };
                        connection(stream, watcher, answer).await;
                    });
                }
                Err(_) => sleep(BREATH).await,
            },
        }
    }
}

fn answer(request: &Request<Incoming>, counts: &Counts) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    let name = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
    match (request.method(), request.uri().path(), name) {
        (&Method::GET, "/totals", _) => reply(200, &counts.totals()),
        (&Method::POST, "/mark", Some((_, name))) if (1..=NAME).contains(&name.len()) => {
            let before = counts.totals();
            if counts.mark(&name) {
                reply(200, &before)
            } else {
                reply(
                    429,
                    &json!({"error": "there are 1000 marks already; begin a new load"}),
                )
            }
        }
        (_, "/mark", _) => reply(400, &json!({"error": "POST /mark?name=NAME is expected"})),
        _ => reply(
            404,
            &json!({"error": "GET /totals and POST /mark?name=NAME are here"}),
        ),
    }
}
