//! Puts the agent together: policy file, plugin host, registry, record sink, controller, web page.
//! Wiring only; the demo uses it as `sluice agent` does.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kube::Client;
use sluice_controller::{
    Agent, AgentConfig, AgentError, Health, JsonLinesSink, Ports, Resignation, World,
};
use sluice_core::policy::Policy;
use sluice_core::port::Clock;
use sluice_plugins::{Card, Folders, Host, HostOptions, PluginFolder};
use sluice_registry::{ConfigError, OciRegistry, RegistryConfig};
use sluice_web::{Doors, WebConfig, WebError, WebState};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::doors::{self, FolderSecrets, HostCallbacks};
use crate::policy_file::PolicyFile;

/// Everything that an operator decides.
pub struct Settings {
    /// Where the agent looks.
    pub agent: AgentConfig,
    /// The policy file.
    pub policy: PathBuf,
    /// The plugins folders.
    pub plugins: Folders,
    /// What plugins may reach.
    pub host: HostOptions,
    /// The file to which records are appended.
    pub records: PathBuf,
    /// How registries are reached.
    pub registry: RegistryConfig,
    /// Where the web page listens, if there is one.
    pub web: Option<(SocketAddr, WebConfig)>,
    /// The folder of the secrets that senders of hooks sign with.
    pub secrets: Option<PathBuf>,
    /// Where probes and metrics are served, if they are.
    pub probes: Option<SocketAddr>,
}

/// Why the agent does not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No plugin could ever run.
    #[error("the plugin host does not start: {}", .0.line())]
    Plugins(Box<Card>),
    /// The registry configuration is not valid.
    #[error(transparent)]
    Registry(#[from] ConfigError),
    /// Records could not be written.
    #[error("records cannot be appended to {path}: {source}")]
    Records {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The web page or the probes cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The controller ended.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The web page ended.
    #[error(transparent)]
    Web(#[from] WebError),
}

/// An agent that is ready to run. Its watches have started; nothing is decided before
/// [`Wired::run`].
pub struct Wired {
    agent: Agent,
    policy: PolicyFile,
    host: Host,
    folder: PluginFolder,
    web: Option<(TcpListener, WebState)>,
    address: Option<SocketAddr>,
    probes: Option<(TcpListener, SocketAddr)>,
    resignation: Option<Resignation>,
    health: Health,
}

/// Puts the parts together. Must be called within a tokio runtime whose process has a TLS provider.
///
/// # Errors
/// A part that nothing works without cannot be had. A missing policy, a broken plugin or a registry
/// that does not answer is none of these: they hold what depends on them, and say so.
pub async fn wire(
    client: Client,
    settings: Settings,
    clock: Arc<dyn Clock>,
) -> Result<Wired, WiringError> {
    writable(&settings.records)?;
    let registry = OciRegistry::new(settings.registry, clock.clone())?;
    let host = Host::open(settings.plugins, settings.host)
        .await
        .map_err(|card| WiringError::Plugins(Box::new(card)))?;
    let folder = host.watch();
    let policy = PolicyFile::follow(settings.policy);
    let ports = Ports {
        plugins: Arc::new(host.clone()),
        registry: Arc::new(registry),
        clock: clock.clone(),
        sink: Arc::new(JsonLinesSink::new(settings.records)),
    };
    let agent = Agent::new(client.clone(), &settings.agent, ports, policy.policy());
    let (web, address) = match settings.web {
        None => (None, None),
        Some((address, config)) => {
            let (listener, bound) = listen(address).await?;
            let state = WebState {
                world: agent.world(),
                client,
                policy: policy.policy(),
                clock,
                doors: Doors {
                    hints: Arc::new(doors::Hints(agent.hints())),
                    callbacks: Arc::new(HostCallbacks(host.clone())),
                    secrets: Arc::new(FolderSecrets(settings.secrets)),
                },
                config,
            };
            (Some((listener, state)), Some(bound))
        }
    };
    let probes = match settings.probes {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    Ok(Wired {
        probes,
        resignation: agent.resignation(),
        health: agent.health(),
        agent,
        policy,
        host,
        folder,
        web,
        address,
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), WiringError> {
    let unheard = |source| WiringError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(unheard)?;
    let bound = listener.local_addr().map_err(unheard)?;
    Ok((listener, bound))
}

impl Wired {
    /// To be handed in at the end, after [`Wired::run`] was dropped.
    pub fn resignation(&mut self) -> Option<Resignation> {
        self.resignation.take()
    }

    /// Where the probes listen.
    pub fn probes_address(&self) -> Option<SocketAddr> {
        self.probes.as_ref().map(|(_, address)| *address)
    }

    /// The agent's view of its own objects.
    pub fn world(&self) -> World {
        self.agent.world()
    }

    /// The policy in force.
    pub fn policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.policy.policy()
    }

    /// The plugins that serve.
    pub fn plugins(&self) -> &Host {
        &self.host
    }

    /// Where the web page listens: the port that was chosen, where port 0 was asked for.
    pub fn web_address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Works until it is dropped, which is safe at any instruction: the journal goes on.
    ///
    /// # Errors
    /// A part that must run as long as the agent has ended.
    pub async fn run(self) -> Result<(), WiringError> {
        let Self {
            agent,
            policy,
            host,
            folder,
            web,
            probes,
            health,
            ..
        } = self;
        let probed = async {
            match probes {
                Some((listener, _)) => sluice_web::serve_probes(listener, health).await,
                None => std::future::pending().await,
            }
        };
        let served = async {
            match web {
                Some((listener, state)) => sluice_web::serve(listener, state).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = agent.run() => ended.map_err(WiringError::from),
            ended = served => ended.map_err(WiringError::from),
            () = probed => Ok(()),
        };
        drop((policy, host, folder));
        ended
    }
}

/// Tries to open the record file now: a wrong path should stop the start, not the first record.
fn writable(path: &Path) -> Result<(), WiringError> {
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    opened.map(drop).map_err(|source| WiringError::Records {
        path: path.to_owned(),
        source,
    })
}
