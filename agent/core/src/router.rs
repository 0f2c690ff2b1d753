//! How a traffic share becomes cluster objects.
//!
//! A new mechanism is one file in this folder. A router answers with the share that it can achieve;
//! the policy's limits are checked against that, not against the wish.

pub mod replicas;

/// A share in basis points: 10000 is all traffic.
pub const ALL_TRAFFIC: u16 = 10_000;

/// Writes basis points for people: `10 %`, `33.33 %`.
pub fn percent(bp: u16) -> String {
    let (whole, part) = (bp / 100, bp % 100);
    match part {
        0 => format!("{whole} %"),
        p if p % 10 == 0 => format!("{whole}.{} %", p / 10),
        p => format!("{whole}.{p:02} %"),
    }
}
