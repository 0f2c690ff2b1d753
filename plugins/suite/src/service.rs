//! One service of the suite, and how it stands.

use std::collections::BTreeMap;

use sluice_sdk::{Outcome, SmokeTest, probe};

use crate::settings::ServiceSettings;
use crate::{metrics, readiness};

/// How a service stands after its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing speaks against it; what needs a secret that is not there was skipped.
    Well,
    /// Something that it depends on is not well.
    NotTested,
    /// Something could not be told.
    Unknown,
    /// Something was seen to be broken.
    Failed,
}

impl Standing {
    /// What it says about whoever depends on it.
    fn words(self) -> Option<&'static str> {
        match self {
            Self::Well => None,
            Self::NotTested => Some("was not tested"),
            Self::Unknown => Some("could not be tested"),
            Self::Failed => Some("failed"),
        }
    }
}

impl ServiceSettings {
    /// Why it makes no sense to test it now.
    pub(crate) fn blocked_by(&self, standings: &BTreeMap<&str, Standing>) -> Option<String> {
        let reasons: Vec<String> = self
            .after
            .0
            .iter()
            .filter_map(|name| {
                let standing = standings.get(name.as_str()).copied();
                let words = standing.unwrap_or(Standing::NotTested).words()?;
                Some(format!("{name} {words}"))
            })
            .collect();
        (!reasons.is_empty()).then(|| format!("it depends on others: {}", reasons.join(", ")))
    }
}

/// Tests one service.
pub(crate) fn test(t: &mut SmokeTest<'_>, service: &ServiceSettings) -> Standing {
    let before = t.lines().len();
    if let Some(settings) = &service.readiness {
        readiness::examine(t, service, settings);
    }
    if let Some(settings) = &service.metrics {
        metrics::examine(t, service, settings);
    }
    for request in service.named_requests() {
        probe::run(t, &request);
    }
    t.lines()
        .iter()
        .skip(before)
        .map(|line| match line.outcome {
            Outcome::Pass | Outcome::Skipped => Standing::Well,
            Outcome::Inconclusive => Standing::Unknown,
            Outcome::Fail => Standing::Failed,
        })
        .max()
        .unwrap_or(Standing::Unknown)
}

/// Which services are not well, in the order of the settings.
pub(crate) fn headline(
    services: &[ServiceSettings],
    standings: &BTreeMap<&str, Standing>,
) -> String {
    let like = |wanted: Standing| {
        let names: Vec<&str> = services
            .iter()
            .map(|service| service.name.as_str())
            .filter(|name| standings.get(name) == Some(&wanted))
            .collect();
        names.join(", ")
    };
    let told: Vec<String> = [
        ("failed", Standing::Failed),
        ("could not be tested", Standing::Unknown),
        ("not tested", Standing::NotTested),
    ]
    .into_iter()
    .map(|(words, standing)| (words, like(standing)))
    .filter(|(_, names)| !names.is_empty())
    .map(|(words, names)| format!("{words}: {names}"))
    .collect();
    if told.is_empty() {
        let count = services.len();
        let noun = if count == 1 { "service" } else { "services" };
        return format!("{count} {noun} well");
    }
    told.join("; ")
}
