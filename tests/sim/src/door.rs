//! The API server over HTTP on loopback, for programs that come with a kubeconfig.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::{Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::api::error::ApiError;
use crate::client::Instance;
use crate::cluster::{Cluster, SimError};
use crate::server::{MAX_BODY, ResponseBody, Server, error_response};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 1024;

/// How long a connection may take to send a request's head.
const HEAD: Duration = Duration::from_secs(60);

/// The audience that the API server itself answers to.
const API_AUDIENCE: &str = "https://kubernetes.default.svc";

impl Cluster {
    /// Serves the API over HTTP until the cluster ends, and answers with the address, whose port
    /// is the one asked for or, for 0, a free one. Only loopback is served: the tokens are
    /// a test's, not secrets.
    pub async fn serve(&self, address: SocketAddr) -> Result<SocketAddr, SimError> {
        if !address.ip().is_loopback() {
            return Err(SimError::Network(format!(
                "the simulated API server listens on loopback only, not on {address}"
            )));
        }
        let failed = |error| SimError::Network(format!("cannot listen on {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let door = Arc::new(Door {
            server: Arc::downgrade(&self.server),
            instances: Mutex::new(BTreeMap::new()),
        });
        let mut tasks = self
            .server
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(door.listen(listener));
        Ok(address)
    }

    /// A kubeconfig for the API at an address: one context per user, named like the user;
    /// `current` is the one that is used by default.
    pub fn kubeconfig(&self, address: SocketAddr, current: &str) -> String {
        let quoted = |text: &str| json!(text).to_string();
        let model = self.server.lock();
        let names = model.identities.names();
        let mut yaml = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {}\nclusters:\n- name: sim\n  \
             cluster: {{server: \"http://{address}\"}}\ncontexts:\n",
            quoted(current)
        );
        for name in &names {
            let name = quoted(name);
            let _ = writeln!(
                yaml,
                "- name: {name}\n  context: {{cluster: sim, user: {name}, namespace: default}}"
            );
        }
        yaml.push_str("users:\n");
        for name in &names {
            let token = model.identities.token_of(name).unwrap_or_default();
            let (name, token) = (quoted(name), quoted(token));
            let _ = writeln!(yaml, "- name: {name}\n  user: {{token: {token}}}");
        }
        yaml
    }
}

struct Door {
    /// Not a strong reference: the cluster ends with its handles, not with its clients.
    server: Weak<Server>,
    /// One client instance per user: who comes by HTTP is one process as far as faults go.
    instances: Mutex<BTreeMap<String, Arc<Instance>>>,
}

impl Door {
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
                match listener.accept().await {
                    Ok((stream, _)) => Some((stream, permit)),
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        None
                    }
                }
            };
            tokio::select! {
                accepted = accepted => {
                    let Some((stream, permit)) = accepted else { continue };
                    let door = Arc::clone(&self);
                    connections.spawn(async move {
                        door.converse(stream).await;
                        drop(permit);
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let door = Arc::clone(&self);
            async move { Ok::<_, Infallible>(door.answer(request).await) }
        });
        // A client that breaks off is no event here.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let Some(server) = self.server.upgrade() else {
            return error_response(&ApiError::unavailable());
        };
        let Some(caller) = self.authenticate(&server, &request) else {
            return error_response(&ApiError::unauthorized());
        };
        let (parts, body) = request.into_parts();
        match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => server.handle(caller, parts, body.to_bytes()).await,
            Err(_) => error_response(&ApiError::too_large()),
        }
    }

    fn authenticate(&self, server: &Server, request: &Request<Incoming>) -> Option<Arc<Instance>> {
        let header = request
            .headers()
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?;
        let secret = header.strip_prefix("Bearer ")?;
        let mut model = server.lock();
        let token = model.identities.token(secret)?;
        if !token.audiences.is_empty() && !token.audiences.contains(API_AUDIENCE) {
            return None;
        }
        let user = model.identities.user(&token.user);
        let mut instances = self
            .instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let instance = instances.entry(user.name.clone()).or_insert_with(|| {
            model.instances += 1;
            Instance::new(model.instances, user)
        });
        Some(Arc::clone(instance))
    }
}
