//! `make demo`: the real agent, real plugins and a real registry protocol on a cluster in one
//! process. v1.1.0 goes to production through an approval; v1.2.0, whose health lies under
//! production's data, is caught at 10 % and rolled back. A client asks the production Service all
//! the while; the demo prints what share each version served and how many requests failed, and ends
//! with an error where that is not what the router announced. Then a check that is dropped into the
//! plugins folder judges the next release.

// It is a program that tells a story on a terminal.
#![expect(
    clippy::print_stdout,
    reason = "a demo talks to the person who runs it"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

mod drops;
mod follow;
mod people;
mod report;
mod setting;
mod story;
mod traffic;

use std::process::ExitCode;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // The agent's plugins run in another process, which is this program again.
    if let Some(done) = sluice::helper() {
        return done;
    }
    let filter = EnvFilter::try_from_env("SLUICE_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe demo did not go as told: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    // A second provider could only be installed by this process itself; then it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let auto = std::env::var("AUTO").is_ok_and(|v| v == "1");
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime")?
        .block_on(story::play(auto))
}
