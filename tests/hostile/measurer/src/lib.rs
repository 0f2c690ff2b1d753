//! A metric provider whose numbers are none: `{"measure": "nan"}`. It also reaches servers through
//! `wasi:http`, as a guest does that brings an HTTP library: `{"url": "http://127.0.0.1:80/x"}`.

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
        world: "metric-provider-plugin",
        pub_export_macro: true,
    });
}

use bindings::exports::sluice::plugin::metric_provider::{
    Guest, Measurement, Role, Series, Window,
};
use bindings::exports::sluice::plugin::settings::{Guest as Settings, Issue};
use bindings::sluice::plugin::context::Invocation;
use bindings::sluice::plugin::types::Error;

mod library;

struct Measurer;

manifest::embed_manifest!();

impl Settings for Measurer {
    fn validate(_: String) -> Vec<Issue> {
        Vec::new()
    }
}

impl Guest for Measurer {
    fn evaluate(call: &Invocation, window: Window) -> Result<Measurement, Error> {
        let settings: serde_json::Value =
            serde_json::from_str(&call.settings()).unwrap_or_default();
        let text = |name: &str| settings.get(name).and_then(|value| value.as_str());
        if let Some(url) = text("url") {
            let times = settings.get("times").and_then(|n| n.as_u64()).unwrap_or(1);
            let requests = library::Requests {
                url,
                method: text("method").unwrap_or("GET"),
                header: text("header").and_then(|header| header.split_once(": ")),
                body_bytes: settings.get("body").and_then(|n| n.as_u64()).unwrap_or(0),
            };
            let answers: Vec<String> = (0..times).map(|_| requests.send()).collect();
            return Ok(measurement(Vec::new(), &answers.join(" | ")));
        }
        let stable = |events, total| series(Role::Stable, events, total, None);
        let valued = |value| vec![series(Role::Candidate, 0, 1, Some(value))];
        let summary = format!("from {} to {}", window.from_unix_ms, window.to_unix_ms);
        Ok(match text("measure").unwrap_or("both") {
            "both" => measurement(
                vec![stable(3, 1000), series(Role::Candidate, 5, 100, Some(41.5))],
                &summary,
            ),
            "nothing" => measurement(Vec::new(), "no data"),
            "nan" => measurement(valued(f64::NAN), &summary),
            "infinite" => measurement(valued(f64::INFINITY), &summary),
            "impossible" => measurement(vec![stable(2, 1)], &summary),
            "twice" => measurement(vec![stable(0, 1), stable(1, 1)], &summary),
            "many" => measurement(vec![stable(0, 1); 1000], &summary),
            "clock" => {
                let turns = (0..1u32 << 22).map(|_| std::time::Instant::now());
                measurement(Vec::new(), &format!("{:?}", turns.max()))
            }
            "long" => measurement(Vec::new(), &"long\u{1b}[2J ".repeat(10_000)),
            other => return Err(Error::InvalidConfig(format!("unknown measure {other}"))),
        })
    }
}

fn measurement(series: Vec<Series>, summary: &str) -> Measurement {
    Measurement {
        series,
        summary: summary.to_owned(),
    }
}

fn series(role: Role, events: u64, total: u64, value: Option<f64>) -> Series {
    Series {
        role,
        events,
        total,
        value,
    }
}

#[expect(unsafe_code, reason = "the canonical ABI's exports")]
mod export {
    use super::{Measurer, bindings};
    bindings::export!(Measurer with_types_in bindings);
}
