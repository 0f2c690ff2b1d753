//! From the command line to an exit code.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use sluice_core::port::Clock as _;

use crate::access::Access;
use crate::args::{Cli, ClusterArgs, QuarantineVerb, Verb};
use crate::child_process::helper;
use crate::clock::WallClock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{CLOSED, Format, Output};
use crate::session::Session;
use crate::verb;

/// What still runs when a command is done gets this long; a question nobody answers must not hang it.
const WIND_DOWN: Duration = Duration::from_millis(500);

/// The whole process.
pub fn main() -> ExitCode {
    if let Some(done) = helper() {
        return done;
    }
    // The only TLS provider; whoever installed one before us has installed this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&arguments, &error).into(),
    };
    let mut out = Output::stdio(cli.output);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(run(cli, out));
            runtime.shutdown_timeout(WIND_DOWN);
            exit
        }
        Err(error) => {
            let failure = Failure::new("runtime", "the process cannot start its threads")
                .because(error.to_string())
                .change("raise the limit of threads or of memory");
            out.failure(&failure);
            failure.exit
        }
    };
    exit.into()
}

/// Runs one command.
pub async fn run(cli: Cli, mut out: Output) -> Exit {
    if cli.ascii {
        out.plain();
    }
    let cluster = match cluster_of(&cli.verb) {
        None => return alone(cli.verb, &mut out).await,
        Some(cluster) => cluster.clone(),
    };
    let access = match Access::open(&cluster).await {
        Ok(access) => access,
        Err(failure) => return told(&mut out, Err(failure)),
    };
    let mut session = Session {
        access,
        out,
        clock: Arc::new(WallClock),
    };
    run_in(&cli, &mut session).await
}

/// Runs one command against a cluster that is open already: tests and the demo enter here.
pub async fn run_in(cli: &Cli, session: &mut Session) -> Exit {
    // On the heap: the future of all verbs in one is too much for a thread's stack.
    let ended = Box::pin(in_cluster(&cli.verb, session)).await;
    told(&mut session.out, ended)
}

/// The verbs that need no kubeconfig of a person.
async fn alone(verb: Verb, out: &mut Output) -> Exit {
    let ended = match verb {
        Verb::Agent(args) => verb::agent::run(*args).await,
        Verb::Policy(verb) => {
            let now = WallClock.now();
            verb::policy::run(&verb, None, out, now).await
        }
        Verb::Plugin(verb) => verb::plugin::run(&verb, out).await,
        Verb::Crds => verb::crds::run(out),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sluice", &mut script);
            out.raw(&script).map(|()| Exit::Done)
        }
        Verb::Deploy(_)
        | Verb::Approve(_)
        | Verb::Reject(_)
        | Verb::Abort(_)
        | Verb::Pause(_)
        | Verb::Resume(_)
        | Verb::Promote(_)
        | Verb::Rollback(_)
        | Verb::Retry(_)
        | Verb::Lift(_)
        | Verb::Quarantine(_)
        | Verb::Drill(_)
        | Verb::Stop(_)
        | Verb::Start(_)
        | Verb::Adopt(_)
        | Verb::Get(_)
        | Verb::Status(_)
        | Verb::Explain(_)
        | Verb::Record(_) => Ok(Exit::Usage),
    };
    told(out, ended)
}

async fn in_cluster(verb: &Verb, session: &mut Session) -> Result<Exit, Failure> {
    match verb {
        Verb::Deploy(a) => verb::wish::deploy(session, a).await,
        Verb::Approve(a) => verb::vote::approve(session, a).await,
        Verb::Reject(a) => verb::vote::reject(session, a).await,
        Verb::Abort(a) => verb::wish::abort(session, a).await,
        Verb::Pause(a) => verb::wish::pause(session, a).await,
        Verb::Resume(a) => verb::wish::resume(session, a).await,
        Verb::Promote(a) => verb::wish::promote(session, a).await,
        Verb::Rollback(a) => verb::rollback::run(session, a).await,
        Verb::Retry(a) => verb::wish::retry(session, a).await,
        Verb::Lift(a) => verb::wish::lift(session, a).await,
        Verb::Quarantine(v) => verb::quarantine::run(session, v).await,
        Verb::Drill(a) => verb::drill::run(session, a).await,
        Verb::Stop(a) => verb::wish::stop(session, a).await,
        Verb::Start(a) => verb::wish::start(session, a).await,
        Verb::Policy(v) => {
            let now = session.now();
            verb::policy::run(v, Some(&session.access), &mut session.out, now).await
        }
        Verb::Adopt(a) => verb::wish::adopt(session, a).await,
        Verb::Get(a) => verb::get::run(session, a).await,
        Verb::Status(a) => verb::status::run(session, a).await,
        Verb::Explain(a) => verb::explain::run(session, a).await,
        Verb::Record(a) => verb::record::run(session, a).await,
        Verb::Agent(_) | Verb::Plugin(_) | Verb::Crds | Verb::Completions { .. } => Ok(Exit::Usage),
    }
}

