//! The checks, in their order. What needs the agent as it was installed comes before what changes it.

mod ci;
mod fight;
mod guards;
mod host;
mod kills;
mod leader;
mod people;
mod plugins;
mod rights;
mod same_end;
mod slack;
mod strategies;
mod traffic;
mod uninstall;
mod upgrade;
mod web;

use std::sync::Arc;

use futures::StreamExt as _;
use sluice_scenarios::both::Scenario;

use crate::cluster::Cluster;
use crate::doors::{self, Doors};
use crate::shape::Shape;
use crate::table::{self, Row, Traffic, row};
use crate::{Args, install};

/// Scenarios that play beside each other: two cores and one node carry so many.
const BESIDE: usize = 3;
/// The same, where each has visitors of its own.
const SHAPES_BESIDE: usize = 3;

const ALONE: [&str; 11] = [
    "guards",
    "rights",
    "people",
    "traffic",
    "fight",
    "kills",
    "leader",
    "host",
    "plugins",
    "upgrade",
    "uninstall",
];

/// Those of the second agent, which play beside the people of the first.
const DOORS: [&str; 3] = ["web", "slack", "ci"];

/// The names of all, as `--only` takes them.
pub(crate) fn names() -> Vec<String> {
    let scenarios = Scenario::ALL
        .iter()
        .map(|s| format!("scenario-{}", s.name()));
    let mut out = vec!["install".to_owned()];
    out.extend(ALONE.iter().take(3).map(|n| (*n).to_owned()));
    out.extend(DOORS.map(str::to_owned));
    out.extend(scenarios);
    out.extend(Shape::ALL.map(|shape| shape.name().to_owned()));
    out.extend(ALONE.iter().skip(3).map(|n| (*n).to_owned()));
    out
}

/// Plays what was asked for, prints the table; whether everything held.
pub(crate) async fn all(cluster: &Arc<Cluster>, args: &Args) -> anyhow::Result<bool> {
    let wanted =
        |name: &str| args.only.is_empty() || args.only.iter().any(|o| name.starts_with(o.as_str()));
    let mut rows: Vec<Row> = Vec::new();
    rows.push(row("install", install::install(cluster)).await);
    if rows.iter().all(|r| r.result.is_ok()) {
        if wanted("guards") {
            rows.push(row("guards", guards::check(cluster)).await);
        }
        if wanted("rights") {
            rows.push(row("rights", rights::check(cluster)).await);
        }
        rows.push(row("start", install::first_start(cluster)).await);
    }
    if rows
        .iter()
        .all(|r| r.result.is_ok() || r.name == "guards" || r.name == "rights")
    {
        // Waiting is most of what people do here, and the second agent has guards of its own.
        let people = async {
            match wanted("people") {
                true => Some(row("people", people::check(cluster)).await),
                false => None,
            }
        };
        let (people, behind) = futures::join!(people, behind_doors(cluster, &wanted, args.log));
        rows.extend(people);
        rows.extend(behind);
        let scenarios =
            Scenario::ALL
                .into_iter()
                .map(|s| (s, format!("scenario-{}", s.name())))
                .filter(|(_, name)| wanted(name))
                .map(|(scenario, name)| async move {
                    row(&name, same_end::check(cluster, scenario)).await
                });
        let mut played: Vec<Row> = futures::stream::iter(scenarios)
            .buffer_unordered(BESIDE)
            .collect()
            .await;
        played.sort_by(|a, b| a.name.cmp(&b.name));
        rows.extend(played);
        if wanted("traffic") {
            rows.push(row("traffic", traffic::check(cluster)).await);
        }
        let shapes = Shape::ALL
            .into_iter()
            .filter(|shape| wanted(shape.name()))
            .map(|shape| async move { row(shape.name(), strategies::check(cluster, shape)).await });
        let mut shifted: Vec<Row> = futures::stream::iter(shapes)
            .buffer_unordered(SHAPES_BESIDE)
            .collect()
            .await;
        shifted.sort_by(|a, b| a.name.cmp(&b.name));
        rows.extend(shifted);
        if wanted("fight") {
            rows.push(row("fight", fight::check(cluster)).await);
        }
        if wanted("kills") {
            rows.push(row("kills", kills::check(cluster)).await);
        }
        if wanted("leader") {
            rows.push(row("leader", leader::check(cluster)).await);
        }
        if wanted("host") {
            rows.push(row("host", host::check(cluster)).await);
        }
        if wanted("plugins") {
            rows.push(row("plugins", plugins::check(cluster)).await);
        }
        if wanted("upgrade") {
            rows.push(row("upgrade", upgrade::check(cluster)).await);
        }
        if wanted("uninstall") {
            rows.push(row("uninstall", uninstall::check(cluster)).await);
        }
    }
    if args.log {
        log(cluster, install::SYSTEM).await?;
    }
    Ok(table::print(&rows))
}

/// What the second agent is for.
async fn behind_doors(
    cluster: &Arc<Cluster>,
    wanted: &impl Fn(&str) -> bool,
    with_log: bool,
) -> Vec<Row> {
    if !DOORS.iter().any(|name| wanted(name)) {
        return Vec::new();
    }
    let mut opened = None;
    let open = async {
        opened = Some(Doors::open(cluster).await?);
        Ok(Traffic::default())
    };
    let mut rows = vec![row("doors", open).await];
    if let Some(doors) = opened {
        if wanted("web") {
            rows.push(row("web", web::check(&doors)).await);
        }
        if wanted("slack") {
            rows.push(row("slack", slack::check(&doors)).await);
        }
        if wanted("ci") {
            rows.push(row("ci", ci::check(&doors)).await);
        }
    }
    let close = async {
        if with_log {
            log(cluster, doors::SYSTEM).await?;
        }
        doors::close(cluster).await
    };
    if let Err(error) = close.await {
        println!("the second agent is not removed: {error:#}");
    }
    rows
}

/// Shows what an agent logged.
async fn log(cluster: &Cluster, namespace: &str) -> anyhow::Result<()> {
    let of = "app.kubernetes.io/component=agent";
    let arguments = [
        "logs",
        "-n",
        namespace,
        "-l",
        of,
        "--all-containers",
        "--tail=-1",
        "--prefix",
    ];
    let said = cluster.try_kubectl(None, &arguments, "").await?;
    println!("\n{}{}", said.out, said.err);
    Ok(())
}
