//! Attack 13, to the end: lets a secret come near in every way, then looks through all of its own
//! memory for it, freed blocks and leftovers of the host's copies included.
//!
//! What it looks for comes masked, so that the question itself does not hold the answer.

use std::hint::black_box;

use crate::bindings::exports::sluice::plugin::smoke_test::Report;
use crate::bindings::sluice::plugin::tls;
use crate::bindings::sluice::plugin::types::Outcome;
use crate::{fetch, field, report};

const MASK: u8 = 0x5a;
/// Below lies nothing that a Rust program may read.
const LOWEST: usize = 16;

/// Asks every path of the target `echo` with the secret in a header, inspects `tls`, and scans.
pub(crate) fn scan(settings: &str) -> Report {
    let Some(masked) = field(settings, "masked").and_then(|hex| unhex(&hex)) else {
        return report(Outcome::Inconclusive, "nothing to look for", Vec::new());
    };
    let planted: Vec<u8> = match field(settings, "planted") {
        Some(_) => masked.iter().map(|byte| byte ^ MASK).collect(),
        None => Vec::new(),
    };
    let header = [
        (
            "authorization".to_owned(),
            "Bearer ${secret:token}".to_owned(),
        ),
        ("x-signature".to_owned(), "${hmac-sha256:token}".to_owned()),
    ];
    let mut answered = 0;
    let mut heard = Vec::new();
    for path in field(settings, "paths").unwrap_or_default().split(',') {
        match fetch("echo", path, &header) {
            Ok(answer) => {
                answered += 1;
                heard.push(answer);
            }
            Err(error) => heard.push(format!("{path} {error:?}")),
        }
    }
    if let Some(target) = field(settings, "inspect") {
        heard.push(format!("{:?}", tls::inspect(&target, None)));
    }
    let found = places(&masked);
    black_box(&planted);
    black_box(&heard);
    report(
        Outcome::Pass,
        &format!(
            "{answered} answered; found {found} times in {} KiB",
            size() >> 10
        ),
        heard
            .iter()
            .map(|words| crate::check("heard", Outcome::Pass, words))
            .collect(),
    )
}

#[cfg(target_arch = "wasm32")]
fn size() -> usize {
    core::arch::wasm32::memory_size(0) << 16
}

#[cfg(not(target_arch = "wasm32"))]
fn size() -> usize {
    LOWEST
}

/// How often the bytes stand anywhere in this instance's memory.
fn places(masked: &[u8]) -> usize {
    let last = size().saturating_sub(masked.len());
    (LOWEST..last)
        .filter(|at| {
            masked
                .iter()
                .enumerate()
                .all(|(place, byte)| peek(at + place) ^ MASK == *byte)
        })
        .count()
}

#[expect(unsafe_code, reason = "the attack is to read what nobody gave it")]
fn peek(address: usize) -> u8 {
    // SAFETY: every address below `size()` is readable in a linear memory; there are no others.
    unsafe { core::ptr::read_volatile(core::ptr::with_exposed_provenance::<u8>(address)) }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
