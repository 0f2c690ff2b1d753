//! What each verb does.

use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use sluice_cluster_bed::{Bed, BedError, Gateway, Level, Options, Person, programs};
use tokio::signal::unix::{SignalKind, signal};

type Done = Result<ExitCode, BedError>;

/// What a shell says of a command that a signal ended.
const BY_SIGNAL: u8 = 130;
/// How often `up` looks whether the cluster still runs.
const LOOKS: Duration = Duration::from_secs(1);

pub(crate) fn check(level: Level) -> ExitCode {
    let built = programs::are_built(Gateway::None);
    let missing = sluice_cluster_bed::missing(level, built);
    if !missing.is_empty() {
        println!("{}", BedError::Missing(missing));
        return ExitCode::FAILURE;
    }
    println!("nothing is missing on this machine");
    if !built {
        println!(
            "the programs are not built yet: `cluster build`, up to 15 minutes the first time"
        );
    }
    ExitCode::SUCCESS
}

pub(crate) fn build(gateway: Gateway) -> Done {
    let folder = programs::build(gateway, |line| println!("{line}"))?;
    println!(
        "the cluster's programs are up to date: {}",
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn up(options: Options) -> Done {
    let Some(mut bed) = unless_ended(Bed::start(options)).await? else {
        return Ok(ExitCode::from(BY_SIGNAL));
    };
    let enter = format!("nsenter --net={} --", bed.netns().display());
    println!("\nkubeconfig  {}", bed.admin_kubeconfig().display());
    println!("API server  {}", bed.api_server());
    println!(
        "registry    {}",
        bed.registry().unwrap_or("none at level 1")
    );
    if let (Some(routes), Some(ingresses)) = (bed.routes_address(), bed.ingresses_address()) {
        println!(
            "HTTPRoutes  {routes}, for the Gateway {}",
            Bed::route_parent()
        );
        println!("Ingresses   {ingresses}");
    }
    println!("tools       {}", bed.tool("").display());
    println!("logs        {}", bed.logs().display());
    println!("enter       cluster enter -- COMMAND, or {enter} COMMAND");
    println!("people      cluster person alice@example.com --group devops-leads");
    println!("end         Ctrl-C");
    let ended = unless_ended(async {
        loop {
            tokio::time::sleep(LOOKS).await;
            bed.check()?;
        }
    })
    .await;
    if ended.is_err() {
        bed.keep_logs();
    }
    bed.stop().await?;
    ended.map(|_: Option<()>| ExitCode::SUCCESS)
}

pub(crate) async fn run(options: Options, command: &[String]) -> Done {
    let Some(mut bed) = unless_ended(Bed::start(options)).await? else {
        return Ok(ExitCode::from(BY_SIGNAL));
    };
    let code = inside(&bed, command).await;
    // Ctrl-C reaches the command too: its end is waited for, and then the cluster's.
    if !matches!(&code, Ok(code) if *code == ExitCode::SUCCESS) {
        bed.keep_logs();
        println!("the cluster's logs: {}", bed.logs().display());
    }
    bed.stop().await?;
    code
}

pub(crate) async fn enter(state: Option<PathBuf>, command: &[String]) -> Done {
    inside(&the_one(state)?, command).await
}

pub(crate) fn person(state: Option<PathBuf>, name: String, groups: Vec<String>) -> Done {
    let path = the_one(state)?.kubeconfig(&Person { name, groups })?;
    println!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn down() -> Done {
    for folder in sluice_cluster_bed::down_all()? {
        println!("removed {}", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command in the cluster's network; a shell where none is named.
async fn inside(bed: &Bed, words: &[String]) -> Done {
    let mut command = match words.split_first() {
        Some((program, arguments)) => {
            let mut command = by_name(bed, program);
            command.args(arguments);
            command
        }
        None => bed.command("bash"),
    };
    let mut child = start(&mut command)?;
    let ended = tokio::select! {
        status = child.wait() => Some(status),
        () = terminated() => None,
    };
    let status = match ended {
        Some(status) => status,
        None => {
            // SIGTERM came to us alone.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    status
        .map(code_of)
        .map_err(|source| cannot_run(&command, source))
}

/// The tools of the cluster go before the machine's, though `nsenter` looks in our own PATH.
fn by_name(bed: &Bed, program: &str) -> Command {
    let tool = bed.tool(program);
    if !program.contains('/') && tool.is_file() {
        bed.command(tool)
    } else {
        bed.command(program)
    }
}

fn start(command: &mut Command) -> Result<tokio::process::Child, BedError> {
    let placeholder = Command::new("");
    let owned = std::mem::replace(command, placeholder);
    let mut owned = tokio::process::Command::from(owned);
    owned.spawn().map_err(|source| cannot_run(command, source))
}

fn cannot_run(command: &Command, source: std::io::Error) -> BedError {
    BedError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(BY_SIGNAL))
}

/// The cluster of this folder, of this process, or the only one that is up.
fn the_one(state: Option<PathBuf>) -> Result<Bed, BedError> {
    if let Some(state) = state {
        return Bed::open(&state);
    }
    if let Some(bed) = Bed::inherited()? {
        return Ok(bed);
    }
    let running = sluice_cluster_bed::running();
    match running.as_slice() {
        [one] => Bed::open(one),
        [] => Err(BedError::Absent(
            "no cluster is up: `cluster up` starts one".into(),
        )),
        several => Err(BedError::Absent(format!(
            "more than one cluster is up, choose by --state:\n  {}",
            several
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join("\n  ")
        ))),
    }
}

/// What the work gives, or nothing where Ctrl-C or SIGTERM comes first: the work is dropped then.
async fn unless_ended<T>(
    work: impl Future<Output = Result<T, BedError>>,
) -> Result<Option<T>, BedError> {
    tokio::select! {
        done = work => done.map(Some),
        _ = tokio::signal::ctrl_c() => Ok(None),
        () = terminated() => Ok(None),
    }
}

async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => drop(signals.recv().await),
        // Without a handler the signal ends this process, and the kernel the cluster.
        Err(_) => std::future::pending().await,
    }
}
