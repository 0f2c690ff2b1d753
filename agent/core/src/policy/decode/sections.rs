//! The sections of an environment, each on its own.

use std::collections::BTreeMap;

use super::{Cursor, Problems, check_label, plugin};
use crate::authorize::Action;
use crate::duration::HumanDuration;
use crate::image::facts::{ANNOTATIONS, KEY_LIMIT};
use crate::policy::tree::Value;
use crate::policy::{
    AnnotationGlob, ApprovalPolicy, BreakGlassPolicy, CheckPolicy, DenyRule, DrillPolicy,
    Expression, ImagePolicy, Limits, Newer, RequiredRole, RollbackPolicy, RouterKind,
    SkipCanaryPolicy, StrategyPolicy, Targets,
};
use crate::window::WindowRule;

pub(in crate::policy) const TARGET_KEYS: [&str; 1] = ["namespaces"];
pub(in crate::policy) const IMAGE_KEYS: [&str; 5] = [
    "repositories",
    "tags",
    "minimumAge",
    "signedBy",
    "annotations",
];
pub(in crate::policy) const APPROVAL_KEYS: [&str; 5] = [
    "require",
    "selfApproval",
    "waitTimer",
    "expireAfter",
    "chatVotesAtMost",
];
pub(in crate::policy) const REQUIRED_KEYS: [&str; 2] = ["role", "count"];
pub(in crate::policy) const ALLOW_KEYS: [&str; 2] = ["allow", "timeZone"];
pub(in crate::policy) const FREEZE_KEYS: [&str; 3] = ["freeze", "timeZone", "reason"];
pub(in crate::policy) const STRATEGY_KEYS: [&str; 4] =
    ["allow", "routers", "firstStepAtMost", "maxStepIncrease"];
pub(in crate::policy) const CHECK_KEYS: [&str; 2] = ["require", "analysis"];
pub(in crate::policy) const LIMIT_KEYS: [&str; 4] = [
    "progressDeadline",
    "totalTime",
    "holdFailed",
    "concurrentRollouts",
];
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
/// The keys of the file's own `permissions`.
pub(in crate::policy) const GLOBAL_ACTIONS: [Action; 2] = [Action::Stop, Action::Start];

/// The keys of `skipCanary`.
pub(in crate::policy) const SKIP_KEYS: [&str; 1] = ["allowedFor"];
/// The keys of `breakGlass`.
pub(in crate::policy) const GLASS_KEYS: [&str; 2] = ["role", "people"];
/// The keys of `drills`.
pub(in crate::policy) const DRILL_KEYS: [&str; 1] = ["allowedFor"];
/// The keys of `rollback`.
pub(in crate::policy) const ROLLBACK_KEYS: [&str; 1] = ["window"];
/// The keys of a rule.
pub(in crate::policy) const RULE_KEYS: [&str; 2] = ["deny", "message"];

/// Most approvals of one role.
const COUNT_LIMIT: u32 = 10;
/// Rules of one environment. Each is evaluated at every look.
const RULE_LIMIT: usize = 16;
/// Annotations that a policy may ask for. An image keeps that many, and OCI's own beside them.
const ANNOTATION_RULES: usize = ANNOTATIONS / 2;
/// Rollouts at a time that a limit may allow; more is no limit for anybody.
const CONCURRENT_LIMIT: u32 = 1000;

pub(super) fn targets_of(cursor: &Cursor<'_>, problems: &mut Problems) -> Targets {
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

pub(super) fn images_of(cursor: &Cursor<'_>, problems: &mut Problems) -> ImagePolicy {
    let fields = cursor.fields(&IMAGE_KEYS, problems);
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
        signed_by: fields
            .get("signedBy")
            .map(|c| c.texts(problems))
            .unwrap_or_default(),
        annotations: fields
            .get("annotations")
            .map(|c| annotations(c, problems))
            .unwrap_or_default(),
    }
}

pub(super) fn approvals(cursor: &Cursor<'_>, problems: &mut Problems) -> ApprovalPolicy {
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
        chat_votes_at_most: fields
            .get("chatVotesAtMost")
            .and_then(|c| c.whole(0, COUNT_LIMIT * COUNT_LIMIT, problems)),
    }
}

