//! `make bench`: how fast the plugin host is (plugins.md section 11), beside wasmtime alone with the
//! same component in the same run. Prints one table; exits 1 where a figure of the Rust component
//! misses its target.
//!
//! Criterion keeps its own statistics below `target/criterion` and says what changed since the last
//! run. Needs `make plugins`; JavaScript and Python are measured where `make languages` has built them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark fails by panicking and reports by printing"
)]

use std::process::ExitCode;

use criterion::Criterion;

mod calls;
mod language;
mod loads;
mod memory;
mod raw;
mod stage;
mod stops;
mod table;

use language::Language;
use table::Table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(sluice_plugins::COMPILE_ARGUMENT) => return sluice_plugins::compile_child(),
        Some(memory::ARGUMENT) => return memory::child(arguments.get(1)),
        _ => {}
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut table = Table::default();
    for language in Language::ALL {
        match language.component() {
            Some(component) => {
                calls::measure(language, &component, &mut criterion, &mut table);
                loads::measure(language, &component, &mut table);
            }
            None => table.note(format!("{language}: not built; `make languages` does")),
        }
    }
    calls::throughput(&mut table);
    stops::measure(&mut table);
    memory::measure(&mut table);
    criterion.final_summary();
    println!("{table}");
    match table.is_met() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
