//! `plugin.toml`, which a stranger wrote.

use std::time::Duration;

use sluice_plugins::Manifest;

use super::Target;

const WORDS: [&str; 30] = [
    "api = ",
    "\"sluice:plugin@0.1\"",
    "\"sluice:plugin@0.2\"",
    "plugin = ",
    "kind = ",
    "\"smoke-test\"",
    "\"traffic-strategy\"",
    "\"notifier\"",
    "name = ",
    "version = ",
    "limits = ",
    "memory-mib = ",
    "cpu-ms = ",
    "4294967295",
    "-1",
    "1e309",
    "http.targets.",
    "[http.targets.a]",
    "hosts = [\"*\"]",
    "https://slack.com:443",
    "methods = [",
    "paths = [\"/*\"]",
    "secrets = [",
    "settings = ",
    "wasi-http = true",
    "\u{202e}",
    "\u{1b}[2J",
    "[[a]]",
    "'''",
    "\"\"\"",
];

pub(super) fn target() -> Target {
    Target {
        name: "manifest",
        words: &WORDS,
        limit: Duration::from_secs(2),
        seeds,
        check: Box::new(check),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    [
        include_str!("../../../../plugins/http-smoke/plugin.toml"),
        include_str!("../../../../plugins/slack-notify/plugin.toml"),
        include_str!("../../../../plugins/webhook-approval/plugin.toml"),
        include_str!("../../../../plugins/canary/plugin.toml"),
        include_str!("../../../hostile/plugin.toml"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn check(input: &[u8]) -> Result<(), String> {
    match Manifest::parse(input, "plugin.wasm") {
        Ok(manifest) => {
            let name = &manifest.plugin.name;
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(format!("the name {name:?} is accepted"));
            }
            let written = serde_json::to_value(&manifest).map_err(|error| error.to_string())?;
            let read: Manifest =
                serde_json::from_value(written).map_err(|error| error.to_string())?;
            match read == manifest {
                true => Ok(()),
                false => Err("what is written is not what was read".to_owned()),
            }
        }
        Err(card) => told(&card),
    }
}

/// A card that helps: every part is there, and nothing in it moves a cursor.
pub(super) fn told(card: &sluice_plugins::Card) -> Result<(), String> {
    let shown = card.to_string();
    let odd = |c: char| c.is_control() && c != '\n';
    if card.code.is_empty() || card.why.is_empty() || card.change.is_empty() {
        return Err(format!("a card without reasons: {card:?}"));
    }
    if shown.contains(odd) || shown.contains('\u{202e}') {
        return Err(format!("a card with control characters: {shown:?}"));
    }
    match shown.len() > 64 << 10 {
        true => Err(format!("a card of {} bytes", shown.len())),
        false => Ok(()),
    }
}