fn cluster_of(verb: &Verb) -> Option<&ClusterArgs> {
    match verb {
        Verb::Deploy(a) => Some(&a.cluster),
        Verb::Approve(a) => Some(&a.cluster),
        Verb::Reject(a) => Some(&a.cluster),
        Verb::Abort(a) | Verb::Resume(a) | Verb::Promote(a) => Some(&a.cluster),
        Verb::Pause(a) => Some(&a.cluster),
        Verb::Rollback(a) => Some(&a.cluster),
        Verb::Retry(a) | Verb::Lift(a) => Some(&a.cluster),
        Verb::Quarantine(QuarantineVerb::List(a)) => Some(&a.cluster),
        Verb::Quarantine(QuarantineVerb::Lift(a)) => Some(&a.cluster),
        Verb::Drill(a) => Some(&a.cluster),
        Verb::Stop(a) => Some(&a.cluster),
        Verb::Start(a) => Some(&a.cluster),
        Verb::Adopt(a) => Some(&a.cluster),
        Verb::Get(a) => Some(&a.cluster),
        Verb::Status(a) => Some(&a.cluster),
        Verb::Explain(a) => Some(&a.cluster),
        Verb::Record(a) => Some(&a.cluster),
        Verb::Agent(_)
        | Verb::Policy(_)
        | Verb::Plugin(_)
        | Verb::Crds
        | Verb::Completions { .. } => None,
    }
}

/// Writes the failure, if there is one, and says how the process ends.
fn told(out: &mut Output, ended: Result<Exit, Failure>) -> Exit {
    let _ = out.clear();
    match ended {
        Ok(exit) => exit,
        Err(failure) => {
            // A reader that went away, as `head` does, wants to read nothing more.
            if failure.code != CLOSED {
                out.failure(&failure);
            }
            failure.exit
        }
    }
}

/// What the command line is not, in the format that it asks for.
fn usage(arguments: &[OsString], error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    if wants_json(arguments) {
        Output::stdio(Format::Json).failure(
            &Failure::new("usage", "the command line is not right")
                .because(error.to_string().trim_end().to_owned())
                .change("`sluice help` lists the commands")
                .exit(Exit::Usage),
        );
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

fn wants_json(arguments: &[OsString]) -> bool {
    let pairs = arguments.windows(2).any(|pair| match pair {
        [flag, value] => (flag == "-o" || flag == "--output") && value == "json",
        _ => false,
    });
    pairs
        || arguments
            .iter()
            .any(|a| a == "-ojson" || a == "-o=json" || a == "--output=json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn what_must_be_said_must_be_said() {
        for line in [
            "sluice",
            "sluice deploy storefront --to production",
            "sluice deploy storefront --tag v1",
            "sluice deploy storefront --to production --tag v1 --digest sha256:a",
            "sluice reject r",
            "sluice rollback r --tag v1",
            "sluice retry storefront --to production",
            "sluice lift storefront --tag v1",
            "sluice adopt storefront",
            "sluice get pods",
            "sluice get rollouts x -A",
            "sluice status r --timeout soon",
            "sluice plugin run x.wasm",
            "sluice plugin run x.wasm --target localhost:80",
            "sluice plugin run x.wasm --target http://127.0.0.1:80/health",
            "sluice policy check",
        ] {
            let error = parse(line).expect_err(line);
            // Help on stdout is the answer to a bare `sluice`, and still not a success.
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn waiting_is_the_default_of_deploy_and_the_last_word_counts() {
        let waits = |line: &str| match parse(line).unwrap().verb {
            Verb::Deploy(a) => !a.no_wait,
            other => panic!("{other:?}"),
        };
        let base = "sluice deploy storefront --to production --tag v1";
        assert!(waits(base));
        assert!(!waits(&format!("{base} --no-wait")));
        assert!(waits(&format!("{base} --no-wait --wait")));
        assert!(!waits(&format!("{base} --wait --no-wait")));
    }

    #[test]
    fn the_output_format_is_taken_everywhere() {
        for line in [
            "sluice -o json get rollouts",
            "sluice get pipeline storefront -n delivery --context kind -o json",
            "sluice status r -w --timeout 30m --output=json",
            "sluice policy check policy.yaml -o json",
            "sluice plugin smoke x.wasm --target http://127.0.0.1:1 -o json",
            "sluice completions zsh -o json",
        ] {
            let cli = parse(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(cli.output, Format::Json, "{line}");
        }
        let arguments = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in [
            "a -o json",
            "a -ojson",
            "a --output json",
            "a --output=json",
            "a -o=json",
        ] {
            assert!(wants_json(&arguments(line)), "{line}");
        }
        assert!(!wants_json(&arguments("a -o text json")));
    }
}
