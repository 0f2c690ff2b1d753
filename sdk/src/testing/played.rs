//! What a plugin did and said under a script.

use std::fmt::Debug;

use crate::{Check, Error, Level, Report, Request};

/// The outcome of one scripted call.
#[derive(Clone, Debug)]
pub struct Played<T> {
    /// What the plugin answered.
    pub result: Result<T, Error>,
    /// Every request it sent, in order.
    pub requests: Vec<Request>,
    /// Every line it logged.
    pub log: Vec<(Level, String)>,
    /// How long it paused in all, in milliseconds.
    pub slept_ms: u32,
}

impl<T: Debug> Played<T> {
    /// The answer. Fails the test when the plugin could not do its job.
    #[track_caller]
    #[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
    pub fn answer(&self) -> &T {
        match &self.result {
            Ok(answer) => answer,
            Err(error) => panic!("the plugin could not do its job: {error:?}"),
        }
    }
}

impl Played<Report> {
    /// The report. Fails the test when there is none.
    #[track_caller]
    pub fn report(&self) -> &Report {
        self.answer()
    }

    /// The line of this name. Fails the test when there is none.
    #[track_caller]
    #[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
    pub fn line(&self, name: &str) -> &Check {
        let lines = &self.report().checks;
        let Some(line) = lines.iter().find(|line| line.name == name) else {
            let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
            panic!("the report has no line {name:?}, only {names:?}");
        };
        line
    }
}
