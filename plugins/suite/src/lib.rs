//! Several services in one suite: what each answers, whether its dependencies are ready, what it
//! measures. A service whose dependency failed is not tested, and the summary says who is to blame.

mod metrics;
mod order;
mod readiness;
mod service;
mod settings;
mod validate;

use std::collections::BTreeMap;

use sluice_sdk::{SmokeTest, TestResult};

use service::Standing;

pub use settings::{MetricsSettings, ReadinessSettings, ServiceSettings, Settings};
pub use validate::validate;

/// Tests every service, dependencies first, otherwise in the order of the settings.
///
/// # Errors
/// None: what cannot be told is a line of the report.
pub fn run(t: &mut SmokeTest<'_>, settings: Settings) -> TestResult {
    let mut standings: BTreeMap<&str, Standing> = BTreeMap::new();
    for service in order::dependencies_first(&settings.services) {
        let standing = match service.blocked_by(&standings) {
            Some(why) => {
                t.skip(&format!("{}: not tested", service.name), &why);
                Standing::NotTested
            }
            None => service::test(t, service),
        };
        standings.insert(&service.name, standing);
    }
    t.headline(&service::headline(&settings.services, &standings));
    Ok(())
}

sluice_sdk::export_smoke_test!(run, validate = validate);

#[cfg(test)]
mod tests;
