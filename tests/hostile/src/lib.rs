//! A smoke test that attacks its host. The settings choose the attack: `{"attack": "memory"}`.
//!
//! The host's tests (`agent/plugins/tests`) run each of them and look at what is left standing. The
//! numbers in the comments are those of the contract's table of attacks.

#![cfg_attr(
    target_arch = "wasm32",
    expect(unreachable_pub, reason = "the generated bindings are")
)]

#[path = "../manifest.rs"]
mod manifest;

// Bindings of the contract, made from its text.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "smoke-test-plugin",
        pub_export_macro: true,
    });
}

mod clocks;
mod scan;
mod smuggle;

use std::hint::black_box;
use std::io::{Read as _, Write as _};

use bindings::exports::sluice::plugin::settings::{Guest as Settings, Issue};
use bindings::exports::sluice::plugin::smoke_test::{Guest as SmokeTest, Report};
use bindings::sluice::plugin::context::Invocation;
use bindings::sluice::plugin::http::{self, Request};
use bindings::sluice::plugin::log;
use bindings::sluice::plugin::types::{Check, Error, NetError, Outcome};

struct Hostile;

manifest::embed_manifest!();

impl Settings for Hostile {
    fn validate(settings: String) -> Vec<Issue> {
        match attack(&settings).as_str() {
            "loop-in-validate" => spin(),
            "refuse" => vec![Issue {
                pointer: "/attack".to_owned(),
                message: "not today\u{1b}[31m".to_owned(),
                hint: Some("tomorrow".to_owned()),
            }],
            _ => Vec::new(),
        }
    }
}

impl SmokeTest for Hostile {
    fn run(call: &Invocation) -> Result<Report, Error> {
        let settings = call.settings();
        match attack(&settings).as_str() {
            "none" => Ok(report(Outcome::Pass, "nothing was attacked", Vec::new())),
            "work" => Ok(work()),
            // 1
            "loop" => spin(),
            // 2
            "fill" => fill(),
            // 3
            "memory" => hoard(),
            // 4
            "recursion" => {
                let depth = deeper(black_box(1));
                Ok(report(Outcome::Pass, &format!("{depth}"), Vec::new()))
            }
            // 5
            "huge-log" => {
                log::emit(log::Level::Info, &"x".repeat(3 << 20), &[]);
                Ok(report(Outcome::Pass, "3 MiB passed", Vec::new()))
            }
            // 6
            "logs" => {
                for number in 0..100_000 {
                    log::emit(log::Level::Info, &format!("line {number}"), &[]);
                }
                Ok(report(Outcome::Pass, "wrote 100000 lines", Vec::new()))
            }
            "prints" => {
                for _ in 0..10_000 {
                    let _ = writeln!(std::io::stdout(), "a line of output that nobody asked for");
                }
                Ok(report(Outcome::Pass, "printed 10000 lines", Vec::new()))
            }
            "requests" => Ok(requests(&settings)),
            "handles" => Ok(clocks::hoard_handles()),
            // 8
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Ok(report(Outcome::Pass, "slept well", Vec::new()))
            }
            // 23: long enough that its own file is replaced meanwhile.
            "nap" => {
                std::thread::sleep(std::time::Duration::from_millis(25));
                let version = "nothing was attacked";
                let line = check("version", Outcome::Pass, version);
                Ok(report(Outcome::Pass, version, vec![line]))
            }
            // 13
            "theft" => Ok(theft()),
            "scan" => Ok(scan::scan(&settings)),
            // 14
            "smuggle" => Ok(smuggle::smuggle(&target(&settings))),
            // 19
            "forge" => Ok(report(
                Outcome::Pass,
                "fine\u{1b}[2J\r\n[error] forged line \u{202e}",
                vec![check("a\nb", Outcome::Pass, &"m".repeat(10_000))],
            )),
            "lie" => Ok(report(
                Outcome::Pass,
                "all well",
                vec![check("GET /", Outcome::Fail, "500")],
            )),
            "many-checks" => {
                let checks = (0..1000)
                    .map(|n| check(&format!("{n}"), Outcome::Pass, ""))
                    .collect();
                Ok(report(Outcome::Pass, "busy", checks))
            }
            // 24
            "clocks" => Ok(clocks::finest_step()),
            "exit" => std::process::exit(0),
            "out-of-bounds" => {
                let list = black_box(vec![1, 2, 3]);
                let index = black_box(settings.len() + 100);
                #[expect(clippy::indexing_slicing, reason = "the attack is the panic")]
                let value = list[index];
                Ok(report(Outcome::Pass, &format!("{value}"), Vec::new()))
            }
            "rate-limited" => Err(Error::RateLimited(1234)),
            "unavailable" => Err(Error::Unavailable("no\u{7} answer".to_owned())),
            "fetch" => Ok(fetch_report(&settings)),
            other => Err(Error::InvalidConfig(format!("unknown attack {other}"))),
        }
    }
}

