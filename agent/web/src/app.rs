//! What every request has at hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use axum::Router;
use jiff::Timestamp;
use kube::Client;
use rand::Rng as _;
use ring::hmac;
use sluice_controller::World;
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use tokio::sync::{Semaphore, watch};

use crate::doors::Doors;
use crate::fetch::Fetch;
use crate::hook::{Looked, Unfinished};
use crate::issuer::Issuers;
use crate::live::Live;
use crate::oidc::OidcConfig;
use crate::once::Once;
use crate::routes;
use crate::session::Sessions;

/// Requests of people who are signed in that are worked on at the same time; more are asked to come
/// back. Live streams count separately.
const REQUESTS: usize = 128;
/// Requests of everybody else: readers of an open page, programs whose token is not known yet, and
/// floods. They never take the place of somebody who is signed in.
const STRANGERS: usize = 64;
/// Requests of machines, to hooks and callbacks (reliability.md H4).
const MACHINES: usize = 32;
/// Questions to the API server whose a token is, at the same time. Anybody can cause them: a flood of
/// wrong tokens must not become a flood there, nor keep people who are signed in from acting.
const REVIEWS: usize = 8;
/// Questions of sign-ins to the identity provider at the same time. Anybody can cause them, too.
const ASKING: usize = 8;
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
    /// The identity provider that people can sign in with, beside Kubernetes' tokens.
    pub oidc: Option<OidcConfig>,
    /// Registries that may send hints, each with the `NAME/KEY` of the secret that it signs with,
    /// where it does. Empty: all, unsigned; a hint is no more than that.
    pub registry_hooks: BTreeMap<String, Option<String>>,
    /// Whether issuers of tokens may be asked on this machine without TLS. For tests.
    pub allow_loopback_issuers: bool,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            audience: "sluice".to_owned(),
            hosts: Vec::new(),
            public_read: false,
            secure_cookies: false,
            oidc: None,
            registry_hooks: BTreeMap::new(),
            allow_loopback_issuers: false,
        }
    }
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
    /// What the doors for machines lead to.
    pub doors: Doors,
    /// Settings.
    pub config: WebConfig,
}

/// The whole of the web door, ready to be served.
pub struct Web {
    app: Arc<App>,
    /// Work behind answers that were given already; it ends with the door.
    _unfinished: Arc<Unfinished>,
}

/// Shared by all requests.
pub(crate) struct App {
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) policy: watch::Receiver<Arc<Policy>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) doors: Doors,
    pub(crate) config: WebConfig,
    pub(crate) sessions: Sessions,
    pub(crate) live: Live,
    /// Issuers of tokens, and their keys.
    pub(crate) issuers: Issuers,
    /// What sign-ins under way are tied together with. Another one at each start.
    pub(crate) flow_key: hmac::Key,
    /// Signatures and tokens of callers that were used.
    pub(crate) used: Once,
    /// Repositories that hints were about.
    pub(crate) looked: Looked,
    /// Callbacks that are worked on. They hold this, and so the door holds them: it ends them.
    pub(crate) unfinished: Weak<Unfinished>,
    /// Places for requests of people who are signed in.
    pub(crate) requests: Semaphore,
    /// Places for requests of anybody else.
    pub(crate) strangers: Semaphore,
    /// Places for requests of machines.
    pub(crate) machines: Semaphore,
    /// Places for token reviews.
    pub(crate) reviews: Semaphore,
    /// Places for questions to the identity provider.
    pub(crate) asking: Semaphore,
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
            doors,
            config,
        } = state;
        let authorities = config.oidc.as_ref().map(|o| o.authorities.clone());
        let fetch = Fetch::new(
            authorities.unwrap_or_default(),
            config.allow_loopback_issuers,
        );
        let unfinished = Arc::new(Unfinished::default());
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        let app = App {
            world,
            client,
            policy,
            clock,
            doors,
            config,
            sessions: Sessions::default(),
            live: Live::default(),
            issuers: Issuers::new(fetch),
            flow_key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            used: Once::default(),
            looked: Looked::default(),
            unfinished: Arc::downgrade(&unfinished),
            requests: Semaphore::new(REQUESTS),
            strangers: Semaphore::new(STRANGERS),
            machines: Semaphore::new(MACHINES),
            reviews: Semaphore::new(REVIEWS),
            asking: Semaphore::new(ASKING),
            calls: Semaphore::new(CALLS),
        };
        Self {
            app: Arc::new(app),
            _unfinished: unfinished,
        }
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
