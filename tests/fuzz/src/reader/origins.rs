//! Addresses of servers in grants and manifests: one spelling for each, and none that means another.

use std::time::Duration;

use sluice_plugins::proving;

use super::Target;

const WORDS: [&str; 26] = [
    "http://",
    "https://",
    "127.0.0.1",
    "169.254.169.254",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "localhost",
    "slack.com",
    "xn--",
    "bücher",
    "@",
    ":",
    ":443",
    ":0080",
    ":65536",
    "/",
    "\\",
    "#",
    "?",
    "%2e",
    ".",
    "１２７",
    "\t",
];

pub(super) fn target() -> Target {
    Target {
        name: "origins",
        words: &WORDS,
        limit: Duration::from_secs(1),
        seeds: || {
            [
                "https://slack.com:443",
                "http://10.0.0.1:8080",
                "http://[fd12::1]:80",
                "https://xn--bcher-kva.example",
            ]
            .map(|text| text.as_bytes().to_vec())
            .to_vec()
        },
        check: Box::new(check),
    }
}

fn check(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let Ok(canonical) = proving::origin(&text) else {
        return Ok(());
    };
    if proving::origin(&canonical).as_deref() != Ok(&canonical) {
        return Err(format!(
            "{text:?} is accepted as {canonical:?}, which is not"
        ));
    }
    // Whatever is accepted is what a person reads there, but for case, a slash and the usual port.
    let read = text.strip_suffix('/').unwrap_or(&text).to_ascii_lowercase();
    let usual = [":443", ":80"]
        .iter()
        .any(|port| canonical == format!("{read}{port}"));
    if read != canonical && !usual {
        return Err(format!("{text:?} is accepted as {canonical:?}"));
    }
    let (_, host) = canonical.split_once("://").unwrap_or_default();
    match host.contains(['@', '/', '#', '%', '\\', '?', ' ']) || !host.is_ascii() {
        true => Err(format!("{canonical:?} is no plain address")),
        false => Ok(()),
    }
}
