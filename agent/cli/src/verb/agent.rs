//! `sluice agent`.

use std::io::{IsTerminal as _, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use kube::api::{Api, ListParams};
use kube::{Client, Config};
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};
use sluice_cluster::lease::LeaseName;
use sluice_controller::{AgentConfig, AgentError, LeaseConfig};
use sluice_core::lease::Timing;
use sluice_registry::RegistryConfig;
use sluice_web::{OidcConfig, WebConfig};
use tracing_subscriber::EnvFilter;

use super::objects::Kind;
use super::plugin_host::{authorities, folders};
use crate::access::{self, Access};
use crate::args::{AgentArgs, ClusterArgs};
use crate::clock::WallClock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::wiring::{ChildSettings, HostPlace, Settings, WiringError, wire};

/// Longest silence of the API server in an open answer: its bookmarks come every 60 s, give or take.
const SILENCE: Duration = Duration::from_secs(80);
/// What a Lease may last, in milliseconds.
const LEASE_MS: std::ops::RangeInclusive<u64> = 3_000..=120_000;
/// Largest registry configuration, in bytes.
const CONFIG_BYTES: u64 = 1 << 20;

pub(crate) async fn run(mut args: AgentArgs) -> Result<Exit, Failure> {
    args.namespace = args.namespace.filter(|name| !name.is_empty());
    log(&args.log, args.log_format)?;
    let cluster = ClusterArgs {
        context: args.context.clone(),
        namespace: args.namespace.clone(),
    };
    let mut config = access::config(&cluster).await?;
    // A watch hears from the API server at least every minute, if only that nothing changed. One that
    // is silent for longer is dead, whatever its connection says (reliability.md R5).
    config.read_timeout = Some(SILENCE);
    let settings = settings(&args, &config)?;
    let client = Client::try_from(config).map_err(|e| {
        Failure::new("kubeconfig", "the way to the cluster cannot be used")
            .because(access::deepest(&e))
            .change("check the certificates and keys of the kubeconfig")
    })?;
    definitions(&client, args.namespace.as_deref()).await?;
    let mut wired = wire(client, settings, Arc::new(WallClock))
        .await
        .map_err(|e| unwired(&e))?;
    let resignation = wired.resignation();
    if let Some(address) = wired.probes_address() {
        tracing::info!(%address, "probes and metrics listen");
    }
    if let Some(address) = wired.web_address() {
        tracing::info!(%address, "the web page listens");
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
    let stop = stop()?;
    let ended = tokio::select! {
        ended = wired.run() => match ended {
            Ok(()) => Ok(Exit::Done),
            Err(error) => Err(unwired(&error)),
        },
        signal = stop => {
            // Nothing is lost: what was decided stands in the journals (ARCHITECTURE.md, 4).
            tracing::info!(signal, "the agent stops");
            Ok(Exit::Done)
        }
    };
    if let Some(resignation) = resignation {
        resignation.hand_in().await;
    }
    ended
}

/// Writes logs to standard error.
pub(super) fn log(filter: &str, format: Format) -> Result<(), Failure> {
    let read = EnvFilter::try_new(filter).map_err(|e| {
        Failure::new("usage", format!("--log {filter} is no filter"))
            .because(e.to_string())
            .change("write a level such as info, or module=level pairs separated by commas")
            .exit(Exit::Usage)
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(read)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A subscriber that is there already belongs to whoever embeds the agent.
    let _ = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}

fn settings(args: &AgentArgs, config: &Config) -> Result<Settings, Failure> {
    let registry = match &args.registry_config {
        Some(path) => registry(path)?,
        None => RegistryConfig::default(),
    };
    let web = match args.web {
        Some(address) => Some((address, web(args)?)),
        None => None,
    };
    Ok(Settings {
        agent: AgentConfig {
            namespace: args.namespace.clone(),
            target_namespaces: named(&args.target_namespaces),
            lease: lease(args)?,
            calls_per_second: args.kube_qps,
        },
        policy: args.policy.clone(),
        plugins: folders(&args.plugins)?,
        host: host(args, config)?,
        records: args.records.clone(),
        registry,
        web,
        secrets: args.secrets.clone(),
        probes: args.probes,
    })
}

/// Where plugins run: beside the agent, never in it.
fn host(args: &AgentArgs, config: &Config) -> Result<HostPlace, Failure> {
    if let Some(socket) = &args.plugin_host_socket {
        return Ok(HostPlace::Socket(socket.clone()));
    }
    // Looked at now: a child that cannot start would only be started again and again.
    authorities(&args.plugin_authorities)?;
    Ok(HostPlace::Child(Box::new(ChildSettings {
        program: own_program()?,
        denied_addresses: denied(args, config),
        authorities: args.plugin_authorities.clone(),
        registry_config: args.registry_config.clone(),
        cache: args.plugin_cache.clone(),
        allow_loopback: args.allow_loopback,
        log: args.log.clone(),
        log_format: args.log_format,
    })))
}

fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| {
        Failure::new(
            "plugin-host",
            "this program does not find itself, to run plugins in",
        )
        .because(e.to_string())
        .change("start a plugin host yourself and name it with --plugin-host-socket")
    })
}

fn web(args: &AgentArgs) -> Result<WebConfig, Failure> {
    let oidc = match &args.web_oidc {
        None => None,
        Some(path) => Some(
            OidcConfig::read(path, args.allow_loopback).map_err(|problems| {
                let mut failure = Failure::new(
                    "oidc-config",
                    format!("the sign-in settings {} cannot be used", path.display()),
                )
                .change("see docs/doors.md, \"Signing in\"")
                .exit(Exit::Usage);
                failure.why = problems.iter().map(ToString::to_string).collect();
                failure
            })?,
        ),
    };
    let registry_hooks = args
        .web_registry_hooks
        .iter()
        .map(|text| match text.split_once('=') {
            Some((sender, secret)) => (sender.to_owned(), Some(secret.to_owned())),
            None => (text.clone(), None),
        })
        .collect();
    Ok(WebConfig {
        audience: args.web_audience.clone(),
        hosts: args.web_host.clone(),
        public_read: args.web_public_read,
        secure_cookies: args.web_https,
        oidc,
        registry_hooks,
        allow_loopback_issuers: args.allow_loopback,
    })
}

fn lease(args: &AgentArgs) -> Result<Option<LeaseConfig>, Failure> {
    let Some(name) = args.lease.clone().filter(|n| !n.is_empty()) else {
        return Ok(None);
    };
    let namespace = args.lease_namespace.clone().filter(|n| !n.is_empty());
    let Some(namespace) = namespace.or_else(|| args.namespace.clone()) else {
        return Err(Failure::new("usage", "--lease needs to know its namespace")
            .change("add --lease-namespace NAME, or set POD_NAMESPACE")
            .exit(Exit::Usage));
    };
    // Another name at each start: the next process in this pod is not the one before (F2).
    let identity = format!("{}-{:08x}", args.identity, rand::random::<u32>());
    let at = LeaseName { namespace, name };
    let timing = Timing {
        duration_ms: args.lease_duration.as_millis(),
    };
    if !LEASE_MS.contains(&timing.duration_ms) {
        return Err(Failure::new("usage", "--lease-duration is not usable")
            .because("a slow answer would cost the lease, or a rollback would wait for it")
            .change("choose between 3s and 2m")
            .exit(Exit::Usage));
    }
    Ok(Some(LeaseConfig {
        at,
        identity,
        timing,
    }))
}

/// An environment variable that is set and empty names nothing.
fn named(names: &[String]) -> Vec<String> {
    names.iter().filter(|n| !n.is_empty()).cloned().collect()
}

/// What the operator names, and addresses of the API server as far as they are written down: no
/// plugin reaches them. Loopback is ruled by its own switch.
fn denied(args: &AgentArgs, config: &Config) -> Vec<IpNet> {
    let by_service = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let by_config = config.cluster_url.host().map(str::to_owned);
    let api_server = by_service
        .into_iter()
        .chain(by_config)
        .filter_map(|host| host.trim_matches(['[', ']']).parse().ok())
        .filter(|address: &IpAddr| !address.is_loopback())
        .map(IpNet::from);
    let mut out: Vec<IpNet> = api_server.chain(args.denied_addresses.clone()).collect();
    out.sort();
    out.dedup();
    out
}

pub(crate) fn registry(path: &Path) -> Result<RegistryConfig, Failure> {
    let what = format!(
        "the registry configuration {} cannot be used",
        path.display()
    );
    let failure =
        || Failure::new("registry-config", what.clone()).change("see docs/cli.md, \"Registries\"");
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(CONFIG_BYTES).read_to_string(&mut text))
        .map_err(|e| failure().because(e.to_string()))?;
    serde_saphyr::from_str(&text).map_err(|e| failure().because(e.to_string()))
}

