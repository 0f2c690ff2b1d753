//! What every request has at hand.

use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use kube::Client;
use sluice_controller::World;
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use tokio::sync::{Semaphore, watch};

use crate::live::Live;
use crate::routes;
use crate::session::Sessions;

/// Requests that are worked on at the same time; more are asked to come back. Live streams count
/// separately.
const REQUESTS: usize = 128;
/// Questions to the API server whose a token is, at the same time. Anybody can cause them: a flood of
/// wrong tokens must not become a flood there, nor keep people who are signed in from acting.
const REVIEWS: usize = 8;
/// Other calls to the API server at the same time.
const CALLS: usize = 16;

/// How the page is offered.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// The audience that a token must be made for (reliability.md I3). Tokens for other audiences,
    /// the API server's own among them, are refused.
    pub audience: String,
    /// Names by which the page is reached, with the port where it is not the scheme's own, such as
    /// `sluice.example.com`. Empty: only the names of loopback, so that no foreign name that
    /// resolves to this machine can read it.
    pub hosts: Vec<String>,
    /// Whether people who are not signed in may read. For a demonstration on loopback.
    pub public_read: bool,
    /// Whether browsers reach it by https: the session cookie is then bound to that.
    pub secure_cookies: bool,
}

/// Where the page looks and writes.
pub struct WebState {
    /// What the watches of the agent have seen.
    pub world: World,
    /// The agent's own client: asks who a token belongs to and writes in people's names.
    pub client: Client,
    /// The policy in force.
    pub policy: watch::Receiver<Arc<Policy>>,
    /// The agent's clock.
    pub clock: Arc<dyn Clock>,
    /// Settings.
    pub config: WebConfig,
}

/// The whole of the web door, ready to be served.
pub struct Web {
    app: Arc<App>,
}

/// Shared by all requests.
pub(crate) struct App {
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) policy: watch::Receiver<Arc<Policy>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: WebConfig,
    pub(crate) sessions: Sessions,
    pub(crate) live: Live,
    /// Places for requests.
    pub(crate) requests: Semaphore,
    /// Places for token reviews.
    pub(crate) reviews: Semaphore,
    /// Places for other calls to the API server.
    pub(crate) calls: Semaphore,
}

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.borrow().clone()
    }
}

impl Web {
    /// Nothing is served and nothing is watched yet.
    pub fn new(state: WebState) -> Self {
        let WebState {
            world,
            client,
            policy,
            clock,
            config,
        } = state;
        let app = App {
            world,
            client,
            policy,
            clock,
            config,
            sessions: Sessions::default(),
            live: Live::default(),
            requests: Semaphore::new(REQUESTS),
            reviews: Semaphore::new(REVIEWS),
            calls: Semaphore::new(CALLS),
        };
        Self { app: Arc::new(app) }
    }

    /// The routes, for a server or a test.
    pub fn router(&self) -> Router {
        routes::router(&self.app)
    }

    /// Notices changes for open pages. Runs until it is dropped; costs nothing while no page is open.
    pub async fn follow_changes(&self) {
        crate::live::follow(&self.app).await;
    }
}
