//! What the charts render is what Kubernetes takes, with every set of values in `tests/charts/values`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kept;
use crate::tools::{run, template, tool};

/// File names that kubeconform makes of a kind.
const SCHEMAS: &str = "tests/charts/schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json";

/// Sets of values, each a way to run the agent.
pub(crate) fn sets() -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(kept::root().join("tests/charts/values"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| format!("tests/charts/values/{name}"))
        .collect();
    found.sort();
    assert!(found.len() >= 3, "several ways to run it");
    found
}

/// Every object that a set renders.
pub(crate) fn objects(helm: &Path, set: &str) -> Vec<Value> {
    let text = template(helm, "sluice", &["--values", set]).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

#[test]
fn helm_lint_finds_nothing() {
    let Some(helm) = tool("helm") else { return };
    let mut runs = vec![
        vec!["lint", "--strict", "--quiet", "charts/sluice-crds"],
        vec!["lint", "--strict", "--quiet", "charts/sluice"],
    ];
    let sets = sets();
    runs.extend(sets.iter().map(|set| {
        vec![
            "lint",
            "--strict",
            "--quiet",
            "charts/sluice",
            "--values",
            set,
        ]
    }));
    for args in runs {
        let output = run(&helm, &args);
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    }
}

#[test]
fn kubernetes_takes_what_is_rendered() {
    let (Some(helm), Some(kubeconform)) = (tool("helm"), tool("kubeconform")) else {
        return;
    };
    let mut rendered = vec![
        (
            "the definitions".to_owned(),
            template(&helm, "sluice-crds", &[]).unwrap(),
        ),
        (
            "without values".to_owned(),
            template(&helm, "sluice", &[]).unwrap(),
        ),
    ];
    for set in sets() {
        let text = template(&helm, "sluice", &["--values", &set]).unwrap();
        rendered.push((set, text));
    }
    for (what, text) in rendered {
        let said = conforms(&kubeconform, &text);
        assert!(said.is_ok(), "{what}: {said:?}");
    }
    // It would see a field that there is not.
    let wrong = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x}\nautomount: true\n";
    assert!(conforms(&kubeconform, wrong).is_err());
}

fn conforms(kubeconform: &Path, text: &str) -> Result<(), String> {
    let mut child = Command::new(kubeconform)
        .current_dir(kept::root())
        // The kinds of the Prometheus operator are not Kubernetes' own.
        .args([
            "-strict",
            "-summary",
            "-skip",
            "ServiceMonitor",
            "-schema-location",
            SCHEMAS,
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(said)
    }
}

/// The pod runs under Pod Security "restricted", and an edit of a ConfigMap reaches it.
#[test]
fn the_pods_are_restricted_and_mount_no_sub_path() {
    let Some(helm) = tool("helm") else { return };
    for set in sets() {
        let mut pods = 0;
        for object in objects(&helm, &set) {
            let pod = match object["kind"].as_str().unwrap() {
                "Deployment" => &object["spec"]["template"]["spec"],
                "Pod" => &object["spec"],
                _ => continue,
            };
            pods += 1;
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{set}");
            assert!(
                pod["securityContext"]["runAsUser"].as_u64().unwrap() > 10000,
                "{set}"
            );
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault"
            );
            for container in pod["containers"].as_array().unwrap() {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{set}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{set}");
                assert_eq!(context["capabilities"]["drop"][0], "ALL", "{set}");
                for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                    assert!(mount.get("subPath").is_none(), "{set}: {mount}");
                    assert_eq!(around(container, mount), None, "{set}");
                }
            }
            let annotations = &object["spec"]["template"]["metadata"]["annotations"];
            for key in annotations.as_object().into_iter().flat_map(|a| a.keys()) {
                assert!(
                    !key.starts_with("checksum/") || key == "checksum/registry",
                    "{set}: {key} would restart the agent for what it reads again by itself"
                );
            }
        }
        assert_eq!(pods, 2, "{set}: the agent and the connection test");
    }
}

/// A plugin that breaks out owns its container: it must find neither the agent's token there nor what
/// callbacks are signed with, and the agent has nothing of what plugins send.
#[test]
fn the_container_of_plugins_has_no_token_and_no_signing_secret() {
    let Some(helm) = tool("helm") else { return };
    for set in sets() {
        let objects = objects(&helm, &set);
        let agent = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let pod = &agent["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{set}");
        assert_ne!(pod["shareProcessNamespace"], true, "{set}");
        let (agent, plugins) = (container(pod, "agent"), container(pod, "plugins"));
        assert!(agent.iter().any(holds_token), "{set}");
        assert!(!plugins.iter().any(holds_token), "{set}");
        for volume in &plugins {
            let name = volume["name"].as_str().unwrap();
            let own = ["records", "policy", "oidc", "tmp"].contains(&name);
            assert!(!own && !name.starts_with("signing-"), "{set}: {name}");
        }
        let secrets = |volume: &&Value| volume["name"].as_str().unwrap().starts_with("secret-");
        assert_eq!(agent.iter().find(secrets), None, "{set}");
        let signing = agent
            .iter()
            .filter(|v| v["name"].as_str().unwrap().starts_with("signing-"));
        let wanted = if set.ends_with("page.yaml") { 2 } else { 0 };
        assert_eq!(signing.count(), wanted, "{set}");
    }
}

fn holds_token(volume: &Value) -> bool {
    volume.to_string().contains("serviceAccountToken")
}

/// The volumes that a container mounts.
fn container(pod: &Value, name: &str) -> Vec<Value> {
    let all = pod["containers"].as_array().unwrap();
    let found = all.iter().find(|c| c["name"] == name).unwrap();
    let mounted = |volume: &&Value| {
        let mounts = found["volumeMounts"].as_array().unwrap();
        mounts.iter().any(|mount| mount["name"] == volume["name"])
    };
    let volumes = pod["volumes"].as_array().unwrap();
    volumes.iter().filter(mounted).cloned().collect()
}

/// The read-only mount around another: within it no runtime can make the place for that one, and the
/// pod would never start.
fn around(container: &Value, inner: &Value) -> Option<String> {
    let path = |mount: &Value| mount["mountPath"].as_str().unwrap().to_owned();
    let mounts = container["volumeMounts"].as_array().unwrap();
    mounts
        .iter()
        .filter(|outer| outer["readOnly"] == true)
        .map(path)
        .find(|outer| path(inner).starts_with(&format!("{outer}/")))
}