/// Stops early where the cluster does not know Sluice's kinds: the watches would wait for ever.
async fn definitions(client: &Client, namespace: Option<&str>) -> Result<(), Failure> {
    // One answer that does not come is enough: the watches wait for the API server by themselves.
    let answered = known::<Pipeline>(client, namespace).await?
        && known::<Rollout>(client, namespace).await?
        && known::<Approval>(client, namespace).await?
        && known::<Request>(client, namespace).await?;
    tracing::debug!(answered, "looked for the resource definitions");
    Ok(())
}

/// Whether the API server answered; that it knows the kind, if so.
async fn known<K: Kind>(client: &Client, namespace: Option<&str>) -> Result<bool, Failure> {
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    match api.list_metadata(&ListParams::default().limit(1)).await {
        Ok(_) => Ok(true),
        Err(error) => match &error {
            kube::Error::Api(s) if matches!(s.code, 401 | 403 | 404) => {
                let access = Access::new(client.clone(), namespace.unwrap_or("(all)"));
                Err(access.fault("list", &K::plural(&()), error))
            }
            // An API server in trouble is waited for by the watches themselves.
            _ => {
                tracing::warn!(
                    error = access::deepest(&error),
                    "the API server does not answer; the agent waits for it"
                );
                Ok(false)
            }
        },
    }
}

/// Ends with the name of the signal that asks the process to stop.
pub(super) fn stop() -> Result<impl Future<Output = &'static str>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let unheard = |e: std::io::Error| {
        Failure::new("runtime", "signals cannot be heard").because(e.to_string())
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

fn unwired(error: &WiringError) -> Failure {
    let failure = Failure::new("agent", "the agent cannot work").because(error.to_string());
    match error {
        WiringError::Host(_) => failure.change(
            "raise the limit of processes, or start a plugin host yourself and name it with --plugin-host-socket",
        ),
        WiringError::Registry(_) => failure.change("correct the file of --registry-config"),
        WiringError::Records { .. } => {
            failure.change("name a file in a folder that the agent may write, with --records")
        }
        WiringError::Listen { .. } => {
            failure.change("choose another address with --web or --probes")
        }
        WiringError::Agent(AgentError::Deposed(_)) => failure.change(
            "nothing is lost and nothing has to be done: this one starts again and stands by",
        ),
        WiringError::Agent(AgentError::TaskEnded(_)) | WiringError::Web(_) => {
            failure.change("start it again; if it happens again, report it with the log")
        }
    }
}
