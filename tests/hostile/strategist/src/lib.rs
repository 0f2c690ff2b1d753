//! A traffic strategy that plans nonsense: attack 21 of the contract's table. The settings choose
//! which: `{"attack": "unstable"}`.

#![cfg_attr(
    target_arch = "wasm32",
    expect(unreachable_pub, reason = "the generated bindings are")
)]

#[path = "../../manifest.rs"]
mod manifest;

// Bindings of the contract, made from its text.
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "traffic-strategy-plugin",
        pub_export_macro: true,
    });
}

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bindings::exports::sluice::plugin::settings::{Guest as Settings, Issue};
use bindings::exports::sluice::plugin::traffic_strategy::{Guest, Judgement, Observation, Step};
use bindings::sluice::plugin::context::Invocation;
use bindings::sluice::plugin::types::Error;

struct Strategist;

manifest::embed_manifest!();

impl Settings for Strategist {
    fn validate(_: String) -> Vec<Issue> {
        Vec::new()
    }
}

impl Guest for Strategist {
    fn plan(call: &Invocation) -> Result<Vec<Step>, Error> {
        Ok(match attack(call).as_str() {
            // Whatever can differ between two calls decides: both clocks, and a random seed.
            "unstable" => {
                let began = Instant::now();
                let wall = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_nanos();
                let lots = HashMap::from([("a", 0), ("b", 1), ("c", 2), ("d", 3)]);
                let drawn = lots.values().fold(0, |sum, value| sum * 4 + value);
                let address = &raw const drawn as usize;
                let name = format!("{} {wall} {drawn} {address}", began.elapsed().as_nanos());
                vec![step(&name, 1000), step("all", 10_000)]
            }
            "overweight" => vec![step("most", 65_535), step("all", 10_000)],
            "weightless" => vec![step("none", 0), step("all", 10_000)],
            "flapping" => vec![step("up", 5000), step("down", 1000), step("all", 10_000)],
            "twice" => vec![step("same", 1000), step("same", 10_000)],
            "unpromoted" => vec![step("nearly", 9999)],
            "nothing" => Vec::new(),
            "endless" => vec![
                Step {
                    hold_ms: u64::MAX,
                    ..step("wait", 1000)
                },
                step("all", 10_000),
            ],
            "forged" => vec![step("a\u{1b}[2J\n\"b\"", 1000), step("all", 10_000)],
            "longer-than-read" => (1..=40).map(|n| step(&format!("{n}"), n * 250)).collect(),
            "flood" => (1..=300).map(|n| step(&format!("{n}"), n * 30)).collect(),
            "loop" => spin(),
            "trap" => std::process::abort(),
            other => return Err(Error::InvalidConfig(format!("unknown attack {other}"))),
        })
    }

    /// Changes its mind with every look.
    fn judge(
        call: &Invocation,
        step: Step,
        observations: Vec<Observation>,
    ) -> Result<Judgement, Error> {
        match attack(call).as_str() {
            "loop" => spin(),
            "trap" => std::process::abort(),
            _ => Ok(match observations.len() % 3 {
                0 => Judgement::Proceed,
                1 => Judgement::Hold(u64::MAX),
                _ => Judgement::Rollback(format!("{}\u{1b}[31m {}", step.name, "r".repeat(5000))),
            }),
        }
    }
}

fn attack(call: &Invocation) -> String {
    let settings: serde_json::Value = serde_json::from_str(&call.settings()).unwrap_or_default();
    settings
        .get("attack")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn step(name: &str, weight_bp: u16) -> Step {
    Step {
        name: name.to_owned(),
        weight_bp,
        capacity_replicas: None,
        hold_ms: 0,
        checks: true,
        gate: None,
    }
}

fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

#[expect(unsafe_code, reason = "the canonical ABI's exports")]
mod export {
    use super::{Strategist, bindings};
    bindings::export!(Strategist with_types_in bindings);
}
