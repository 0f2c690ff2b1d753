//! What a call used of what it may use.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_plugins::CallUsage;

/// One limit of a call, and what was used of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Budget {
    name: &'static str,
    unit: &'static str,
    used: f64,
    limit: f64,
}

/// The limits of one call.
pub(super) fn of(usage: &CallUsage) -> Vec<Budget> {
    let limits = &usage.limits;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mut budgets = vec![
        Budget::new("CPU", "ms", ms(usage.cpu), limits.cpu_ms),
        Budget::new("wall", "ms", ms(usage.wall), limits.wall_ms),
        Budget::new(
            "memory",
            "MiB",
            usage.memory_bytes as f64 / f64::from(1 << 20),
            limits.memory_mib,
        ),
    ];
    if usage.requests > 0 {
        let used = f64::from(usage.requests);
        budgets.push(Budget::new("requests", "", used, limits.requests));
    }
    budgets
}

impl Budget {
    fn new(name: &'static str, unit: &'static str, used: f64, limit: u32) -> Budget {
        Budget {
            name,
            unit,
            used,
            limit: f64::from(limit),
        }
    }

    fn percent(&self) -> f64 {
        if self.limit > 0.0 {
            100.0 * self.used / self.limit
        } else {
            0.0
        }
    }

    /// Its name, and figures for programs.
    pub(super) fn document(&self) -> (String, Value) {
        let figures = json!({
            "used": self.used,
            "limit": self.limit,
            "unit": self.unit,
            "percent": self.percent(),
        });
        (self.name.to_lowercase(), figures)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tenth matters for a millisecond, and for nothing larger.
        let digits = usize::from(self.used < 10.0 && self.used.fract() != 0.0);
        write!(f, "{} {:.digits$}", self.name, self.used)?;
        if !self.unit.is_empty() {
            write!(f, " {}", self.unit)?;
        }
        match self.percent() {
            share if share > 0.0 && share < 1.0 => write!(f, " (<1 %)"),
            share => write!(f, " ({share:.0} %)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_limit_and_never_nothing_where_something_was_used() {
        for (used, limit, text) in [
            (0.44, 200, "CPU 0.4 ms (<1 %)"),
            (0.0, 200, "CPU 0 ms (0 %)"),
            (150.4, 200, "CPU 150 ms (75 %)"),
            (200.0, 200, "CPU 200 ms (100 %)"),
            (3.0, 0, "CPU 3 ms (0 %)"),
        ] {
            assert_eq!(Budget::new("CPU", "ms", used, limit).to_string(), text);
        }
    }
}
