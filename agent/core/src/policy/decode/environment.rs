//! One environment of the file, and what stands in its place for single namespaces.
//!
//! Three layers: `defaults`, the environment, and the environment's `namespaces`. A section that a
//! layer leaves out is taken whole from the one below. Freezes and rules are the exception, so that
//! nobody loses a company-wide freeze by writing a window, or a company-wide rule by writing another:
//! those of the layers below always hold. Their allow windows hold where a layer has none of its own.

use super::sections::{
    approvals, break_glass, checks, drills, images_of, limits, newer, permissions, rollback, rules,
    skip_canary, strategy, targets_of, window_rules,
};
use super::{Cursor, Entries, Fields, Problems, check_label, trigger};
use crate::policy::{DenyRule, EnvironmentPolicy};
use crate::problem::quoted;
use crate::window::{WindowRule, Windows};

/// The keys of an environment.
pub(in crate::policy) const ENVIRONMENT_KEYS: [&str; 17] = [
    "targets",
    "triggers",
    "images",
    "after",
    "approvals",
    "windows",
    "strategy",
    "checks",
    "limits",
    "newer",
    "skipCanary",
    "breakGlass",
    "drills",
    "rollback",
    "rules",
    "permissions",
    "namespaces",
];

/// What belongs to one environment as a whole.
const WHOLE: [&str; 3] = ["targets", "after", "namespaces"];

/// The keys that `defaults` and single namespaces have.
pub(in crate::policy) fn shared_keys() -> Vec<&'static str> {
    let mut keys = ENVIRONMENT_KEYS.to_vec();
    keys.retain(|key| !WHOLE.contains(key));
    keys
}

/// What is joined over the layers and not replaced.
#[derive(Clone, Default)]
struct Joined {
    windows: Vec<WindowRule>,
    rules: Vec<DenyRule>,
}

impl Joined {
    /// This layer over the one below.
    fn over(mut self, below: &Self) -> Self {
        let own_allows = self.windows.iter().any(is_allow);
        let kept = below.windows.iter();
        let kept = kept.filter(|rule| !(own_allows && is_allow(rule)));
        self.windows.extend(kept.cloned());
        for rule in &below.rules {
            if !self.rules.contains(rule) {
                self.rules.push(rule.clone());
            }
        }
        self
    }
}

/// The joined sections of one layer.
fn joined(entries: &Entries<'_>, problems: &mut Problems) -> Joined {
    let mut out = Joined::default();
    for (entry, cursor) in entries {
        match entry.key.as_str() {
            "windows" => out.windows = window_rules(cursor, problems),
            "rules" => out.rules = rules(cursor, problems),
            _ => {}
        }
    }
    out
}

pub(super) fn read(
    name: &str,
    cursor: &Cursor<'_>,
    defaults: Option<&Cursor<'_>>,
    problems: &mut Problems,
) -> EnvironmentPolicy {
    let fields = cursor.fields(&ENVIRONMENT_KEYS, problems);
    let mut shared: Entries<'_> = defaults.map(|d| d.entries(problems)).unwrap_or_default();
    shared.retain(|(entry, _)| !WHOLE.contains(&entry.key.as_str()));
    let of_defaults = joined(&shared, problems);
    let own = joined(&cursor.entries(problems), problems).over(&of_defaults);

    let below = |problems: &mut Problems| {
        let mut below = cursor.entries(problems);
        below.extend(defaults.map(|d| d.entries(problems)).unwrap_or_default());
        below
    };
    let overrides: Entries<'_> = fields
        .get("namespaces")
        .map(|c| c.entries(problems))
        .unwrap_or_default();
    let fields = fields.or(shared);
    let mut environment = assembled(name, &cursor.path, &fields, own.clone(), problems);
    for (entry, part) in overrides {
        check_label(&entry.key, &part, problems);
        if !environment.targets.namespaces.contains(&entry.key) {
            let message = format!("{} is not one of this environment", quoted(&entry.key));
            problems.push(
                part.problem(message)
                    .with_hint("add it to targets.namespaces"),
            );
        }
        let fields = part.fields(&shared_keys(), problems);
        let here = joined(&part.entries(problems), problems).over(&own);
        let fields = fields.or(below(problems));
        let read = assembled(name, &part.path, &fields, here, problems);
        environment.namespaces.insert(entry.key.clone(), read);
    }
    environment
}

fn assembled(
    name: &str,
    path: &str,
    fields: &Fields<'_>,
    joined: Joined,
    problems: &mut Problems,
) -> EnvironmentPolicy {
    let targets = fields.need("targets", "write targets: {namespaces: [NAME]}", problems);
    let hint = "list what may propose a version: manual, registry, schedule, upstream, webhook";
    let triggers = fields.need("triggers", hint, problems);
    let hint = "write images: {repositories: [registry.example.com/shop/*]}";
    let images = fields.need("images", hint, problems);
    let windows = Windows::compile(joined.windows).unwrap_or_else(|found| {
        // Each rule was good alone; what is left is their number.
        let found = found.into_iter();
        problems.extend(found.map(|p| p.under(&format!("{path}.windows"))));
        Windows::default()
    });
    macro_rules! section {
        ($key:literal, $read:expr) => {
            fields
                .get($key)
                .map(|c| $read(c, problems))
                .unwrap_or_default()
        };
    }
    EnvironmentPolicy {
        name: name.to_owned(),
        targets: targets.map(|c| targets_of(c, problems)).unwrap_or_default(),
        triggers: triggers
            .map(|c| c.list(problems, trigger).into_iter().collect())
            .unwrap_or_default(),
        images: images.map(|c| images_of(c, problems)).unwrap_or_default(),
        after: section!("after", Cursor::texts),
        approvals: section!("approvals", approvals),
        windows,
        strategy: section!("strategy", strategy),
        checks: section!("checks", checks),
        limits: section!("limits", limits),
        newer: section!("newer", newer),
        skip_canary: section!("skipCanary", skip_canary),
        break_glass: section!("breakGlass", break_glass),
        drills: section!("drills", drills),
        rollback: section!("rollback", rollback),
        rules: joined.rules,
        permissions: section!("permissions", permissions),
        namespaces: std::collections::BTreeMap::new(),
    }
}

/// Reports what is wrong with `defaults`, also in sections that every environment overrides.
pub(super) fn check_defaults(cursor: &Cursor<'_>, problems: &mut Problems) {
    cursor.fields(&shared_keys(), problems);
    for (entry, cursor) in cursor.entries(problems) {
        match entry.key.as_str() {
            "triggers" => drop(cursor.list(problems, trigger)),
            "images" => drop(images_of(&cursor, problems)),
            "approvals" => drop(approvals(&cursor, problems)),
            "windows" => drop(window_rules(&cursor, problems)),
            "strategy" => drop(strategy(&cursor, problems)),
            "checks" => drop(checks(&cursor, problems)),
            "limits" => drop(limits(&cursor, problems)),
            "newer" => drop(newer(&cursor, problems)),
            "skipCanary" => drop(skip_canary(&cursor, problems)),
            "breakGlass" => drop(break_glass(&cursor, problems)),
            "drills" => drop(drills(&cursor, problems)),
            "rollback" => drop(rollback(&cursor, problems)),
            "rules" => drop(rules(&cursor, problems)),
            "permissions" => drop(permissions(&cursor, problems)),
            // Unknown ones are reported above.
            _ => {}
        }
    }
}

fn is_allow(rule: &WindowRule) -> bool {
    match rule {
        WindowRule::Allow { .. } => true,
        WindowRule::Freeze { .. } => false,
    }
}
