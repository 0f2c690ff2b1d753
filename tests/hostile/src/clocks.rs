//! Attack 24 as far as a clock goes, and attack 6 with the handles of one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::bindings::exports::sluice::plugin::smoke_test::Report;
use crate::bindings::sluice::plugin::types::Outcome;
use crate::report;

/// Steps of each clock that are looked at.
const STEPS: usize = 20;

/// The finest step that either clock of the world ever shows, in nanoseconds.
pub(crate) fn finest_step() -> Report {
    let began = Instant::now();
    let finest = |now: &dyn Fn() -> u128| {
        let (mut last, mut finest, mut seen) = (now(), u128::MAX, 0);
        while seen < STEPS {
            let next = now();
            if next != last {
                finest = finest.min(next.abs_diff(last));
                (last, seen) = (next, seen + 1);
            }
        }
        finest
    };
    let monotonic = finest(&|| began.elapsed().as_nanos());
    let wall = finest(&|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos()
    });
    report(Outcome::Pass, &format!("{monotonic} {wall}"), Vec::new())
}

/// Takes handles and gives none back.
pub(crate) fn hoard_handles() -> Report {
    for taken in 0..100_000 {
        if subscribe(1_000_000_000) < 0 {
            return report(Outcome::Pass, &format!("{taken} handles"), Vec::new());
        }
    }
    report(Outcome::Pass, "100000 handles", Vec::new())
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "a typed binding would give the handle back")]
fn subscribe(nanoseconds: u64) -> i32 {
    #[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.6")]
    unsafe extern "C" {
        #[link_name = "subscribe-duration"]
        fn subscribe_duration(nanoseconds: u64) -> i32;
    }
    // SAFETY: it takes a number and answers a handle.
    unsafe { subscribe_duration(nanoseconds) }
}

#[cfg(not(target_arch = "wasm32"))]
fn subscribe(_: u64) -> i32 {
    -1
}
