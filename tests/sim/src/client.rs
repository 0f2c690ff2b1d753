//! kube clients that talk to the simulated API server without a socket.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use tokio::sync::{Notify, watch};

use crate::api::error::ApiError;
use crate::identity::User;
use crate::server::{MAX_BODY, ResponseBody, Server, error_response};

/// One life of a client program: it can crash, and then nothing it asks is ever answered; and it can
/// be paused, and then nothing it asks is carried out or answered before it is resumed.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: u64,
    pub(crate) user: User,
    crashed: watch::Sender<bool>,
    paused: AtomicBool,
    resumption: Notify,
}

impl Instance {
    pub(crate) fn new(id: u64, user: User) -> Arc<Self> {
        Arc::new(Self {
            id,
            user,
            crashed: watch::Sender::new(false),
            paused: AtomicBool::new(false),
            resumption: Notify::new(),
        })
    }

    pub(crate) fn crash(&self) {
        self.crashed.send_replace(true);
    }

    pub(crate) fn is_crashed(&self) -> bool {
        *self.crashed.borrow()
    }

    pub(crate) async fn crashed(&self) {
        let mut crashed = self.crashed.subscribe();
        if crashed.wait_for(|crashed| *crashed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        if !paused {
            // In the order in which they were held.
            self.resumption.notify_waiters();
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// Waits as long as the instance is paused.
    pub(crate) async fn resumed(&self) {
        loop {
            let resumed = self.resumption.notified();
            if !self.is_paused() {
                return;
            }
            resumed.await;
        }
    }

    pub(crate) async fn hang_if_crashed(&self) {
        if self.is_crashed() {
            std::future::pending::<()>().await;
        }
    }
}

/// A kube client that stands for one process: when a planned crash strikes, all that the process
/// has asked hangs for ever. The test then drops the process's future and starts a new one with a
/// new `AgentClient`.
#[derive(Clone)]
pub struct AgentClient {
    /// The client to hand to the program under test.
    pub client: kube::Client,
    instance: Arc<Instance>,
}

impl AgentClient {
    pub(crate) fn new(server: Arc<Server>, instance: Arc<Instance>) -> Self {
        let service = ApiService {
            server,
            caller: Arc::clone(&instance),
        };
        Self {
            client: kube::Client::new(service, "default"),
            instance,
        }
    }

    /// The number of this instance, as the write log gives it.
    pub fn id(&self) -> u64 {
        self.instance.id
    }

    /// Returns once a planned crash has struck, or [`AgentClient::crash`] was called.
    pub async fn crashed(&self) {
        self.instance.crashed().await;
    }

    /// Whether it has.
    pub fn is_crashed(&self) -> bool {
        self.instance.is_crashed()
    }

    /// Declares the process dead now: none of its requests is answered or carried out any more.
    pub fn crash(&self) {
        self.instance.crash();
    }

    /// Holds everything that this process asks from now on, as a stopped process or a cut network
    /// does: nothing is carried out and no answer or event is delivered before
    /// [`AgentClient::resume`]. Writes that are held are carried out then even where the program
    /// has given up waiting, as bytes in a socket are.
    pub fn pause(&self) {
        self.instance.pause(true);
    }

    /// Whether it is held, by [`AgentClient::pause`] or by [`Fault::Pause`](crate::Fault::Pause).
    pub fn is_paused(&self) -> bool {
        self.instance.is_paused()
    }

    /// Lets go of what is held, in the order in which it was asked.
    pub fn resume(&self) {
        self.instance.pause(false);
    }
}

/// The API server as a tower service.
#[derive(Clone)]
pub(crate) struct ApiService {
    server: Arc<Server>,
    caller: Arc<Instance>,
}

impl tower::Service<Request<Body>> for ApiService {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = Arc::clone(&self.server);
        let caller = Arc::clone(&self.caller);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            match Limited::new(body, MAX_BODY).collect().await {
                Ok(body) => Ok(server.handle(caller, parts, body.to_bytes()).await),
                Err(_) => Ok(error_response(&ApiError::too_large())),
            }
        })
    }
}
