//! What was measured, what was wanted, and whether it was met.

use std::fmt;
use std::time::Duration;

#[derive(Debug)]
struct Row {
    what: String,
    measured: String,
    target: String,
    /// `None`: a figure without a target.
    met: Option<bool>,
    /// Whether missing it fails the run.
    binding: bool,
}

/// The result of one run.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// A figure that has to be at most `target`. `binding`: the run fails otherwise.
    pub(crate) fn at_most(
        &mut self,
        what: String,
        measured: Figure,
        target: Figure,
        binding: bool,
    ) {
        self.rows.push(Row {
            what,
            met: Some(measured.value() <= target.value()),
            measured: measured.to_string(),
            target: format!("≤ {target}"),
            binding,
        });
    }

    /// A figure that is published only.
    pub(crate) fn figure(&mut self, what: String, measured: Figure) {
        self.rows.push(Row {
            what,
            measured: measured.to_string(),
            target: String::new(),
            met: None,
            binding: false,
        });
    }

    pub(crate) fn note(&mut self, words: String) {
        self.notes.push(words);
    }

    /// Whether every binding target was met.
    pub(crate) fn is_met(&self) -> bool {
        self.rows
            .iter()
            .all(|row| !row.binding || row.met != Some(false))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| | measured | target | |\n|---|---|---|---|")?;
        for row in &self.rows {
            let met = match row.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            writeln!(
                f,
                "| {} | {} | {} | {met} |",
                row.what, row.measured, row.target
            )?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

/// A number with its unit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Figure {
    Time(Duration),
    Percent(f64),
    Mebibytes(f64),
    PerSecond(f64),
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Figure::Time(time) => time.as_secs_f64(),
            Figure::Percent(value) | Figure::Mebibytes(value) | Figure::PerSecond(value) => value,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Time(time) if *time < Duration::from_millis(1) => {
                write!(f, "{:.0} µs", time.as_secs_f64() * 1e6)
            }
            Figure::Time(time) => write!(f, "{:.2} ms", time.as_secs_f64() * 1e3),
            Figure::Percent(value) => write!(f, "{value:.0} %"),
            Figure::Mebibytes(value) => write!(f, "{value:.1} MB"),
            Figure::PerSecond(value) => write!(f, "{value:.0}/s"),
        }
    }
}

/// The value below which this share of the times lies.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_fails_only_where_it_binds() {
        let time = |ms| Figure::Time(Duration::from_millis(ms));
        let mut table = Table::default();
        table.at_most("met".to_owned(), time(1), time(2), true);
        table.at_most("missed".to_owned(), time(3), time(2), false);
        assert!(table.is_met());
        assert!(
            table
                .to_string()
                .contains("| missed | 3.00 ms | ≤ 2.00 ms | MISSED |")
        );
        table.at_most("missed".to_owned(), time(3), time(2), true);
        assert!(!table.is_met());
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let mut times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut times, 99), Duration::from_millis(198));
    }
}
