//! Programs that are not in every machine: helm and kubeconform.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A program in PATH, or where the test cluster's tools are built.
///
/// Where it is missing, the test says so by name and passes; in CI it fails.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let built = std::env::var_os("SLUICE_CLUSTER_CACHE")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME").map(PathBuf::from)?;
            Some(home.join(".cache/sluice-cluster"))
        });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(built.map(|folder| folder.join("bin")))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let hint = "install it, or build it with the tools of tests/cluster";
        assert!(
            std::env::var("CI").map_or(true, |ci| ci.is_empty()),
            "{test} needs {name}: {hint}"
        );
        println!("NOT CHECKED: {test} needs {name}: {hint}");
    }
    found
}

/// Runs it, and returns what it wrote.
pub(crate) fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program)
        .current_dir(crate::kept::root())
        .args(args)
        // No test reads a developer's settings.
        .env_remove("KUBECONFIG")
        .env("HELM_NO_PLUGINS", "1")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// What the chart renders with these arguments, or why it does not.
pub(crate) fn template(helm: &Path, chart: &str, args: &[&str]) -> Result<String, String> {
    let chart = format!("charts/{chart}");
    let mut all = vec!["template", "sluice", &chart, "--namespace", "delivery"];
    all.extend(args);
    let output = run(helm, &all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}
