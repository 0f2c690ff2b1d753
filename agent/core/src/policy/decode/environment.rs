//! One environment of the file.
//!
//! A section that the environment leaves out is taken whole from `defaults`. Windows are the
//! exception, so that nobody loses a company-wide freeze by writing a window: freezes of
//! `defaults` always hold, and its allow windows hold where the environment has none of its own.

use std::collections::BTreeMap;

use super::{Cursor, Entries, Fields, Problems, check_label, plugin, trigger};
use crate::authorize::Action;
use crate::duration::HumanDuration;
use crate::policy::tree::{Entry, Value};
use crate::policy::{
    ApprovalPolicy, CheckPolicy, EnvironmentPolicy, ImagePolicy, Limits, Newer, RequiredRole,
    StrategyPolicy, Targets,
};
use crate::problem::Problem;
use crate::window::{WindowRule, Windows};

/// The keys of an environment.
pub(in crate::policy) const ENVIRONMENT_KEYS: [&str; 11] = [
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
    "permissions",
];
pub(in crate::policy) const TARGET_KEYS: [&str; 1] = ["namespaces"];
pub(in crate::policy) const IMAGE_KEYS: [&str; 3] = ["repositories", "tags", "minimumAge"];
pub(in crate::policy) const APPROVAL_KEYS: [&str; 4] =
    ["require", "selfApproval", "waitTimer", "expireAfter"];
pub(in crate::policy) const REQUIRED_KEYS: [&str; 2] = ["role", "count"];
pub(in crate::policy) const ALLOW_KEYS: [&str; 2] = ["allow", "timeZone"];
pub(in crate::policy) const FREEZE_KEYS: [&str; 3] = ["freeze", "timeZone", "reason"];
pub(in crate::policy) const STRATEGY_KEYS: [&str; 3] =
    ["allow", "firstStepAtMost", "maxStepIncrease"];
pub(in crate::policy) const CHECK_KEYS: [&str; 1] = ["require"];
pub(in crate::policy) const LIMIT_KEYS: [&str; 2] = ["progressDeadline", "totalTime"];
/// The keys of `permissions`. Votes are not among them: `approvals` says who votes.
pub(in crate::policy) const PERMISSION_ACTIONS: [Action; 8] = [
    Action::Deploy,
    Action::Abort,
    Action::Pause,
    Action::Resume,
    Action::Promote,
    Action::Rollback,
    Action::Retry,
    Action::LiftQuarantine,
];

/// What belongs to one environment alone.
const NOT_IN_DEFAULTS: [&str; 2] = ["targets", "after"];

/// Keys that other versions have and this one does not enforce. Ignoring them would promise a
/// gate that is not there.
const UNSUPPORTED: [&str; 2] = ["rules", "skipCanary"];
const UNSUPPORTED_IMAGES: [&str; 1] = ["signedBy"];

/// Most approvals of one role.
const COUNT_LIMIT: u32 = 10;

pub(super) fn read(
    name: &str,
    cursor: &Cursor<'_>,
    defaults: Option<&Cursor<'_>>,
    problems: &mut Problems,
) -> EnvironmentPolicy {
    let fields = supported(cursor, &ENVIRONMENT_KEYS, &UNSUPPORTED, problems);
    let own_windows = fields.get("windows").map(|c| window_rules(c, problems));
    let mut shared: Entries<'_> = defaults.map(|d| d.entries(problems)).unwrap_or_default();
    shared.retain(|(entry, _)| !NOT_IN_DEFAULTS.contains(&entry.key.as_str()));
    let shared_windows = shared.iter().find(|(entry, _)| entry.key == "windows");
    let shared_windows = shared_windows.map(|(_, c)| window_rules(c, problems));
    let fields = fields.or(shared);

    let targets = fields.need("targets", "write targets: {namespaces: [NAME]}", problems);
    let hint = "list what may propose a version: manual, registry, schedule, upstream, webhook";
    let triggers = fields.need("triggers", hint, problems);
    let hint = "write images: {repositories: [registry.example.com/shop/*]}";
    let images = fields.need("images", hint, problems);
    EnvironmentPolicy {
        name: name.to_owned(),
        targets: targets.map(|c| targets_of(c, problems)).unwrap_or_default(),
        triggers: triggers
            .map(|c| c.list(problems, trigger).into_iter().collect())
            .unwrap_or_default(),
        images: images.map(|c| images_of(c, problems)).unwrap_or_default(),
        after: fields
            .get("after")
            .map(|c| c.texts(problems))
            .unwrap_or_default(),
        approvals: fields
            .get("approvals")
            .map(|c| approvals(c, problems))
            .unwrap_or_default(),
        windows: joined(cursor, own_windows, shared_windows, problems),
        strategy: fields
            .get("strategy")
            .map(|c| strategy(c, problems))
            .unwrap_or_default(),
        checks: fields
            .get("checks")
            .map(|c| checks(c, problems))
            .unwrap_or_default(),
        limits: fields
            .get("limits")
            .map(|c| limits(c, problems))
            .unwrap_or_default(),
        newer: fields
            .get("newer")
            .and_then(|c| newer(c, problems))
            .unwrap_or_default(),
        permissions: fields
            .get("permissions")
            .map(|c| permissions(c, problems))
            .unwrap_or_default(),
    }
}

