//! What can go wrong with a test cluster, told so that a person can act on it.

use std::io;
use std::path::PathBuf;

use crate::need::{self, Missing};

/// Why there is no cluster, or why it did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// The machine lacks programs or rights.
    #[error("this machine cannot run a test cluster:\n{}", need::listed(.0))]
    Missing(Vec<Missing>),
    /// A file or folder.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program that could not be started at all.
    #[error("cannot start {program}: {source}; `cluster check` says what this machine lacks")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// A program that ended with an error.
    #[error("{what} failed with {code}:\n{output}")]
    Failed {
        /// What it was to do, or its command line.
        what: String,
        /// The code it ended with.
        code: String,
        /// The end of what it said.
        output: String,
    },
    /// A part of the cluster that ended before its time.
    #[error(
        "{part} ended ({code}); the end of its log:\n{tail}\nall logs: {}",
        logs.display()
    )]
    Ended {
        /// The part.
        part: String,
        /// The code it ended with.
        code: String,
        /// The last lines of its log.
        tail: String,
        /// Where the logs of every part are kept.
        logs: PathBuf,
    },
    /// Something that did not come about in time.
    #[error("{what} did not come about within {seconds} s: {last}\nlogs: {}", logs.display())]
    TooLate {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was seen last.
        last: String,
        /// Where the logs of every part are kept.
        logs: PathBuf,
    },
    /// A key or certificate.
    #[error("cannot make {what}: {source}")]
    Certificate {
        /// For whom or what.
        what: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// A document that should have been JSON of a certain shape.
    #[error("cannot read {what}: {source}")]
    Document {
        /// Which one.
        what: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// Something that was asked for and is not there.
    #[error("{0}")]
    Absent(String),
}

impl BedError {
    /// For `map_err`: a file that could not be handled.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }

    /// For `map_err`: a program that could not be started.
    pub(crate) fn start(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Start { program, source }
    }

    /// For `map_err`: JSON that could not be read.
    pub(crate) fn document(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Self {
        let what = what.into();
        move |source| Self::Document { what, source }
    }
}

/// The last lines of a text, for a message.
pub(crate) fn tail(text: &str) -> String {
    /// Enough to see why a program ended; few enough for a terminal.
    const LINES: usize = 15;
    /// A line of a log can hold a whole object.
    const WIDTH: usize = 400;
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    let last = lines.get(from..).unwrap_or_default().iter();
    last.map(|line| format!("  {}", line.chars().take(WIDTH).collect::<String>()))
        .collect::<Vec<_>>()
        .join("\n")
}
