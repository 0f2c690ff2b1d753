//! Resident memory of a process that serves so many plugins. Each figure is a process of its own.

use std::process::{Command, ExitCode};

use serde_json::json;
use sluice_core::port::PluginHost as _;

use crate::language::Language;
use crate::stage::Stage;
use crate::table::{Figure, Table};

/// What makes this program the process that is measured.
pub(crate) const ARGUMENT: &str = "--resident";
const TEN: f64 = 80.0;
const EACH: f64 = 2.0;

/// Serves `count` plugins, calls each once, and prints its own resident memory in KiB.
pub(crate) fn child(count: Option<&String>) -> ExitCode {
    let count: usize = count.and_then(|count| count.parse().ok()).unwrap_or(0);
    let Some(component) = Language::Rust.component() else {
        return ExitCode::FAILURE;
    };
    let stage = Stage::new(&component, count, &json!({}));
    for number in 0..count {
        let question = Stage::no_op(&format!("p{number}"));
        stage.runtime.block_on(stage.host.call(question));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .unwrap();
    println!("{resident}");
    ExitCode::SUCCESS
}

fn resident(count: usize) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([ARGUMENT, &count.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let kib: f64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kib / 1024.0
}

pub(crate) fn measure(table: &mut Table) {
    let [none, one, ten, fifty] = [0, 1, 10, 50].map(resident);
    table.figure(
        "resident without a plugin".to_owned(),
        Figure::Mebibytes(none),
    );
    table.figure(
        "resident with 1 Rust plugin".to_owned(),
        Figure::Mebibytes(one),
    );
    table.at_most(
        "resident with 10 Rust plugins".to_owned(),
        Figure::Mebibytes(ten),
        Figure::Mebibytes(TEN),
        true,
    );
    table.figure(
        "resident with 50 Rust plugins".to_owned(),
        Figure::Mebibytes(fifty),
    );
    table.at_most(
        "each further plugin".to_owned(),
        Figure::Mebibytes((fifty - ten) / 40.0),
        Figure::Mebibytes(EACH),
        true,
    );
}