/// Reports what is wrong with `defaults`, also in sections that every environment overrides.
pub(super) fn check_defaults(cursor: &Cursor<'_>, problems: &mut Problems) {
    let keys: Vec<&str> = ENVIRONMENT_KEYS
        .into_iter()
        .filter(|key| !NOT_IN_DEFAULTS.contains(key))
        .collect();
    supported(cursor, &keys, &UNSUPPORTED, problems);
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
            "permissions" => drop(permissions(&cursor, problems)),
            // Unknown ones are reported above.
            _ => {}
        }
    }
}

/// The fields of a map, with a problem of its own for what this version does not enforce.
fn supported<'t>(
    cursor: &Cursor<'t>,
    known: &[&str],
    unsupported: &[&str],
    problems: &mut Problems,
) -> Fields<'t> {
    let refused = |entry: &Entry| unsupported.contains(&entry.key.as_str());
    for (entry, value) in cursor.entries(problems) {
        if refused(entry) {
            problems.push(
                Problem::new(value.path, "is not supported by this version of Sluice")
                    .with_hint("remove it: it would not be enforced")
                    .at(entry.line, entry.column),
            );
        }
    }
    cursor.fields_but(known, refused, problems)
}

fn targets_of(cursor: &Cursor<'_>, problems: &mut Problems) -> Targets {
    let fields = cursor.fields(&TARGET_KEYS, problems);
    let list = fields.need(
        "namespaces",
        "list the namespaces of this environment",
        problems,
    );
    let read = |item: &Cursor<'_>, problems: &mut Problems| {
        let text = item.text(problems)?;
        check_label(text, item, problems);
        Some(text.to_owned())
    };
    Targets {
        namespaces: list
            .map(|list| list.list(problems, read))
            .unwrap_or_default(),
    }
}

fn images_of(cursor: &Cursor<'_>, problems: &mut Problems) -> ImagePolicy {
    let fields = supported(cursor, &IMAGE_KEYS, &UNSUPPORTED_IMAGES, problems);
    let hint = "list patterns such as registry.example.com/shop/*, or ** for every repository";
    let repositories = fields.need("repositories", hint, problems);
    let tags = fields.get("tags").map(|cursor| match cursor.node.value {
        // One pattern is the usual case.
        Value::Text(_) => cursor.parsed(problems).into_iter().collect(),
        Value::Nothing
        | Value::Flag(_)
        | Value::Whole(_)
        | Value::Fraction
        | Value::List(_)
        | Value::Map(_) => cursor.list(problems, |item, problems| item.parsed(problems)),
    });
    ImagePolicy {
        repositories: repositories
            .map(|c| c.list(problems, |item, problems| item.parsed(problems)))
            .unwrap_or_default(),
        tags: tags.unwrap_or_default(),
        minimum_age: fields.get("minimumAge").and_then(|c| c.parsed(problems)),
    }
}

fn approvals(cursor: &Cursor<'_>, problems: &mut Problems) -> ApprovalPolicy {
    let fields = cursor.fields(&APPROVAL_KEYS, problems);
    let default = ApprovalPolicy::default();
    let hint = "write require: [{role: NAME}], or leave approvals out where nobody needs to agree";
    let require = fields.need("require", hint, problems);
    let read = |item: &Cursor<'_>, problems: &mut Problems| {
        let fields = item.fields(&REQUIRED_KEYS, problems);
        let role = fields
            .need("role", "name one of roles", problems)?
            .text(problems)?
            .to_owned();
        let count = fields
            .get("count")
            .and_then(|c| c.whole(1, COUNT_LIMIT, problems));
        Some(RequiredRole {
            role,
            count: count.unwrap_or(1),
        })
    };
    let mut positive = |key: &str, default: HumanDuration| {
        let Some(cursor) = fields.get(key) else {
            return default;
        };
        let found = cursor.parsed::<HumanDuration>(problems).unwrap_or(default);
        if found.is_zero() {
            problems.push(cursor.problem("is nothing: no vote could come in time"));
        }
        found
    };
    let expire_after = positive("expireAfter", default.expire_after);
    ApprovalPolicy {
        // A role that stands here twice is judged in `consistency`, where the hint is better.
        require: require
            .map(|list| {
                list.each(problems, read)
                    .into_iter()
                    .map(|(_, role)| role)
                    .collect()
            })
            .unwrap_or_default(),
        self_approval: fields
            .get("selfApproval")
            .and_then(|c| c.flag(problems))
            .unwrap_or(false),
        wait_timer: fields
            .get("waitTimer")
            .and_then(|c| c.parsed(problems))
            .unwrap_or(default.wait_timer),
        expire_after,
    }
}

