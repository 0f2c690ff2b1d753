//! kube-proxy for one port of one Service, or a gateway for one rule: each connection goes to a random
//! ready pod.

use std::net::SocketAddrV4;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rand::RngExt;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use crate::driver::Groups;
use crate::driver::real::pod::accept;

/// Connections of one Service port at once; more wait to be accepted.
const CONNECTIONS: usize = 4096;

/// How long a pod may take to accept.
const CONNECT: Duration = Duration::from_secs(5);

type Backends = Arc<RwLock<Groups>>;

/// A listening Service port. Closes with all its connections when it is dropped.
pub(super) struct Proxy {
    backends: Backends,
    task: AbortHandle,
}

impl Proxy {
    pub(super) fn start(listener: TcpListener, tasks: &mut JoinSet<()>, runtime: &Handle) -> Self {
        let backends = Backends::default();
        let task = tasks.spawn_on(run(listener, Arc::clone(&backends)), runtime);
        Self { backends, task }
    }

    /// Sends connections to these pods from now on; those that are open stay where they are.
    pub(super) fn lead_to(&self, groups: Groups) {
        *self
            .backends
            .write()
            .unwrap_or_else(PoisonError::into_inner) = groups;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(listener: TcpListener, backends: Backends) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accept(&listener, &permits) => {
                let Some((client, permit)) = accepted else { continue };
                let Some(pod) = pick(&backends) else { continue };
                connections.spawn(async move {
                    carry(client, pod).await;
                    drop(permit);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A ready pod; nothing where there is none in the group that was drawn, and the connection closes.
fn pick(backends: &Backends) -> Option<SocketAddrV4> {
    let groups = backends.read().unwrap_or_else(PoisonError::into_inner);
    let total: u64 = groups.iter().map(|(weight, _)| weight).sum();
    let mut drawn = rand::rng().random_range(0..total.max(1));
    let (_, pods) = groups.iter().find(|(weight, _)| {
        let hit = drawn < *weight;
        drawn = drawn.saturating_sub(*weight);
        hit
    })?;
    let index = rand::rng().random_range(0..pods.len().max(1));
    pods.get(index).copied()
}

async fn carry(mut client: TcpStream, pod: SocketAddrV4) {
    let Ok(Ok(mut pod)) = tokio::time::timeout(CONNECT, TcpStream::connect(pod)).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = pod.set_nodelay(true);
    // Either side may break off; the other learns it by the end of its stream.
    let _ = copy_bidirectional(&mut client, &mut pod).await;
}
