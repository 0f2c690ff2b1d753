//! The entry of a plugin in `plugins.yaml`, as text to paste: all that its manifest asks for.

use std::fmt::Write as _;

use sluice_core::plugin::PluginKind;
use sluice_plugins::Manifest;

/// Targets whose addresses the rollout knows.
const OF_THE_ROLLOUT: [&str; 3] = ["candidate", "service", "stable"];

/// The entry, as an item of `plugins`.
pub(crate) fn of(manifest: &Manifest, file: &str, sha256: Option<&str>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = whole(&mut text, manifest, file, sha256);
    text
}

fn whole(
    text: &mut String,
    manifest: &Manifest,
    file: &str,
    sha256: Option<&str>,
) -> std::fmt::Result {
    writeln!(text, "  - name: {}", manifest.plugin.name)?;
    writeln!(text, "    source: {{ file: {file} }}")?;
    if let Some(pin) = sha256 {
        writeln!(text, "    verify: {{ sha256: \"{pin}\" }}")?;
    }
    let (targets, secrets) = targets(manifest);
    let limits = limits(manifest);
    if !targets.is_empty() || !limits.is_empty() {
        writeln!(text, "    grants:")?;
    }
    if !targets.is_empty() {
        writeln!(text, "      http:")?;
        for target in &targets {
            writeln!(text, "        {target}")?;
        }
    }
    if !limits.is_empty() {
        writeln!(text, "      limits: {{ {limits} }}")?;
    }
    if !secrets.is_empty() {
        writeln!(text, "    secrets:")?;
        for name in &secrets {
            let line = format!(
                "{name}: {{ secret: {}, key: {name} }}",
                manifest.plugin.name
            );
            writeln!(
                text,
                "      {line}  # the Kubernetes Secret, and the key in it"
            )?;
        }
    }
    Ok(())
}

/// The lines of the targets that a grant has to name, and the secrets that they use.
fn targets(manifest: &Manifest) -> (Vec<String>, Vec<String>) {
    let mut lines = Vec::new();
    let mut secrets = Vec::new();
    for (name, asked) in &manifest.http.targets {
        let mut fields = Vec::new();
        let mut note = "";
        if !OF_THE_ROLLOUT.contains(&name.as_str()) {
            let fixed = asked.hosts.iter().find(|host| *host != "*");
            let url = fixed.map_or_else(|| format!("https://{name}.example.com:443"), Clone::clone);
            note = if fixed.is_none() {
                "  # your server; add  type: cluster-service  for one of this cluster"
            } else {
                ""
            };
            fields.push(format!("url: \"{url}\""));
            fields.extend(list("methods", asked.methods.iter().flatten()));
            fields.extend(list("paths", asked.paths.iter().flatten()));
        }
        fields.extend(list("secrets", asked.secrets.iter()));
        secrets.extend(asked.secrets.iter().cloned());
        if !fields.is_empty() {
            lines.push(format!("{name}: {{ {} }}{note}", fields.join(", ")));
        }
    }
    secrets.sort();
    secrets.dedup();
    (lines, secrets)
}

fn list<'s>(key: &str, items: impl Iterator<Item = &'s String>) -> Option<String> {
    // Quoted where YAML would read something else.
    let plain = |item: &String| {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
        if item.chars().all(word) {
            item.clone()
        } else {
            format!("{item:?}")
        }
    };
    let items: Vec<String> = items.map(plain).collect();
    (!items.is_empty()).then(|| format!("{key}: [{}]", items.join(", ")))
}

fn limits(manifest: &Manifest) -> String {
    let asked = &manifest.limits;
    // A strategy has no network, whatever its manifest says.
    let requests = (manifest.plugin.kind != PluginKind::TrafficStrategy)
        .then_some(asked.requests)
        .flatten();
    let fields = [
        ("memory-mib", asked.memory_mib.map(u64::from)),
        ("cpu-ms", asked.cpu_ms.map(u64::from)),
        ("wall-ms", asked.wall_ms.map(u64::from)),
        ("requests", requests.map(u64::from)),
    ];
    let fields: Vec<String> = fields
        .iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}: {value}")))
        .collect();
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use sluice_plugins::PluginsFile;

    use super::*;

    fn manifest(rest: &str) -> Manifest {
        let head = "api = \"sluice:plugin@0.1\"\n\
                    plugin = { kind = \"notifier\", name = \"tell\", version = \"1.0.0\" }\n";
        Manifest::parse(format!("{head}{rest}").as_bytes(), "x").unwrap()
    }

    #[test]
    fn an_entry_is_one_that_the_agent_reads() {
        let manifest = manifest(
            "limits = { memory-mib = 16, requests = 4 }\n\
             http.targets.chat = { hosts = [\"*\"], methods = [\"POST\"], paths = [\"/a/*\"], secrets = [\"token\"] }\n\
             http.targets.fixed = { hosts = [\"https://slack.com:443\"], methods = [\"GET\"], paths = [\"/b\"] }\n",
        );
        let text = of(&manifest, "tell.wasm", Some(&"a".repeat(64)));
        let file = PluginsFile::parse(&format!("plugins:\n{text}")).unwrap();
        assert_eq!(file.plugins.len(), 1);
        let text = text.replace(&"a".repeat(64), "a…");
        insta::assert_snapshot!(text, @r#"
          - name: tell
            source: { file: tell.wasm }
            verify: { sha256: "a…" }
            grants:
              http:
                chat: { url: "https://chat.example.com:443", methods: [POST], paths: ["/a/*"], secrets: [token] }  # your server; add  type: cluster-service  for one of this cluster
                fixed: { url: "https://slack.com:443", methods: [GET], paths: [/b] }
              limits: { memory-mib: 16, requests: 4 }
            secrets:
              token: { secret: tell, key: token }  # the Kubernetes Secret, and the key in it
        "#);
    }

    #[test]
    fn whoever_asks_for_nothing_is_granted_nothing() {
        insta::assert_snapshot!(of(&manifest(""), "tell.wasm", None), @r"
          - name: tell
            source: { file: tell.wasm }
        ");
    }
}
