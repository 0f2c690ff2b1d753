//! The parent's side of the compile child: start it with nothing, feed it, bound it, and tell from its
//! end what happened.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::child::{Allowance, Ending};
use super::failure::Failure;
use crate::code::{Code, Draft};

/// So often the CPU that it may use may pass on the clock: a machine may be busy with something else.
const WALL_FACTOR: u32 = 2;
/// What of the child's stderr is kept for the log.
const MAX_WORDS: u64 = 4096;
/// How often the log says that it still works.
const PROGRESS: Duration = Duration::from_secs(15);

/// Compiles in a child. `file` is for the log.
///
/// # Errors
/// What stopped it; the child is dead in every case.
pub(crate) async fn compile(
    program: &Path,
    arguments: &[OsString],
    wasm: &[u8],
    file: &str,
) -> Result<Code, Failure> {
    let allowed = Allowance::of(arguments);
    let wall = Duration::from_secs(u64::from(allowed.cpu_seconds) * u64::from(WALL_FACTOR));
    let not_started = |error: std::io::Error| Failure::NotStarted(error.kind().to_string());
    let draft = Draft::new().map_err(not_started)?;
    let mut child = Command::new(program)
        .args(arguments)
        // No token, no address, no locale: what is not there cannot be read.
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        // Straight into memory that wasmtime will map: the code never passes through the agent.
        .stdout(draft.output().map_err(not_started)?)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(not_started)?;
    let (Some(mut stdin), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
        return Err(Failure::NotStarted("no pipes".to_owned()));
    };
    let feed = async move {
        // A child that died does not read on; its end says why.
        let _ = stdin.write_all(wasm).await;
        drop(stdin);
    };
    let work = async {
        let (words, ()) = tokio::join!(words(stderr), feed);
        (words, child.wait().await)
    };
    let told = told_while(file, work);
    let Ok((words, status)) = tokio::time::timeout(wall, told).await else {
        // Dropping the future would kill it as well; this also waits until it is gone.
        let _ = child.kill().await;
        return Err(Failure::Wall(wall.as_secs()));
    };
    let status = status.map_err(|error| Failure::Broken(error.kind().to_string()))?;
    if !words.is_empty() {
        tracing::warn!(target: "sluice::plugin", file, %status, words, "plugin compiler");
    }
    ended(status, &words)?;
    draft.finish().map_err(Failure::Broken)
}

/// Logs now and then while `work` goes on.
async fn told_while<T>(file: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let begun = tokio::time::Instant::now();
    loop {
        match tokio::time::timeout(PROGRESS, &mut work).await {
            Ok(done) => return done,
            Err(_) => tracing::info!(
                target: "sluice::plugin",
                file,
                seconds = begun.elapsed().as_secs(),
                "still compiling"
            ),
        }
    }
}

/// The beginning of what it said, fit for a log. Reads to the end, or the child would block.
async fn words(mut from: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let _ = (&mut from).take(MAX_WORDS).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    crate::text::block(String::from_utf8_lossy(&kept).trim(), 4096)
}

/// The words of the allocator, of the compiler's own collections and of the system, where there is no
/// more memory. Each ends in another way.
const NO_MEMORY: [&str; 3] = [
    "memory allocation of",
    "out-of-memory error",
    "Cannot allocate memory",
];

fn ended(status: ExitStatus, words: &str) -> Result<(), Failure> {
    if status.signal() == Some(Signal::XCPU.as_raw()) {
        return Err(Failure::Cpu);
    }
    let compiled = status.code() == Some(i32::from(Ending::Compiled as u8));
    if !compiled && NO_MEMORY.iter().any(|phrase| words.contains(phrase)) {
        return Err(Failure::Memory);
    }
    if let Some(signal) = status.signal() {
        return Err(Failure::Signal(signal));
    }
    match status.code().map(|code| (code, Ending::of_code(code))) {
        Some((_, Some(Ending::Compiled))) => Ok(()),
        Some((_, Some(Ending::Refused))) => Err(Failure::Refused),
        Some((_, Some(Ending::Memory))) => Err(Failure::Memory),
        Some((_, Some(Ending::TooLarge))) => Err(Failure::Broken("it got too much".to_owned())),
        Some((_, Some(Ending::TooMuchCode))) => Err(Failure::Code),
        Some((_, Some(Ending::Unlimited))) => {
            Err(Failure::Broken("it cannot limit itself".to_owned()))
        }
        Some((_, Some(Ending::Engine))) => {
            Err(Failure::Broken("its engine does not start".to_owned()))
        }
        Some((_, Some(Ending::Pipe))) => Err(Failure::Broken("its pipes broke".to_owned())),
        // A panic of the compiler: the component's doing.
        Some((101, None)) => Err(Failure::Panicked),
        Some((code, None)) => Err(Failure::Broken(format!("it ended with code {code}"))),
        None => Err(Failure::Broken("its end is unknown".to_owned())),
    }
}
