//! `sluice plugin push`: a component that would be loaded goes into a registry; its digest comes out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;
use sluice_plugins::Manifest;
use sluice_registry::{NewWasm, PushProgress};

use super::entry;
use super::shelf::{component, failed, size, tagged, unfit};
use crate::args::PluginPushArgs;
use crate::artifacts;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(args: &PluginPushArgs, out: &mut Output) -> Result<Exit, Failure> {
    let shown = args.plugin.display().to_string();
    if args.reference.contains('@') {
        return Err(Failure::new("usage", "a plugin is pushed under a tag")
            .because("its digest is what comes out")
            .change("write host/path:tag")
            .exit(Exit::Usage));
    }
    let bytes = component(&args.plugin)?;
    let (bytes, manifest) = sluice_plugins::examine(bytes, &shown).map_err(|cards| {
        unfit(
            &format!("{shown} would not be loaded, so it is not pushed"),
            &cards,
        )
    })?;
    let created = created()?;
    let name = &manifest.plugin.name;
    let version = &manifest.plugin.version;
    let annotation = |key: &str, value: &str| {
        let key = format!("org.opencontainers.image.{key}");
        (key, value.to_owned())
    };
    let mut annotations = BTreeMap::from([
        annotation("title", name),
        annotation("version", version),
        annotation("created", &created),
    ]);
    annotations.extend(
        manifest
            .plugin
            .license
            .iter()
            .map(|l| annotation("licenses", l)),
    );
    let description = manifest.plugin.description.iter();
    annotations.extend(description.map(|text| annotation("description", text)));
    let new = NewWasm {
        component: bytes.into(),
        created,
        annotations,
    };
    let registry = artifacts::client(args.registry.registry_config.as_deref())?;
    let (repository, tag) = tagged(&args.reference);
    let tag = tag.unwrap_or(version);
    let last = Mutex::new(None);
    let painter = Mutex::new(&mut *out);
    let tell = |progress: PushProgress| {
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        let line = format!("{} of {}", size(progress.sent), size(progress.total));
        // A line that cannot be painted is no reason to stop the push.
        let _ = painter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .paint(&line);
    };
    let digest = registry.push_wasm(repository, Some(tag), &new, &tell).await;
    let digest = digest.map_err(|fault| {
        let fault = artifacts::fault(fault);
        failed("the plugin was not pushed", &args.reference, &fault)
    })?;
    let existed = last
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some_and(|progress| progress.existed);
    let reference = format!("{repository}@{digest}");
    let entry = entry(&manifest, &reference);
    out.json(
        &json!({
            "name": name, "version": version, "reference": reference, "tag": tag,
            "digest": digest, "component": new.component.len(), "existed": existed,
            "entry": entry,
        }),
        false,
    )?;
    out.text(&text(
        &manifest, repository, tag, &new, existed, &digest, &entry,
    ))?;
    Ok(Exit::Done)
}

/// Now, or what `SOURCE_DATE_EPOCH` says: then the same component has the same digest every time.
fn created() -> Result<String, Failure> {
    let Some(seconds) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(Timestamp::now().strftime("%FT%TZ").to_string());
    };
    let time = seconds
        .to_str()
        .and_then(|text| text.parse().ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(|time| time.strftime("%FT%TZ").to_string())
        .ok_or_else(|| {
            Failure::new("usage", "SOURCE_DATE_EPOCH cannot be used")
                .change("set it to seconds since 1970, or unset it")
                .exit(Exit::Usage)
        })
}

/// The entry for `plugins.yaml`: everything that the plugin asks for, for the operator to strike out.
fn entry(manifest: &Manifest, reference: &str) -> String {
    const HERE: &str = "HERE";
    let from_registry = format!(
        "source: {{ oci: \"{reference}\" }}\n    verify: {{ cosign: {{ key: release.pem }} }}  # who has to \
         have signed it"
    );
    let file = format!("source: {{ file: {HERE} }}");
    entry::of(manifest, HERE, None).replace(&file, &from_registry)
}

fn text(
    manifest: &Manifest,
    repository: &str,
    tag: &str,
    new: &NewWasm,
    existed: bool,
    digest: &str,
    entry: &str,
) -> String {
    let mut text = format!(
        "{} {} pushed to {repository}:{tag}\n  component  {}{}\n  digest     {digest}\n\n",
        manifest.plugin.name,
        manifest.plugin.version,
        size(new.component.len() as u64),
        if existed {
            ", which the registry had already"
        } else {
            ""
        },
    );
    text.push_str("The entry for plugins.yaml:\n\n");
    text.push_str(entry);
    text.push_str(&format!(
        "\nSign it before, with one of:\n\n  cosign sign --key cosign.key {repository}@{digest}\n  sluice plugin sign \
         {repository}@{digest} --key release.key\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_that_is_printed_is_one() {
        let manifest = json!({
            "api": "sluice:plugin@0.1",
            "plugin": {"kind": "notifier", "name": "slack", "version": "1.2.0"},
            "limits": {"memory-mib": 64, "requests": 8},
            "http": {"targets": {
                "slack": {
                    "hosts": ["https://slack.com:443"], "methods": ["POST"],
                    "paths": ["/api/chat.postMessage"], "secrets": ["slack-token"],
                },
                "candidate": {},
            }},
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let reference = format!("oci.example.com/sluice/slack@sha256:{}", "9f3c".repeat(16));
        let entry = entry(&manifest, &reference);
        let new = NewWasm {
            component: vec![0; 61_440].into(),
            ..NewWasm::default()
        };
        let digest = format!("sha256:{}", "9f3c".repeat(16));
        let shown = super::text(
            &manifest,
            "oci.example.com/sluice/slack",
            "1.2.0",
            &new,
            false,
            &digest,
            &entry,
        );
        insta::assert_snapshot!(shown);
        let begin = shown.find("  - name:").unwrap();
        let end = shown.find("\nSign it").unwrap();
        let file = format!("plugins:\n{}", &shown[begin..end]);
        let file = sluice_plugins::PluginsFile::parse(&file).unwrap();
        assert_eq!(
            file.plugins[0].source.oci.as_deref(),
            Some(reference.as_str())
        );
        assert_eq!(file.plugins[0].grants.http.len(), 1);
    }
}
