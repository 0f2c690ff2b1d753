//! One run of a foreign tool: its progress on one line of a terminal, its own words where it fails.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Lines of a tool that are kept: cargo's first error stands far above its last line.
const KEPT_LINES: usize = 2_000;
/// Longest line that is kept, in characters.
const LINE: usize = 400;
/// Lines that are shown of a failure.
const SHOWN: usize = 40;
/// Most that is read of a tool's standard output: cargo writes a line of JSON for each crate.
const MAX_STDOUT: u64 = 16 << 20;

/// What a tool that succeeded has written.
pub(super) struct Finished {
    pub(super) stdout: Vec<u8>,
}

/// Runs a tool to its end. `install` says what to do where it is not there.
pub(super) async fn run(
    what: &str,
    mut command: Command,
    install: &str,
    out: &mut Output,
) -> Result<Finished, Failure> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| not_started(what, &error, install))?;
    let broken = |error: io::Error| {
        Failure::new("runtime", format!("{what} cannot be followed")).because(error.to_string())
    };
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    out.paint(&format!("{what} …"))?;
    let mut kept = VecDeque::new();
    let (stdout, told) = tokio::join!(
        whole(stdout),
        follow(stderr, &mut kept, |line| out
            .paint(&format!("{what}: {line}")))
    );
    told?;
    let stdout = stdout.map_err(broken)?;
    let status = child.wait().await.map_err(broken)?;
    if status.success() {
        return Ok(Finished { stdout });
    }
    let kept: Vec<String> = kept.into();
    let mut failure = Failure::new("build-failed", format!("{what} failed ({status})"))
        .change("correct what it says, and build again")
        .exit(Exit::NotDone);
    failure.why = essence(&kept, &String::from_utf8_lossy(&stdout));
    Err(failure)
}

fn not_started(what: &str, error: &io::Error, install: &str) -> Failure {
    Failure::new("tool-missing", format!("{what} cannot be started"))
        .because(error.to_string())
        .change(install)
        .exit(Exit::NotDone)
}

async fn whole(from: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let mut from = from.take(MAX_STDOUT);
        from.read_to_end(&mut bytes).await?;
        // What is more is read too, or the tool would wait for ever.
        tokio::io::copy(&mut from.into_inner(), &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}

async fn follow(
    from: Option<impl AsyncRead + Unpin>,
    kept: &mut VecDeque<String>,
    mut each: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(from) = from else { return Ok(()) };
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end does not fill the memory: it is cut.
        let read = (&mut reader)
            .take(64 << 10)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(count) if count > 0) {
            return Ok(());
        }
        let text: String = String::from_utf8_lossy(&line)
            .trim_end()
            .chars()
            .take(LINE)
            .collect();
        each(text.trim())?;
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(text);
    }
}

/// The tool's own words about what went wrong: from its first error on, or its last lines.
fn essence(stderr: &[String], stdout: &str) -> Vec<String> {
    let begins = |line: &&String| {
        let line = line.trim_start().to_ascii_lowercase();
        line.starts_with("error") || line.starts_with("npm error") || line.starts_with("traceback")
    };
    let from_stdout: Vec<String> = stdout
        .lines()
        .map(|l| l.chars().take(LINE).collect())
        .collect();
    let lines = if stderr.iter().all(|line| line.trim().is_empty()) {
        &from_stdout
    } else {
        stderr
    };
    let from = lines.iter().position(|line| begins(&line));
    let told: Vec<String> = match from {
        Some(from) => lines.iter().skip(from).take(SHOWN).cloned().collect(),
        None => {
            let rest = lines.len().saturating_sub(SHOWN / 2);
            lines.iter().skip(rest).cloned().collect()
        }
    };
    let left = from.map_or(0, |from| lines.len().saturating_sub(from + SHOWN));
    let more = (left > 0).then(|| format!("… and {left} more lines"));
    told.into_iter()
        .filter(|line| !line.trim().is_empty())
        .chain(more)
        .collect()
}

/// Whether a file is there and younger than all of these that are.
pub(super) fn is_newer(file: &Path, than: &[&Path]) -> bool {
    let age = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|about| about.modified())
            .ok()
    };
    age(file).is_some_and(|done| {
        than.iter()
            .all(|path| age(path).is_none_or(|at| at <= done))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn told(script: &str) -> Failure {
        let (mut out, _) = Output::captured(Format::Text);
        run("tool", shell(script), "install it", &mut out)
            .await
            .err()
            .unwrap()
    }

    #[tokio::test]
    async fn a_failure_shows_the_first_error_and_what_follows() {
        let failure =
            told("echo compiling a >&2; echo 'error: no such x' >&2; echo ' --> src' >&2; exit 3")
                .await;
        assert_eq!(failure.why, ["error: no such x", " --> src"]);
        assert!(failure.what.contains("exit status: 3"), "{failure}");
    }

    #[tokio::test]
    async fn without_an_error_the_last_lines_are_shown_and_all_is_bounded() {
        let failure = told("seq 1 100000 >&2; exit 1").await;
        assert_eq!(failure.why.len(), SHOWN / 2);
        assert_eq!(failure.why.last().unwrap(), "100000");
        let failure = told("echo error >&2; seq 1 1000 >&2; exit 1").await;
        assert_eq!(failure.why.len(), SHOWN + 1);
        assert_eq!(failure.why.last().unwrap(), "… and 961 more lines");
    }

    #[tokio::test]
    async fn what_a_tool_says_on_its_standard_output_is_shown_where_it_says_nothing_else() {
        assert_eq!(
            told("echo 'Error: broken'; exit 1").await.why,
            ["Error: broken"]
        );
    }

    #[tokio::test]
    async fn a_tool_that_is_not_there_says_how_to_get_it() {
        let (mut out, _) = Output::captured(Format::Text);
        let command = Command::new("sluice-no-such-tool");
        let failure = run("tool", command, "install it", &mut out)
            .await
            .err()
            .unwrap();
        assert_eq!(failure.code, "tool-missing");
        assert_eq!(failure.change.as_deref(), Some("install it"));
    }
}