fn window_rules(cursor: &Cursor<'_>, problems: &mut Problems) -> Vec<WindowRule> {
    let mut rules = Vec::new();
    for item in cursor.items(problems) {
        let keys: Vec<String> = item
            .entries(problems)
            .iter()
            .map(|(entry, _)| entry.key.clone())
            .collect();
        let has = |key: &str| keys.iter().any(|k| k == key);
        let rule = match (has("allow"), has("freeze")) {
            (true, false) => allow_rule(&item, problems),
            (false, true) => freeze_rule(&item, problems),
            (true, true) | (false, false) => {
                problems.push(item.problem("expected either allow or freeze").with_hint(
                    "write {allow: MON-THU 09:00-17:00, timeZone: Europe/Berlin} or {freeze: \
                     START/END, reason: WHY}",
                ));
                None
            }
        };
        let Some(rule) = rule else { continue };
        match rule.check() {
            Ok(()) => rules.push(rule),
            Err(problem) => problems.push(problem.under(&item.path)),
        }
    }
    rules
}

fn allow_rule(item: &Cursor<'_>, problems: &mut Problems) -> Option<WindowRule> {
    let fields = item.fields(&ALLOW_KEYS, problems);
    let allow = fields.get("allow").and_then(|c| c.text(problems));
    let hint = "name the zone in which the times are meant, such as Europe/Berlin or UTC";
    let zone = fields
        .need("timeZone", hint, problems)
        .and_then(|c| c.text(problems));
    Some(WindowRule::Allow {
        allow: allow?.to_owned(),
        time_zone: zone?.to_owned(),
    })
}

fn freeze_rule(item: &Cursor<'_>, problems: &mut Problems) -> Option<WindowRule> {
    let fields = item.fields(&FREEZE_KEYS, problems);
    let freeze = fields.get("freeze").and_then(|c| c.text(problems));
    let reason = fields.need("reason", "tell the people who wait why", problems);
    let reason = reason.and_then(|c| c.text(problems));
    let time_zone = match fields.get("timeZone") {
        Some(cursor) => Some(cursor.text(problems)?.to_owned()),
        None => None,
    };
    Some(WindowRule::Freeze {
        freeze: freeze?.to_owned(),
        time_zone,
        reason: reason?.to_owned(),
    })
}

/// The environment's windows and those of `defaults`, as the head of this file says.
fn joined(
    cursor: &Cursor<'_>,
    own: Option<Vec<WindowRule>>,
    shared: Option<Vec<WindowRule>>,
    problems: &mut Problems,
) -> Windows {
    let mut rules = own.unwrap_or_default();
    let own_allows = rules.iter().any(is_allow);
    let shared = shared.unwrap_or_default();
    rules.extend(
        shared
            .into_iter()
            .filter(|rule| !(own_allows && is_allow(rule))),
    );
    Windows::compile(rules).unwrap_or_else(|found| {
        // Each rule was good alone; what is left is their number.
        problems.extend(
            found
                .into_iter()
                .map(|p| p.under(&format!("{}.windows", cursor.path))),
        );
        Windows::default()
    })
}

fn is_allow(rule: &WindowRule) -> bool {
    match rule {
        WindowRule::Allow { .. } => true,
        WindowRule::Freeze { .. } => false,
    }
}

fn strategy(cursor: &Cursor<'_>, problems: &mut Problems) -> StrategyPolicy {
    let fields = cursor.fields(&STRATEGY_KEYS, problems);
    StrategyPolicy {
        allow: fields
            .get("allow")
            .map(|c| c.list(problems, plugin))
            .unwrap_or_default(),
        first_step_at_most: fields
            .get("firstStepAtMost")
            .and_then(|c| c.parsed(problems)),
        max_step_increase: fields
            .get("maxStepIncrease")
            .and_then(|c| c.parsed(problems)),
    }
}

fn checks(cursor: &Cursor<'_>, problems: &mut Problems) -> CheckPolicy {
    let fields = cursor.fields(&CHECK_KEYS, problems);
    let require = fields.need("require", "list plugins such as http-smoke", problems);
    CheckPolicy {
        require: require
            .map(|c| c.list(problems, plugin))
            .unwrap_or_default(),
    }
}

fn limits(cursor: &Cursor<'_>, problems: &mut Problems) -> Limits {
    let fields = cursor.fields(&LIMIT_KEYS, problems);
    let mut positive = |key: &str| {
        let cursor = fields.get(key)?;
        let found = cursor.parsed::<HumanDuration>(problems)?;
        if found.is_zero() {
            problems.push(cursor.problem("is nothing: every rollout would be rolled back"));
        }
        Some(found)
    };
    Limits {
        progress_deadline: positive("progressDeadline")
            .unwrap_or(Limits::default().progress_deadline),
        total_time: positive("totalTime"),
    }
}

fn newer(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<Newer> {
    cursor.one_of(
        &[("queue", Newer::Queue), ("supersede", Newer::Supersede)],
        problems,
    )
}

fn permissions(cursor: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<Action, Vec<String>> {
    let fields = cursor.fields(&PERMISSION_ACTIONS.map(Action::as_str), problems);
    PERMISSION_ACTIONS
        .into_iter()
        .filter_map(|action| Some((action, fields.get(action.as_str())?.texts(problems))))
        .collect()
}
