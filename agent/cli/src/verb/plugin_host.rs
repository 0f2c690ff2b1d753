//! `sluice plugin-host`: a process that runs plugins for an agent and can do nothing else: it has no way
//! to the cluster, and no token.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sluice_plugins::{Compiler, DirectorySecrets, Folders, Host, HostOptions, remote};
use sluice_registry::RegistryConfig;
use tokio::io::AsyncReadExt as _;

use super::agent::{log, registry, stop};
use crate::args::PluginHostArgs;
use crate::artifacts::RegistryArtifacts;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};

/// Largest file of certificates, in bytes.
const AUTHORITIES_BYTES: u64 = 1 << 20;
/// What comes out of registries is waited for so long at the start.
const FIRST_PULLS: Duration = Duration::from_secs(20);
/// What still runs at the end gets this long.
const WIND_DOWN: Duration = Duration::from_millis(500);

/// The whole process.
pub(crate) fn main() -> ExitCode {
    // The only TLS provider; whoever installed one before us has installed this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let args = match PluginHostArgs::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return match error.use_stderr() {
                true => Exit::Usage.into(),
                false => Exit::Done.into(),
            };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run(&args));
            runtime.shutdown_timeout(WIND_DOWN);
            ended
        }
        Err(error) => Err(
            Failure::new("runtime", "the process cannot start its threads")
                .because(error.to_string())
                .change("raise the limit of threads or of memory"),
        ),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            Output::stdio(Format::Text).failure(&failure);
            failure.exit.into()
        }
    }
}

async fn run(args: &PluginHostArgs) -> Result<Exit, Failure> {
    if args.probe {
        return remote::probe(&args.socket)
            .await
            .map(|()| Exit::Done)
            .map_err(|why| {
                Failure::new("plugin-host", "no plugin host answers")
                    .because(why)
                    .at(args.socket.display().to_string())
            });
    }
    log(&args.log, args.log_format)?;
    let options = options(args)?;
    let folders = folders(&args.plugins)?;
    let stop = stop()?;
    let served = async {
        let host = Host::open(folders, options).await.map_err(|card| {
            Failure::new("plugin-host", "the plugin host cannot work")
                .because(card.line())
                .change(card.change)
        })?;
        // Nobody is answered before everything was loaded once: half a catalog would look like plugins
        // that are gone. A registry that does not answer holds that up for so long and no longer.
        host.settle(FIRST_PULLS).await;
        let listener = remote::listen(&args.socket).map_err(|fault| {
            Failure::new("plugin-host", "the plugin host cannot listen")
                .because(fault.to_string())
                .change("name another socket with --socket, in a folder of its own")
        })?;
        let _watch = host.watch();
        tracing::info!(socket = %args.socket.display(), "the plugin host listens");
        remote::serve(host, listener).await;
        Ok(Exit::Done)
    };
    tokio::select! {
        ended = served => ended,
        signal = stop => {
            tracing::info!(signal, "the plugin host stops");
            Ok(Exit::Done)
        }
        () = parent_is_gone(), if args.with_parent => Ok(Exit::Done),
    }
}

/// Ends when nobody holds the other end of standard input any more.
async fn parent_is_gone() {
    let mut input = tokio::io::stdin();
    let mut nothing = [0; 64];
    while matches!(input.read(&mut nothing).await, Ok(n) if n > 0) {}
}

fn options(args: &PluginHostArgs) -> Result<HostOptions, Failure> {
    let mut options = HostOptions {
        allow_loopback: args.allow_loopback,
        denied_addresses: denied(&args.denied_addresses),
        extra_roots: authorities(&args.plugin_authorities)?,
        memory_mib: args.memory_mib,
        compiler: Compiler::this_program(args.compile_memory_mib),
        cache: args.cache.clone(),
        ..HostOptions::default()
    };
    if let Some(folder) = &args.secrets {
        options.secrets = Arc::new(DirectorySecrets::new(folder));
    }
    let registry = match &args.registry_config {
        Some(path) => registry(path)?,
        None => RegistryConfig::default(),
    };
    let artifacts = RegistryArtifacts::new(registry).map_err(|error| {
        Failure::new("registry-config", "the registry settings cannot be used")
            .because(error.to_string())
            .change("correct the file of --registry-config")
            .exit(Exit::Usage)
    })?;
    options.artifacts = Arc::new(artifacts);
    Ok(options)
}

/// What the operator names, and the API server where a pod's environment says where it is: no plugin
/// reaches them. An agent passes on what else it knows.
fn denied(named: &[IpNet]) -> Vec<IpNet> {
    let api_server = std::env::var("KUBERNETES_SERVICE_HOST")
        .ok()
        .and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok())
        .filter(|address| !address.is_loopback())
        .map(IpNet::from);
    api_server
        .into_iter()
        .chain(named.iter().copied())
        .collect()
}

pub(super) fn folders(given: &[PathBuf]) -> Result<Folders, Failure> {
    match given.split_last() {
        Some((last, before)) => Ok(Folders::new(before.to_vec(), last.clone())),
        None => Err(Failure::new("usage", "no folder of plugins is named")
            .change("add --plugins DIR")
            .exit(Exit::Usage)),
    }
}

/// Every certificate of these files.
pub(super) fn authorities(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let mut out = Vec::new();
    for path in files {
        let failure = || {
            let what = format!(
                "the certificate authorities {} cannot be used",
                path.display()
            );
            Failure::new("plugin-ca", what)
                .change("name a file with certificates in PEM form, with --plugin-ca")
                .exit(Exit::Usage)
        };
        let pem = read(path).map_err(|e| failure().because(e.to_string()))?;
        let before = out.len();
        for one in CertificateDer::pem_slice_iter(&pem) {
            out.push(one.map_err(|e| failure().because(e.to_string()))?);
        }
        if out.len() == before {
            return Err(failure().because("it holds no certificate"));
        }
    }
    Ok(out)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(AUTHORITIES_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_holds_some() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            authorities(std::slice::from_ref(&path))
        };
        let pem = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        assert_eq!(read(&(pem("AQID") + &pem("BAU="))).unwrap().len(), 2);
        for bad in ["", "no certificate", &pem("!")] {
            let failure = read(bad).unwrap_err();
            assert!(format!("{failure:?}").contains("plugin-ca"), "{bad}");
        }
        assert!(authorities(&[folder.path().join("none")]).is_err());
        assert!(authorities(&[]).unwrap().is_empty());
    }
}
