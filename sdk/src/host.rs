//! The seam between a plugin and its host.
//!
//! In wasm these functions call the host's imports; natively they call a
//! [`crate::testing::Script`]. The choice is made at compile time and not through a trait object:
//! a table of functions would keep every import alive, and imports are permissions.

#[cfg(target_arch = "wasm32")]
mod seam {
    use crate::bindings::host::sluice::plugin::{context, http, log, tls};
    use crate::{Chain, Level, NetError, Release};

    /// The call in progress.
    pub(crate) type Call = context::Invocation;

    pub(crate) fn release(call: &Call) -> Release {
        call.release()
    }

    pub(crate) fn settings(call: &Call) -> String {
        call.settings()
    }

    pub(crate) fn remaining_ms(call: &Call) -> u32 {
        call.remaining_ms()
    }

    pub(crate) fn idempotency_key(call: &Call) -> String {
        call.idempotency_key()
    }

    pub(crate) fn attributes(call: &Call) -> Vec<(String, String)> {
        call.attributes()
    }

    pub(crate) fn log(_: &Call, level: Level, message: &str, fields: &[(String, String)]) {
        log::emit(level, message, fields);
    }

    pub(crate) fn fetch(_: &Call, request: &http::Request) -> Result<http::Response, NetError> {
        http::fetch(request)
    }

    pub(crate) fn inspect(
        _: &Call,
        target: &str,
        timeout_ms: Option<u32>,
    ) -> Result<Chain, NetError> {
        tls::inspect(target, timeout_ms)
    }

    pub(crate) fn sleep(_: &Call, ms: u32) {
        std::thread::sleep(std::time::Duration::from_millis(u64::from(ms)));
    }

    pub(crate) fn now_unix_ms(_: &Call) -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            })
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod seam {
    use crate::bindings::host::sluice::plugin::http;
    use crate::{Chain, Level, NetError, Release};

    /// The call in progress.
    pub(crate) type Call = crate::testing::Script;

    pub(crate) fn release(call: &Call) -> Release {
        call.given_release()
    }

    pub(crate) fn settings(call: &Call) -> String {
        call.given_settings()
    }

    pub(crate) fn remaining_ms(call: &Call) -> u32 {
        call.left_ms()
    }

    pub(crate) fn idempotency_key(call: &Call) -> String {
        call.given_key()
    }

    pub(crate) fn attributes(call: &Call) -> Vec<(String, String)> {
        call.given_attributes()
    }

    pub(crate) fn log(call: &Call, level: Level, message: &str, fields: &[(String, String)]) {
        call.note(level, message, fields);
    }

    pub(crate) fn fetch(call: &Call, request: &http::Request) -> Result<http::Response, NetError> {
        call.play(request)
    }

    pub(crate) fn inspect(
        call: &Call,
        target: &str,
        timeout_ms: Option<u32>,
    ) -> Result<Chain, NetError> {
        call.play_inspect(target, timeout_ms)
    }

    pub(crate) fn sleep(call: &Call, ms: u32) {
        call.pass(ms);
    }

    pub(crate) fn now_unix_ms(call: &Call) -> u64 {
        call.given_now_unix_ms()
    }
}

pub(crate) use seam::{
    Call, attributes, fetch, idempotency_key, inspect, log, now_unix_ms, release, remaining_ms,
    settings, sleep,
};
