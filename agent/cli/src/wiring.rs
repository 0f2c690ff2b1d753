//! Puts the agent together: policy file, plugin host, registry, record sink, controller, web page.
//! Wiring only; the demo uses it as `sluice agent` does.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use kube::Client;
use sluice_controller::{
    Agent, AgentConfig, AgentError, Health, JsonLinesSink, Ports, Resignation, World,
};
use sluice_core::policy::Policy;
use sluice_core::port::{Clock, PluginHost as _};
use sluice_plugins::remote::RemoteHost;
use sluice_plugins::{CallbackDesk, DirectorySecrets, Folders, MemorySecrets, SecretSource};
use sluice_registry::{ConfigError, OciRegistry, RegistryConfig};
use sluice_web::{CountPlugins, Doors, PluginCounts, WebConfig, WebError, WebState};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::PluginHostArgs;
use crate::doors::{self, FolderSecrets, HostCallbacks};
use crate::host_child::{ChildFault, HostChild};
use crate::output::Format;
use crate::policy_file::PolicyFile;

/// How long the start waits for the plugin host. It goes on without: what needs a plugin waits by itself.
const HOST_WAIT: Duration = Duration::from_secs(10);
/// Memory of all plugins that run at once in a child, in MiB: eight with the default limit.
const CHILD_MEMORY_MIB: u32 = 512;

/// Everything that an operator decides.
pub struct Settings {
    /// Where the agent looks.
    pub agent: AgentConfig,
    /// The policy file.
    pub policy: PathBuf,
    /// The plugins folders.
    pub plugins: Folders,
    /// Where plugins run.
    pub host: HostPlace,
    /// The file to which records are appended.
    pub records: PathBuf,
    /// How registries are reached.
    pub registry: RegistryConfig,
    /// Where the web page listens, if there is one.
    pub web: Option<(SocketAddr, WebConfig)>,
    /// The folder of the secrets that senders of hooks and callbacks sign with; those of plugins too,
    /// where the host is a child.
    pub secrets: Option<PathBuf>,
    /// Where probes and metrics are served, if they are.
    pub probes: Option<SocketAddr>,
}

/// Where plugins run: never in the agent's own process.
pub enum HostPlace {
    /// Another container listens at this socket.
    Socket(PathBuf),
    /// A child process of the agent.
    Child(Box<ChildSettings>),
}

/// How the child process is set up, beside what the agent knows anyway.
pub struct ChildSettings {
    /// A program whose `main` begins with [`crate::helper`].
    pub program: PathBuf,
    /// Nodes and API servers: never reached, whatever is granted.
    pub denied_addresses: Vec<IpNet>,
    /// Files of certificate authorities that are trusted beside the public ones.
    pub authorities: Vec<PathBuf>,
    /// How registries are reached, for plugins that come from one.
    pub registry_config: Option<PathBuf>,
    /// Where compiled plugins are kept, if not in a temporary folder.
    pub cache: Option<PathBuf>,
    /// Whether plugins may reach this machine, where their grant says so: demo and tests.
    pub allow_loopback: bool,
    /// What it logs, to the standard error that it shares with the agent.
    pub log: String,
    /// How.
    pub log_format: Format,
}

impl ChildSettings {
    /// This program, closed as in a cluster.
    pub fn of(program: PathBuf) -> ChildSettings {
        ChildSettings {
            program,
            denied_addresses: Vec::new(),
            authorities: Vec::new(),
            registry_config: None,
            cache: None,
            allow_loopback: false,
            log: "warn".to_owned(),
            log_format: Format::Text,
        }
    }

    fn start(self, folders: &Folders, secrets: Option<PathBuf>) -> Result<HostChild, ChildFault> {
        let args = PluginHostArgs {
            // The child's own, chosen with its folder.
            socket: PathBuf::new(),
            probe: false,
            plugins: folders.all().map(Path::to_owned).collect(),
            denied_addresses: self.denied_addresses,
            plugin_authorities: self.authorities,
            secrets,
            registry_config: self.registry_config,
            cache: self.cache,
            compile_memory_mib: None,
            memory_mib: CHILD_MEMORY_MIB,
            allow_loopback: self.allow_loopback,
            with_parent: true,
            log: self.log,
            log_format: self.log_format,
        };
        HostChild::start(&self.program, args)
    }
}

/// Why the agent does not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No plugin could ever run.
    #[error(transparent)]
    Host(#[from] ChildFault),
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
    host: RemoteHost,
    child: Option<HostChild>,
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
    let (host, child) = match settings.host {
        HostPlace::Socket(path) => (RemoteHost::connect(path), None),
        HostPlace::Child(child) => {
            let child = child.start(&settings.plugins, settings.secrets.clone())?;
            (RemoteHost::connect(child.socket()), Some(child))
        }
    };
    if !host.found(HOST_WAIT).await {
        tracing::warn!("the plugin host does not answer yet; what needs a plugin waits for it");
    }
    let signing: Arc<dyn SecretSource> = match &settings.secrets {
        Some(folder) => Arc::new(DirectorySecrets::new(folder)),
        None => Arc::new(MemorySecrets::default()),
    };
    let callbacks = HostCallbacks {
        desk: CallbackDesk::new(settings.plugins, signing),
        host: host.clone(),
    };
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
                    callbacks: Arc::new(callbacks),
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
        child,
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

    /// The plugins that serve, in another process.
    pub fn plugins(&self) -> &RemoteHost {
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
            child,
            web,
            probes,
            health,
            ..
        } = self;
        let probed = async {
            match probes {
                Some((listener, _)) => {
                    sluice_web::serve_probes(listener, health, count(host.clone())).await;
                }
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
        drop((policy, host, child));
        ended
    }
}

/// How the plugins are, for the metrics.
fn count(host: RemoteHost) -> CountPlugins {
    let large = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Arc::new(move || PluginCounts {
        host_away: host.away().is_some(),
        serving: large(host.catalog().len()),
        problems: large(host.problems().len()),
    })
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
