//! The client: one fresh connection per request through the production Service, all the time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use sluice_controller::World;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::follow::{Step, settled_step};

/// Clients at the same time.
const CLIENTS: u32 = 8;
/// Requests per second of one client: 320 in all.
const RATE: u32 = 40;
/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const BODY_LIMIT: usize = 64 * 1024;
/// Failures whose cause is kept.
const CAUSES: usize = 5;

/// What was counted.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    /// Requests, by step and version.
    pub(crate) served: BTreeMap<Step, BTreeMap<String, u64>>,
    /// Requests in all.
    pub(crate) sent: u64,
    /// Requests without an answer 200.
    pub(crate) failed: u64,
    /// What was wrong with the first of them.
    pub(crate) causes: Vec<String>,
}

/// A running client. Dropping it stops it.
pub(crate) struct Traffic {
    counts: Arc<Mutex<Counts>>,
    _tasks: JoinSet<()>,
}

impl Traffic {
    /// Asks `address` from now on; `world` tells which step each request falls into.
    pub(crate) fn start(address: SocketAddr, world: &World) -> Self {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            tasks.spawn(client(address, world.clone(), counts.clone()));
        }
        Self {
            counts,
            _tasks: tasks,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn client(address: SocketAddr, world: World, counts: Arc<Mutex<Counts>>) {
    let mut pace = interval(Duration::from_secs(1) / RATE);
    // A slow machine gets fewer requests, not a burst of late ones.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let before = settled_step(&world);
        let answer = match timeout(PATIENCE, ask(address)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let after = settled_step(&world);
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.sent += 1;
        match answer {
            // It belongs to a step only where the step stood before and after it.
            Ok(version) => {
                if let Some(step) = before.filter(|_| after.is_some())
                    && after.as_ref() == Some(&step)
                {
                    *counts
                        .served
                        .entry(step)
                        .or_default()
                        .entry(version)
                        .or_default() += 1;
                }
            }
            Err(cause) => {
                counts.failed += 1;
                if counts.causes.len() < CAUSES {
                    counts.causes.push(cause);
                }
            }
        }
    }
}

/// One request on a connection of its own; answers the version that served it.
async fn ask(address: SocketAddr) -> Result<String, String> {
    let text = |what: &str, e: &dyn std::fmt::Display| format!("{what}: {e}");
    let stream = TcpStream::connect(address)
        .await
        .map_err(|e| text("connect", &e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| text("handshake", &e))?;
    let request = Request::get("/")
        .header("host", "storefront")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| text("request", &e))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| text("send", &e))?;
        let status = response.status();
        let version = response
            .headers()
            .get("x-version")
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Limited::new(response.into_body(), BODY_LIMIT)
            .collect()
            .await
            .map_err(|e| text("body", &e))?;
        if status.as_u16() == 200 {
            Ok(version)
        } else {
            Err(format!("status {status}"))
        }
    };
    // The connection works while the exchange waits, and ends with it.
    let (answer, _) = tokio::join!(exchange, async {
        // Its error is the exchange's error.
        let _ = connection.await;
    });
    answer
}
