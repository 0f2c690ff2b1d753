//! What fuzzers and benchmarks need of the inside. No promise to anybody, and no power: pure functions,
//! and the settings of the engine.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::address::{Reach, refusal};
use crate::net::headers::request_headers;
use crate::net::origin::Origin;
use crate::net::target::{PathPattern, Target};

/// The settings of the one engine, for a comparison with it alone.
pub fn config() -> wasmtime::Config {
    crate::engine::config()
}

/// The one spelling of an origin.
///
/// # Errors
/// How to write it.
pub fn origin(text: &str) -> Result<String, String> {
    Origin::parse(text).map(|origin| origin.to_string())
}

/// What is sent for a request that a target of these patterns and methods admits.
///
/// # Errors
/// Why it is not admitted.
pub fn admitted(
    asked: &[&str],
    granted: &[&str],
    methods: &[&str],
    method: &str,
    path_and_query: &str,
) -> Result<String, String> {
    let patterns = |texts: &[&str]| -> Result<Vec<PathPattern>, String> {
        texts.iter().map(|text| PathPattern::parse(text)).collect()
    };
    let target = Target {
        origin: None,
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        asked_paths: patterns(asked)?,
        granted_paths: patterns(granted)?,
        secrets: Default::default(),
        plaintext_secrets: false,
        reach: Reach::default(),
    };
    let origin = Origin::parse("https://target.example:443")?;
    target
        .admit("target", &origin, method, path_and_query)
        .map(|admitted| admitted.path_and_query)
        .map_err(|fault| format!("{fault:?}"))
}

/// The headers that go out, of those that a guest wants.
///
/// # Errors
/// Why none of them go.
pub fn headers(wanted: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
    let headers = request_headers(wanted).map_err(|fault| format!("{fault:?}"))?;
    Ok(headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect())
}

/// Whether no plugin may reach this address, for a target with these permissions.
pub fn refused(
    address: IpAddr,
    port: u16,
    private: bool,
    loopback: bool,
    cluster: &[IpNet],
) -> bool {
    let reach = Reach { private, loopback };
    refusal(address, port, reach, cluster).is_some()
}
