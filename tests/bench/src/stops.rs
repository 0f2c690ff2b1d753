//! How long after its limit a plugin is stopped.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_core::plugin::PluginAnswer;

use crate::language::Language;
use crate::stage::Stage;
use crate::table::{Figure, Table, percentile};

const LIMIT: Duration = Duration::from_millis(200);
const STOPS: usize = 9;

/// A loop against its CPU budget; a sleep and a server that says nothing against the deadline.
pub(crate) fn measure(table: &mut Table) {
    let Some(component) = Language::Rust.component() else {
        return;
    };
    // It accepts nobody: the kernel completes the connection, and then nothing comes.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    for (what, attack, limits, allowed) in [
        (
            "a loop, after its CPU budget",
            "loop",
            json!({ "cpu-ms": 200 }),
            20,
        ),
        (
            "a sleep, after its deadline",
            "sleep",
            json!({ "wall-ms": 200 }),
            50,
        ),
        (
            "a hanging request, after its deadline",
            "fetch",
            json!({ "wall-ms": 200 }),
            50,
        ),
    ] {
        let stage = Stage::new(&component, 1, &limits);
        let mut late = Vec::new();
        for _ in 0..STOPS {
            let begun = Instant::now();
            let answer = stage.attack(attack, &url);
            late.push(begun.elapsed().saturating_sub(LIMIT));
            match answer {
                PluginAnswer::Failed(_) => {}
                // The guest heard of the time-out and reported it.
                PluginAnswer::Report(report) if report.summary.contains("Timeout") => {}
                other => panic!("{what}: {other:?}"),
            }
            // A call that goes well: the breaker counts faults in a row.
            let _ = stage.attack("none", &url);
        }
        table.at_most(
            format!("Rust: {what}"),
            Figure::Time(percentile(&mut late, 50)),
            Figure::Time(Duration::from_millis(allowed)),
            true,
        );
    }
}