fn attack(settings: &str) -> String {
    field(settings, "attack").unwrap_or_else(|| "none".to_owned())
}

fn field(settings: &str, name: &str) -> Option<String> {
    let settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    settings.get(name)?.as_str().map(str::to_owned)
}

fn report(outcome: Outcome, summary: &str, checks: Vec<Check>) -> Report {
    Report {
        outcome,
        summary: summary.to_owned(),
        checks,
    }
}

fn check(name: &str, outcome: Outcome, message: &str) -> Check {
    Check {
        name: name.to_owned(),
        outcome,
        message: message.to_owned(),
        elapsed_ms: 0,
    }
}

/// No attack: a plugin that uses most of its memory and a good part of its CPU, and answers. What it
/// costs the others is what they have to bear.
fn work() -> Report {
    let mut block = vec![1u8; 48 << 20];
    for value in 0..8u8 {
        block.fill(black_box(value));
    }
    black_box(&block);
    report(Outcome::Pass, "worked within the budget", Vec::new())
}

fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

fn fill() -> ! {
    let mut block = vec![0u8; 40 << 20];
    let mut value = 0u8;
    loop {
        block.fill(black_box(value));
        value = value.wrapping_add(1);
    }
}

fn hoard() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1u8; 1 << 20]));
    }
}

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if black_box(true) {
        deeper(depth + 1) + frame.iter().sum::<u64>()
    } else {
        depth
    }
}

fn fetch(target: &str, path: &str, headers: &[(String, String)]) -> Result<String, NetError> {
    let request = Request {
        target: target.to_owned(),
        method: "GET".to_owned(),
        path_and_query: path.to_owned(),
        headers: headers.to_vec(),
        body: Vec::new(),
        timeout_ms: None,
    };
    let response = http::fetch(&request)?;
    let headers: Vec<String> = response
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let body = String::from_utf8_lossy(&response.body).into_owned();
    Ok(format!("{} {} {body}", response.status, headers.join(", ")))
}

fn target(settings: &str) -> String {
    field(settings, "target").unwrap_or_else(|| "candidate".to_owned())
}

fn fetch_report(settings: &str) -> Report {
    let target = target(settings);
    let path = field(settings, "path").unwrap_or_else(|| "/".to_owned());
    match fetch(&target, &path, &[]) {
        Ok(answer) => report(Outcome::Pass, &answer, Vec::new()),
        Err(error) => report(Outcome::Inconclusive, &format!("{error:?}"), Vec::new()),
    }
}

fn requests(settings: &str) -> Report {
    let target = target(settings);
    let (mut answered, mut quota, mut other) = (0, 0, 0);
    for _ in 0..100 {
        match fetch(&target, "/", &[]) {
            Ok(_) => answered += 1,
            Err(NetError::Quota) => quota += 1,
            Err(_) => other += 1,
        }
    }
    report(
        Outcome::Pass,
        &format!("{answered} answered, {quota} over quota, {other} others"),
        Vec::new(),
    )
}

/// Looks for the secret everywhere, and lets the server echo it.
fn theft() -> Report {
    let header = [(
        "authorization".to_owned(),
        "Bearer ${secret:token}".to_owned(),
    )];
    let mut found = vec![
        format!("env {:?}", std::env::vars().collect::<Vec<_>>()),
        format!("args {:?}", std::env::args().collect::<Vec<_>>()),
        format!(
            "root {:?}",
            std::fs::read_dir("/").map(Iterator::count).ok()
        ),
        format!("passwd {:?}", std::fs::read_to_string("/etc/passwd").ok()),
        format!(
            "socket {}",
            std::net::TcpStream::connect("127.0.0.1:80").is_ok()
        ),
    ];
    let mut input = String::new();
    let _ = std::io::stdin().read_to_string(&mut input);
    found.push(format!("stdin {input:?}"));
    for path in ["/echo", "/echo-header", "/echo-later"] {
        found.push(format!("{path} {:?}", fetch("echo", path, &header)));
    }
    found.push(format!("other {:?}", fetch("candidate", "/echo", &header)));
    log::emit(log::Level::Info, &found.join(" | "), &[]);
    let checks = found
        .iter()
        .map(|line| check("saw", Outcome::Pass, line))
        .collect();
    report(Outcome::Pass, "looked everywhere", checks)
}

#[expect(unsafe_code, reason = "the canonical ABI's exports")]
mod export {
    use super::{Hostile, bindings};
    bindings::export!(Hostile with_types_in bindings);
}
