//! `plugins.yaml`, which an operator wrote, perhaps late at night.

use std::collections::BTreeSet;
use std::time::Duration;

use sluice_plugins::PluginsFile;

use super::Target;
use super::manifest::told;

const WORDS: [&str; 28] = [
    "plugins:\n",
    "  - name: ",
    "    source: ",
    "{ file: a.wasm }",
    "{ oci: ",
    "registry.example.com/a@sha256:",
    "verify:",
    "sha256: ",
    "cosign: ",
    "allOf: [",
    "mode: warn",
    "grants:",
    "http:",
    "url: ",
    "https://slack.com:443",
    "methods: [GET]",
    "paths: [/*]",
    "secrets: ",
    "plaintextSecrets: true",
    "allowLoopback: true",
    "limits: ",
    "memory-mib: 99999999999",
    "settings: ",
    "&a [*a, *a]",
    "<<: *a",
    "!!binary ",
    "\u{202e}",
    "? :",
];

const SEED: &str = r##"
plugins:
  - name: slack
    source: { file: slack.wasm }
    verify: { sha256: "9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c9f3c" }
    grants:
      http: { slack: { url: "https://slack.com:443", methods: [POST], paths: [/api/chat.postMessage], secrets: [slack-token] } }
      limits: { memory-mib: 64, cpu-ms: 200, wall-ms: 10000, requests: 8 }
    secrets: { slack-token: { secret: slack, key: token } }
    settings: { channel: "#deploys" }
  - name: board
    source: { file: board.wasm }
    grants:
      callbacks:
        signature: { hmac: { secret: hook, header: x-signature, timestampHeader: x-timestamp } }
        body: json
        subject: { pointer: /subject }
    secrets: { hook: { secret: hook, key: key } }
"##;

pub(super) fn target() -> Target {
    Target {
        name: "grants",
        words: &WORDS,
        limit: Duration::from_secs(2),
        seeds: || {
            vec![
                SEED.as_bytes().to_vec(),
                b"plugins: []\n".to_vec(),
                br#"{"plugins": [{"name": "a", "source": {"file": "a.wasm"}}]}"#.to_vec(),
            ]
        },
        check: Box::new(check),
    }
}

fn check(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input);
    let file = match PluginsFile::parse(&text) {
        Ok(file) => file,
        Err(card) => return told(&card),
    };
    let names: BTreeSet<&str> = file
        .plugins
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    if names.len() != file.plugins.len() || file.plugins.len() > 64 {
        return Err("a name stands twice, or there are too many plugins".to_owned());
    }
    let written = serde_json::to_string(&file).map_err(|error| error.to_string())?;
    match PluginsFile::parse(&written) {
        Ok(read) if read == file => Ok(()),
        Ok(_) => Err(format!("what is written is not what was read: {written}")),
        Err(card) => Err(format!(
            "what is written is not accepted: {card}\n{written}"
        )),
    }
}
