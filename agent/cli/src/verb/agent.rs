//! `sluice agent`.

use std::io::{IsTerminal as _, Read as _};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use kube::api::{Api, ListParams};
use kube::{Client, Config};
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};
use sluice_controller::AgentConfig;
use sluice_plugins::{DirectorySecrets, HostOptions};
use sluice_registry::RegistryConfig;
use sluice_web::WebConfig;
use tracing_subscriber::EnvFilter;

use super::objects::Kind;
use crate::access::{self, Access};
use crate::args::{AgentArgs, ClusterArgs};
use crate::clock::WallClock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Format;
use crate::wiring::{Settings, WiringError, wire};

/// Largest registry configuration, in bytes.
const CONFIG_BYTES: u64 = 1 << 20;

pub(crate) async fn run(mut args: AgentArgs) -> Result<Exit, Failure> {
    args.namespace = args.namespace.filter(|name| !name.is_empty());
    log(&args)?;
    let cluster = ClusterArgs {
        context: args.context.clone(),
        namespace: args.namespace.clone(),
    };
    let config = access::config(&cluster).await?;
    let settings = settings(&args, &config)?;
    let client = Client::try_from(config).map_err(|e| {
        Failure::new("kubeconfig", "the way to the cluster cannot be used")
            .because(access::deepest(&e))
            .change("check the certificates and keys of the kubeconfig")
    })?;
    definitions(&client, args.namespace.as_deref()).await?;
    let wired = wire(client, settings, Arc::new(WallClock))
        .await
        .map_err(|e| unwired(&e))?;
    if let Some(address) = wired.web_address() {
        tracing::info!(%address, "the web page listens");
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
    let stop = stop()?;
    tokio::select! {
        ended = wired.run() => match ended {
            Ok(()) => Ok(Exit::Done),
            Err(error) => Err(unwired(&error)),
        },
        signal = stop => {
            // Nothing is lost: what was decided stands in the journals (ARCHITECTURE.md, 4).
            tracing::info!(signal, "the agent stops");
            Ok(Exit::Done)
        }
    }
}

fn log(args: &AgentArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log).map_err(|e| {
        Failure::new("usage", format!("--log {} is no filter", args.log))
            .because(e.to_string())
            .change("write a level such as info, or module=level pairs separated by commas")
            .exit(Exit::Usage)
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A subscriber that is there already belongs to whoever embeds the agent.
    let _ = match args.log_format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}

fn settings(args: &AgentArgs, config: &Config) -> Result<Settings, Failure> {
    let mut host = HostOptions {
        allow_loopback: args.allow_loopback,
        denied_addresses: api_server(config),
        ..HostOptions::default()
    };
    if let Some(folder) = &args.secrets {
        host.secrets = Arc::new(DirectorySecrets::new(folder));
    }
    let registry = match &args.registry_config {
        Some(path) => registry(path)?,
        None => RegistryConfig::default(),
    };
    let web = args.web.map(|address| {
        let config = WebConfig {
            audience: args.web_audience.clone(),
            hosts: args.web_host.clone(),
            public_read: args.web_public_read,
            secure_cookies: args.web_https,
        };
        (address, config)
    });
    Ok(Settings {
        agent: AgentConfig {
            namespace: args.namespace.clone(),
            target_namespaces: named(&args.target_namespaces),
        },
        policy: args.policy.clone(),
        plugins: args.plugins.clone(),
        host,
        records: args.records.clone(),
        registry,
        web,
    })
}

/// An environment variable that is set and empty names nothing.
fn named(names: &[String]) -> Vec<String> {
    names.iter().filter(|n| !n.is_empty()).cloned().collect()
}

/// Addresses of the API server as far as they are written down: no plugin reaches them. Loopback is
/// ruled by its own switch.
fn api_server(config: &Config) -> Vec<IpAddr> {
    let by_service = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    let by_config = config.cluster_url.host().map(str::to_owned);
    let mut out: Vec<IpAddr> = by_service
        .into_iter()
        .chain(by_config)
        .filter_map(|host| host.trim_matches(['[', ']']).parse().ok())
        .filter(|address: &IpAddr| !address.is_loopback())
        .collect();
    out.dedup();
    out
}

fn registry(path: &Path) -> Result<RegistryConfig, Failure> {
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
fn stop() -> Result<impl Future<Output = &'static str>, Failure> {
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
        WiringError::Plugins(card) => failure.change(card.change.clone()),
        WiringError::Registry(_) => failure.change("correct the file of --registry-config"),
        WiringError::Records { .. } => {
            failure.change("name a file in a folder that the agent may write, with --records")
        }
        WiringError::Listen { .. } => failure.change("choose another address with --web"),
        WiringError::Agent(_) | WiringError::Web(_) => {
            failure.change("start it again; if it happens again, report it with the log")
        }
    }
}