fn annotations(cursor: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<String, AnnotationGlob> {
    let entries = cursor.entries(problems);
    if entries.is_empty() {
        problems.push(cursor.problem("names no annotation"));
    }
    if entries.len() > ANNOTATION_RULES {
        problems.push(cursor.problem(format!("names more than {ANNOTATION_RULES} annotations")));
    }
    entries
        .into_iter()
        .filter_map(|(entry, cursor)| {
            if entry.key.is_empty() || entry.key.len() > KEY_LIMIT {
                let message = format!("a key has between 1 and {KEY_LIMIT} characters");
                problems.push(cursor.problem(message));
            }
            Some((entry.key.clone(), cursor.parsed(problems)?))
        })
        .collect()
}

pub(super) fn window_rules(cursor: &Cursor<'_>, problems: &mut Problems) -> Vec<WindowRule> {
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

pub(super) fn strategy(cursor: &Cursor<'_>, problems: &mut Problems) -> StrategyPolicy {
    let fields = cursor.fields(&STRATEGY_KEYS, problems);
    StrategyPolicy {
        allow: fields
            .get("allow")
            .map(|c| c.list(problems, plugin))
            .unwrap_or_default(),
        routers: fields
            .get("routers")
            .map(|c| c.list(problems, router))
            .unwrap_or_default(),
        first_step_at_most: fields
            .get("firstStepAtMost")
            .and_then(|c| c.parsed(problems)),
        max_step_increase: fields
            .get("maxStepIncrease")
            .and_then(|c| c.parsed(problems)),
    }
}

pub(super) fn router(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<RouterKind> {
    cursor.one_of(&RouterKind::ALL.map(|kind| (kind.as_str(), kind)), problems)
}

pub(super) fn checks(cursor: &Cursor<'_>, problems: &mut Problems) -> CheckPolicy {
    let fields = cursor.fields(&CHECK_KEYS, problems);
    // One of the two is enough; an empty section means neither.
    let analysis = fields.get("analysis");
    let require = match analysis {
        Some(_) => fields.get("require"),
        None => fields.need("require", "list plugins such as http-smoke", problems),
    };
    let mut plugins =
        |list: Option<&Cursor<'_>>| list.map(|c| c.list(problems, plugin)).unwrap_or_default();
    CheckPolicy {
        require: plugins(require),
        analysis: plugins(analysis),
    }
}

pub(super) fn limits(cursor: &Cursor<'_>, problems: &mut Problems) -> Limits {
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
        hold_failed: positive("holdFailed").unwrap_or(Limits::default().hold_failed),
        concurrent_rollouts: fields
            .get("concurrentRollouts")
            .and_then(|c| c.whole(1, CONCURRENT_LIMIT, problems)),
    }
}

pub(super) fn skip_canary(
    cursor: &Cursor<'_>,
    problems: &mut Problems,
) -> Option<SkipCanaryPolicy> {
    let fields = cursor.fields(&SKIP_KEYS, problems);
    let roles = fields.need("allowedFor", "name the roles that may ask for it", problems)?;
    Some(SkipCanaryPolicy {
        allowed_for: roles.texts(problems),
    })
}

pub(super) fn break_glass(
    cursor: &Cursor<'_>,
    problems: &mut Problems,
) -> Option<BreakGlassPolicy> {
    let fields = cursor.fields(&GLASS_KEYS, problems);
    let role = fields.need("role", "name one of roles", problems)?;
    let role = role.text(problems)?.to_owned();
    let people = match fields.get("people") {
        // One person alone could do anything at any time.
        Some(cursor) => cursor.whole(2, COUNT_LIMIT, problems)?,
        None => 2,
    };
    Some(BreakGlassPolicy { role, people })
}

pub(super) fn drills(cursor: &Cursor<'_>, problems: &mut Problems) -> Option<DrillPolicy> {
    let fields = cursor.fields(&DRILL_KEYS, problems);
    let roles = fields.need(
        "allowedFor",
        "name the roles that may hold drills",
        problems,
    )?;
    Some(DrillPolicy {
        allowed_for: roles.texts(problems),
    })
}

pub(super) fn rollback(cursor: &Cursor<'_>, problems: &mut Problems) -> RollbackPolicy {
    let fields = cursor.fields(&ROLLBACK_KEYS, problems);
    RollbackPolicy {
        window: fields.get("window").and_then(|c| c.parsed(problems)),
    }
}

pub(super) fn rules(cursor: &Cursor<'_>, problems: &mut Problems) -> Vec<DenyRule> {
    let read = |item: &Cursor<'_>, problems: &mut Problems| {
        let fields = item.fields(&RULE_KEYS, problems);
        let hint = "write an expression such as rollout.image.tag.contains('-rc')";
        let deny = fields.need("deny", hint, problems).and_then(|cursor| {
            let text = cursor.text(problems)?;
            match Expression::parse(text) {
                Ok(expression) => Some(expression),
                Err(why) => {
                    problems.push(cursor.problem(why));
                    None
                }
            }
        });
        let message = fields.need("message", "tell people why it may not come", problems);
        let message = message.and_then(|cursor| cursor.text(problems));
        Some(DenyRule {
            deny: deny?,
            message: message?.to_owned(),
        })
    };
    let rules = cursor.list(problems, read);
    if rules.len() > RULE_LIMIT {
        problems.push(cursor.problem(format!("has more than {RULE_LIMIT} rules")));
    }
    rules
}

pub(super) fn newer(cursor: &Cursor<'_>, problems: &mut Problems) -> Newer {
    let words = [("queue", Newer::Queue), ("supersede", Newer::Supersede)];
    cursor.one_of(&words, problems).unwrap_or_default()
}

pub(super) fn permissions(
    cursor: &Cursor<'_>,
    problems: &mut Problems,
) -> BTreeMap<Action, Vec<String>> {
    permissions_of(cursor, &PERMISSION_ACTIONS, problems)
}

/// Roles by action, for these actions.
pub(super) fn permissions_of(
    cursor: &Cursor<'_>,
    actions: &[Action],
    problems: &mut Problems,
) -> BTreeMap<Action, Vec<String>> {
    let known: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
    let fields = cursor.fields(&known, problems);
    actions
        .iter()
        .filter_map(|action| Some((*action, fields.get(action.as_str())?.texts(problems))))
        .collect()
}
