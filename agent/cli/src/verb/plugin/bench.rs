//! `sluice plugin bench`: how long calls take, in fresh instances, and what they need.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_case::Case;
use sluice_plugins::{Host, HostOptions, Manifest};

use super::build::{self, Built};
use super::run::folder;
use super::stage::Stage;
use super::{call, read_component, unfit};
use crate::args::PluginBenchArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Calls before those that count: the first meet cold caches.
const WARM_UP: u32 = 5;

pub(crate) async fn run(args: &PluginBenchArgs, out: &mut Output) -> Result<Exit, Failure> {
    let (built, project) = component(args, out).await?;
    let Built {
        path,
        component,
        manifest,
    } = built;
    let cached = cached_load(&path, &manifest).await?;
    let subject = format!("{} {}", manifest.plugin.name, manifest.plugin.version);
    let mut cases = sluice_case::load(&project).map_err(|why| {
        Failure::new("bad-case", "there is nothing to call it with")
            .because(why)
            .change("name the project with --cases, or write one: docs/cli.md")
            .exit(Exit::NotDone)
    })?;
    if let Some(name) = &args.case {
        cases.retain(|case| case.name == *name);
    }
    let mut stage = Stage::set(&component, manifest, &path, false).await?;
    // The smallest export: what remains is the instance.
    let empty = Case::parse("instantiate", "call = \"validate\"\nexpect = {}")
        .map_err(|why| Failure::new("internal", "the empty call").because(why))?;
    let mut rows = vec![measure(&mut stage, &empty, args.calls).await?];
    let mut known: Vec<String> = Vec::new();
    for case in &cases {
        // One case an export, unless one was named.
        let export = case.call.clone().unwrap_or_default();
        if !known.contains(&export) {
            rows.push(measure(&mut stage, case, args.calls).await?);
            known.push(export);
        }
    }
    let documents: Vec<Value> = rows.iter().map(Row::document).collect();
    out.json(
        &json!({
            "plugin": subject,
            "bytes": component.len(),
            "loadMs": ms(stage.loaded_in),
            "cachedLoadMs": ms(cached),
            "calls": args.calls,
            "exports": documents,
        }),
        false,
    )?;
    out.text(&format!(
        "{subject}: {} KiB; loaded in {:.1} ms, from the cache in {:.1} ms\n",
        component.len().div_ceil(1024),
        ms(stage.loaded_in),
        ms(cached)
    ))?;
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    out.text(&format!(
        "{:<width$}  {:>9}  {:>9}  {:>9}  {:>10}",
        "", "p50", "p99", "CPU p50", "memory"
    ))?;
    for row in &rows {
        out.text(&row.line(width))?;
    }
    Ok(Exit::Done)
}

/// The component, and the project whose cases are played.
async fn component(
    args: &PluginBenchArgs,
    out: &mut Output,
) -> Result<(Built, std::path::PathBuf), Failure> {
    let at = &args.plugin;
    if at.is_dir() {
        return Ok((build::current(at, out).await?, at.clone()));
    }
    let component = read_component(at)?;
    let manifest = Manifest::of_component(&component, &at.display().to_string())
        .map_err(|card| unfit(at, &[card]))?;
    let beside = at.parent().unwrap_or(Path::new("."));
    let project = args.cases.clone().unwrap_or_else(|| beside.to_path_buf());
    let built = Built {
        path: at.clone(),
        component,
        manifest,
    };
    Ok((built, project))
}

/// How long a host takes to serve a plugin that it has compiled before.
async fn cached_load(path: &Path, manifest: &Manifest) -> Result<Duration, Failure> {
    let folder = folder(path, None, manifest)?;
    let cache = tempfile::tempdir().map_err(|error| {
        Failure::new("runtime", "no folder for the cache can be made").because(error.to_string())
    })?;
    let options = HostOptions {
        cache: Some(cache.path().to_path_buf()),
        ..HostOptions::default()
    };
    let mut took = Duration::ZERO;
    for _ in 0..2 {
        let begun = Instant::now();
        let host = Host::open(folder.path(), options.clone()).await;
        took = begun.elapsed();
        drop(host.map_err(|card| unfit(path, &[card]))?);
    }
    Ok(took)
}

async fn measure(stage: &mut Stage, case: &Case, calls: u32) -> Result<Row, Failure> {
    let mut row = Row {
        name: match &case.call {
            Some(export) => format!("{} ({export})", case.name),
            None => case.name.clone(),
        },
        wall: Vec::new(),
        cpu: Vec::new(),
        memory: 0,
    };
    let patient: Vec<u32> = case.exchanges.iter().map(|e| e.response.after_ms).collect();
    let waited = Duration::from_millis(patient.iter().map(|ms| u64::from(*ms)).sum());
    for index in 0..calls.saturating_add(WARM_UP) {
        let played = stage.play(case).await?;
        let Some(usage) = played.usage.filter(|_| index >= WARM_UP) else {
            continue;
        };
        // What the case's servers take is not the plugin's.
        row.wall.push(usage.wall.saturating_sub(waited));
        row.cpu.push(usage.cpu);
        row.memory = row.memory.max(usage.memory_bytes);
        if index == WARM_UP && usage.fault.is_some() {
            let answer = call::value(&played.answer);
            return Err(
                Failure::new("plugin-failed", format!("{} gave no answer", row.name))
                    .because(answer.to_string())
                    .change("see to it that `sluice plugin test` passes")
                    .exit(Exit::NotDone),
            );
        }
    }
    row.wall.sort();
    row.cpu.sort();
    Ok(row)
}

/// The figures of one export.
struct Row {
    name: String,
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
    memory: u64,
}

impl Row {
    fn document(&self) -> Value {
        json!({
            "call": self.name,
            "p50Ms": ms(percentile(&self.wall, 50)),
            "p99Ms": ms(percentile(&self.wall, 99)),
            "cpuP50Ms": ms(percentile(&self.cpu, 50)),
            "memoryBytes": self.memory,
        })
    }

    fn line(&self, width: usize) -> String {
        let figure = |time| format!("{:.2} ms", ms(time));
        format!(
            "{:<width$}  {:>9}  {:>9}  {:>9}  {:>6.1} MiB",
            self.name,
            figure(percentile(&self.wall, 50)),
            figure(percentile(&self.wall, 99)),
            figure(percentile(&self.cpu, 50)),
            self.memory as f64 / f64::from(1 << 20),
        )
    }
}

/// Of figures in rising order: the nearest that at least so many percent do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_figures_that_came() {
        let figures: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&figures, 50), Duration::from_millis(100));
        assert_eq!(percentile(&figures, 99), Duration::from_millis(198));
        assert_eq!(percentile(&figures[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
