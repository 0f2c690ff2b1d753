//! The rights of the agent's account, as the API server lists them, against a golden file: a right
//! that nobody wrote down fails, and so does one that is missing.

use std::sync::Arc;

use anyhow::{Context as _, ensure};

use crate::app::{DELIVERY, PRODUCTION};
use crate::audit::AGENT;
use crate::cluster::Cluster;
use crate::install::SYSTEM;
use crate::table::Traffic;

/// A namespace that the chart knows nothing of.
const ELSEWHERE: &str = "default";

pub(crate) async fn check(cluster: &Arc<Cluster>) -> anyhow::Result<Traffic> {
    let mut found = String::new();
    for namespace in [SYSTEM, DELIVERY, PRODUCTION, ELSEWHERE] {
        let arguments = ["auth", "can-i", "--list", "--as", AGENT, "-n", namespace];
        let said = cluster.kubectl(None, &arguments).await?;
        found.push_str(&format!("# in {namespace}\n"));
        found.push_str(&normal(&said.out));
    }
    let path = cluster.repository("tests/e2e/golden/rights.txt");
    if std::env::var("UPDATE").is_ok_and(|v| v == "1") {
        std::fs::write(&path, &found)?;
    }
    let golden = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let more: Vec<&str> = found
        .lines()
        .filter(|l| !golden.lines().any(|g| g == *l))
        .collect();
    let less: Vec<&str> = golden
        .lines()
        .filter(|l| !found.lines().any(|f| f == *l))
        .collect();
    ensure!(
        found == golden,
        "the rights are not those of {}; UPDATE=1 writes them down\nmore: {more:#?}\nless: {less:#?}",
        path.display()
    );
    Ok(Traffic::note(format!(
        "{} lines of rights equal the golden file",
        golden.lines().count()
    )))
}

/// Without what every account has, which differs between versions of Kubernetes; sorted.
fn normal(list: &str) -> String {
    let everybodys =
        |line: &str| line.contains("selfsubject") || line.trim_start().starts_with('[');
    let mut lines: Vec<String> = list
        .lines()
        .skip(1)
        .filter(|line| !everybodys(line))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.sort();
    lines.iter().map(|line| format!("{line}\n")).collect()
}
