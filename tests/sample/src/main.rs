//! `sample`: the service, its client, a process that only waits, and their images.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to whoever runs it"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sluice_sample::load::{self, Counts, Plan};
use sluice_sample::{
    Behaviour, Error, Job, NAMES, Place, Result, Sample, pause_image, sample_image, serve,
    terminated, work,
};
use tokio::net::TcpListener;

/// What end-to-end tests release.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Serve, as the environment variables say; ends after SIGTERM and DRAIN_SECONDS.
    Serve {
        /// Where.
        #[arg(long, env = "SAMPLE_LISTEN", default_value = "0.0.0.0:8080")]
        listen: String,
    },
    /// Ask an address at a constant rate, one fresh connection per request; a JSON line a second.
    Load {
        /// An http address on loopback or in a private network.
        #[arg(long)]
        url: String,
        /// Requests per second.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
        rate: u32,
        /// For how long; SIGTERM ends it earlier.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7200))]
        seconds: u32,
        /// After which a request has failed.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
        timeout: u64,
        /// Serve GET /totals and POST /mark?name=… here, such as 127.0.0.1:9090 or :9090.
        #[arg(long)]
        control: Option<String>,
    },
    /// Do what a hook of a release would: log, take its time, leave a message, end with a code.
    Job(Job),
    /// Wait for SIGTERM.
    Pause,
    /// Write the image of one version; prints path and digest.
    Image {
        /// Full name without tag, such as registry.example.com/shop/storefront.
        #[arg(long)]
        repository: String,
        /// The tag, and what the service says of itself.
        #[arg(long)]
        version: String,
        /// How it behaves.
        #[arg(long, default_value = "good", help = format!("One of: {NAMES}"))]
        behaviour: String,
        /// The folder for VERSION.oci.tar.
        #[arg(long)]
        out: PathBuf,
    },
    /// Write the image of a pod's sandbox, which runs `pause`; prints path and digest.
    PauseImage {
        /// Full name with tag, such as registry.example.com/pause:v1.
        #[arg(long)]
        name: String,
        /// The archive to write.
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let verb = Command::parse().verb;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(Error::Signal)
        .and_then(|runtime| runtime.block_on(run(verb)));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does it, and answers the code to end with.
async fn run(verb: Verb) -> Result<u8> {
    match verb {
        Verb::Serve { listen } => {
            let stop = terminated()?;
            let place = Place::here();
            let (version, behaviour) = Behaviour::read(&place.variables)?;
            let listener = bind(&listen).await?;
            println!("{version} on {listen}");
            serve(listener, Sample::new(&version, behaviour, place), stop).await?;
        }
        Verb::Load {
            url,
            rate,
            seconds,
            timeout,
            control,
        } => {
            let stop = terminated()?;
            let patience = Duration::from_secs(timeout);
            let plan = Plan::new(&url, rate, seconds, patience).await?;
            let counts = Arc::new(Counts::default());
            let asks = load::run(&plan, &counts, stop, |line| println!("{line}"));
            match control {
                None => asks.await,
                Some(address) => {
                    let door = load::control(bind(&address).await?, counts.clone());
                    tokio::select! {
                        () = asks => {}
                        () = door => {}
                    }
                }
            }
        }
        Verb::Job(job) => {
            let stop = terminated()?;
            let place = Place::here();
            let (version, _) = Behaviour::read(&place.variables)?;
            return work(&job, &version, &place, |line| println!("{line}"), stop).await;
        }
        Verb::Pause => terminated()?.await,
        Verb::Image {
            repository,
            version,
            behaviour,
            out,
        } => {
            let behaviour = Behaviour::named(&behaviour)?;
            let program = own_program()?;
            let (path, digest) = sample_image(&program, &repository, &version, &behaviour, &out)?;
            println!("{}  {digest}", path.display());
        }
        Verb::PauseImage { name, out } => {
            let digest = pause_image(&own_program()?, &name, &out)?;
            println!("{}  {digest}", out.display());
        }
    }
    Ok(0)
}

/// What goes into the images.
fn own_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|e| Error::Setting {
        name: "program",
        value: "this one".to_owned(),
        why: e.to_string(),
    })
}

/// `:9090` is every address of the machine.
async fn bind(address: &str) -> Result<TcpListener> {
    let full = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    TcpListener::bind(&full)
        .await
        .map_err(|source| Error::Listen {
            address: full,
            source,
        })
}
