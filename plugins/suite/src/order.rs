//! Which service is tested before which.

use std::collections::BTreeSet;

use crate::settings::ServiceSettings;

/// The services, each after those that it names, otherwise in the order given. Those that wait for
/// each other come last: `validate` refuses them.
pub(crate) fn dependencies_first(services: &[ServiceSettings]) -> Vec<&ServiceSettings> {
    let mut ordered = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: Vec<&ServiceSettings> = services.iter().collect();
    while let Some(at) = waiting.iter().position(|service| is_free(service, &done)) {
        let service = waiting.remove(at);
        done.insert(&service.name);
        ordered.push(service);
    }
    ordered.extend(waiting);
    ordered
}

/// The services that wait for each other, or for themselves.
pub(crate) fn in_circles(services: &[ServiceSettings]) -> Vec<&str> {
    let known: BTreeSet<&str> = services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for service in dependencies_first(services) {
        // A name that nobody has is another complaint.
        let free = service
            .after
            .0
            .iter()
            .all(|name| done.contains(name.as_str()) || !known.contains(name.as_str()));
        if free {
            done.insert(&service.name);
        }
    }
    known.difference(&done).copied().collect()
}

fn is_free(service: &ServiceSettings, done: &BTreeSet<&str>) -> bool {
    service
        .after
        .0
        .iter()
        .all(|name| done.contains(name.as_str()))
}
