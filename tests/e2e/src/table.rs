//! What came of each scenario.

use std::time::{Duration, Instant};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) result: Result<Traffic, String>,
    pub(crate) took: Duration,
}

/// Requests of the load that ran beside, if one did; and what else is worth a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: Option<u64>,
    pub(crate) failed: Option<u64>,
    pub(crate) notes: Vec<String>,
    /// What could not be checked here, and what is missing for it.
    pub(crate) skipped: Option<String>,
}

impl Traffic {
    /// Nothing was sent, and this is worth a line.
    pub(crate) fn note(text: impl Into<String>) -> Self {
        Self {
            notes: vec![text.into()],
            ..Self::default()
        }
    }

    /// It could not be checked here.
    pub(crate) fn skipped(what_is_missing: impl Into<String>) -> Self {
        Self {
            skipped: Some(what_is_missing.into()),
            ..Self::default()
        }
    }
}

/// Runs one scenario and says how it went as soon as it is known.
pub(crate) async fn row(name: &str, play: impl Future<Output = anyhow::Result<Traffic>>) -> Row {
    let begin = Instant::now();
    println!("... {name}");
    let result = play.await.map_err(|error| format!("{error:#}"));
    let took = begin.elapsed();
    match &result {
        Ok(t) if t.skipped.is_some() => println!("--- {name}: skipped"),
        Ok(_) => println!("+++ {name}: {:.0} s", took.as_secs_f64()),
        Err(why) => println!("!!! {name}: {why}"),
    }
    Row {
        name: name.to_owned(),
        result,
        took,
    }
}

/// Prints the table; whether everything held.
pub(crate) fn print(rows: &[Row]) -> bool {
    let width = rows.iter().map(|r| r.name.len()).max().unwrap_or(8).max(8);
    println!(
        "\n{:<width$}  {:<7}  {:>7}  {:>8}  {:>6}",
        "scenario", "result", "seconds", "requests", "failed"
    );
    for r in rows {
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let (result, sent, failed) = match &r.result {
            Ok(t) if t.skipped.is_some() => ("skipped", None, None),
            Ok(t) => ("ok", t.sent, t.failed),
            Err(_) => ("FAILED", None, None),
        };
        println!(
            "{:<width$}  {result:<7}  {:>7.0}  {:>8}  {:>6}",
            r.name,
            r.took.as_secs_f64(),
            number(sent),
            number(failed)
        );
    }
    for r in rows {
        match &r.result {
            Ok(t) => {
                if let Some(missing) = &t.skipped {
                    println!("\nskipped {}: {missing}", r.name);
                }
                for note in &t.notes {
                    println!("{}: {note}", r.name);
                }
            }
            Err(why) => println!("\nFAILED {}:\n{why}", r.name),
        }
    }
    let skipped = |r: &&Row| r.result.as_ref().is_ok_and(|t| t.skipped.is_some());
    let skipped = rows.iter().filter(skipped).count();
    let failed = rows.iter().filter(|r| r.result.is_err()).count();
    let passed = rows.len() - skipped - failed;
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}
