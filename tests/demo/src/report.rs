//! The figures at the end, and whether they are what was promised.

use std::collections::BTreeMap;

use anyhow::bail;
use sluice_core::router::percent;

use crate::traffic::Counts;

/// Fresh connections that a share is measured over at least.
const SAMPLE: u64 = 4000;
/// How far a measured share may be from the announced one, in basis points: 3 points.
const TOLERANCE_BP: i64 = 300;

/// What each version served of one step: `v1.0.0 90.65 %, v1.1.0 9.35 %`.
pub(crate) fn shares(versions: &BTreeMap<String, u64>) -> String {
    let total: u64 = versions.values().sum();
    let mut parts = Vec::new();
    for (version, n) in versions {
        let bp = n.saturating_mul(10_000).checked_div(total).unwrap_or(0);
        parts.push(format!(
            "{version} {}",
            percent(u16::try_from(bp).unwrap_or(u16::MAX))
        ));
    }
    parts.join(", ")
}

/// Prints the shares of every step and the failures.
///
/// # Errors
/// A share is not what the router announced, it was measured over too few requests, or a request
/// failed.
pub(crate) fn judge(counts: &Counts) -> anyhow::Result<()> {
    println!("\nWhat the client saw ({} requests in all):\n", counts.sent);
    println!("  step in production   announced  requests  served by");
    let mut wrong = Vec::new();
    for (step, versions) in &counts.served {
        let total: u64 = versions.values().sum();
        let candidate = versions.get(&step.tag).copied().unwrap_or(0);
        let measured = candidate
            .saturating_mul(10_000)
            .checked_div(total)
            .unwrap_or(0);
        println!(
            "  {} step {}        {:>9}  {total:>8}  {}",
            step.tag,
            step.index + 1,
            percent(step.share_bp),
            shares(versions)
        );
        // A step that was left because its check failed is over before the sample is whole; a step
        // with all the traffic has nothing to divide.
        let divides = step.share_bp < 10_000 && step.tag != BAD;
        if divides && total < SAMPLE {
            wrong.push(format!(
                "step {} of {} was measured over {total} requests instead of {SAMPLE}: this machine \
                 is too slow for the demo's client",
                step.index + 1,
                step.tag
            ));
        }
        let off = i64::try_from(measured).unwrap_or(i64::MAX) - i64::from(step.share_bp);
        if total >= SAMPLE && off.abs() > TOLERANCE_BP {
            wrong.push(format!(
                "step {} of {} is off by {off} bp",
                step.index + 1,
                step.tag
            ));
        }
    }
    println!("\n  failed requests: {}", counts.failed);
    if counts.failed > 0 {
        wrong.push(format!(
            "{} requests failed: {}",
            counts.failed,
            counts.causes.join("; ")
        ));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

/// The release that is caught.
pub(crate) const BAD: &str = "v1.2.0";
