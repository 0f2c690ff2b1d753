//! A Job of one version: what it says, how long it takes, and how it ends.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use crate::{Error, Place, Result};

/// What the kernel's shell says of a process that SIGTERM ended.
const BY_SIGTERM: u8 = 143;
/// What the agent gives a Job to know what it is for.
const FACTS: [&str; 3] = ["SLUICE_ROLLOUT_ID", "SLUICE_HOOK", "SLUICE_IDEMPOTENCY_KEY"];

/// How a Job goes. An image's own variables are what its version does; arguments go before.
#[derive(Args, Clone, Debug, Default)]
pub struct Job {
    /// The code it ends with.
    #[arg(long, env = "SAMPLE_JOB_EXIT", default_value_t = 0)]
    pub exit_code: u8,
    /// What it writes where a container says how it ended; nothing by default.
    #[arg(long, env = "SAMPLE_JOB_MESSAGE")]
    pub message: Option<String>,
    /// A line that it logs; may be repeated.
    #[arg(long = "log")]
    pub lines: Vec<String>,
    /// How long it takes.
    #[arg(long, env = "SAMPLE_JOB_SECONDS", default_value_t = 0.0, value_parser = seconds)]
    pub seconds: f64,
    /// Where a container says how it ended.
    #[arg(long, default_value = "/dev/termination-log")]
    pub termination_log: PathBuf,
}

/// Up to a day: a test that waits longer has a mistake in it.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|n| (0.0..=86_400.0).contains(n));
    number.ok_or_else(|| "seconds are expected, such as 0.5, up to 86400".to_owned())
}

/// Does it and answers the code to end with: that of SIGTERM where `stop` ends first, with no message.
pub async fn work(
    job: &Job,
    version: &str,
    place: &Place,
    mut say: impl FnMut(&str),
    stop: impl Future<Output = ()>,
) -> Result<u8> {
    let facts = FACTS
        .into_iter()
        .filter_map(|name| Some(format!(" {name}={}", place.variables.get(name)?)));
    say(&format!("job of {version}{}", facts.collect::<String>()));
    for line in &job.lines {
        say(line);
    }
    tokio::select! {
        () = sleep(Duration::from_secs_f64(job.seconds)) => {}
        () = stop => {
            say("told to stop");
            return Ok(BY_SIGTERM);
        }
    }
    if let Some(message) = &job.message {
        std::fs::write(&job.termination_log, message).map_err(|source| Error::Message {
            path: job.termination_log.clone(),
            source,
        })?;
    }
    Ok(job.exit_code)
}
