//! One line for each rule, in the order in which a release meets them.

use super::aside::Situation;
use super::people::terms;
use super::{Line, Verdict};
use crate::admit::Refused;
use crate::policy::Rule;
use crate::rollout::{Emergency, clock};

/// Collects the lines.
struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, rule: impl Into<String>, verdict: Verdict, text: impl Into<String>) {
        self.0.push(Line {
            rule: rule.into(),
            verdict,
            text: text.into(),
            details: Vec::new(),
        });
    }

    /// The engine's refusals of this rule, or else what is known of it.
    fn rule(&mut self, name: &str, refused: &[Refused], rule: Rule, otherwise: (Verdict, String)) {
        let mut no = false;
        for refusal in refused.iter().filter(|refusal| refusal.rule == rule) {
            self.add(name, Verdict::No, &refusal.text);
            no = true;
        }
        if !no {
            self.add(name, otherwise.0, otherwise.1);
        }
    }
}

pub(super) fn of(situation: &Situation<'_>) -> Vec<Line> {
    let refused = situation.refused();
    let mut out = Lines(Vec::new());
    let namespace = &situation.namespace;
    out.add(
        "environment",
        Verdict::Ok,
        format!("{} holds the namespace {namespace}", situation.whole.name),
    );
    triggers(situation, &refused, &mut out);
    images(situation, &refused, &mut out);
    age(situation, &mut out);
    remembered(situation, &mut out);
    means(situation, &refused, &mut out);
    asked_by(situation, &refused, &mut out);
    own_rules(situation, &mut out);
    time(situation, &mut out);
    room(situation, &mut out);
    approvals(situation, &mut out);
    out.0
}

fn triggers(situation: &Situation<'_>, refused: &[Refused], out: &mut Lines) {
    let trigger = situation.question.trigger;
    let allowed: Vec<&str> = situation
        .whole
        .triggers
        .iter()
        .map(|t| t.as_str())
        .collect();
    let text = format!("{trigger} is one of {}", allowed.join(", "));
    out.rule("triggers", refused, Rule::Triggers, (Verdict::Ok, text));
}

fn images(situation: &Situation<'_>, refused: &[Refused], out: &mut Lines) {
    let images = &situation.whole.images;
    let question = situation.question;
    let otherwise = if !situation.repository_known() {
        (Verdict::Unknown, "which repository is not said".to_owned())
    } else if images.tags.is_empty() {
        let text = format!("{} may come, with any tag", situation.image.repository);
        (Verdict::Ok, text)
    } else if !situation.version_known() {
        let tags: Vec<String> = images.tags.iter().map(ToString::to_string).collect();
        let text = format!("no tag is named; allowed are {}", tags.join(", "));
        (Verdict::Unknown, text)
    } else {
        let tag = question.tag.as_deref().unwrap_or_default();
        let text = format!("{}:{tag} may come", situation.image.repository);
        (Verdict::Ok, text)
    };
    out.rule("images", refused, Rule::Images, otherwise);
    if !images.annotations.is_empty() {
        let wanted: Vec<String> = images
            .annotations
            .iter()
            .map(|(key, pattern)| format!("{key} like {pattern}"))
            .collect();
        let wanted = wanted.join(", ");
        let otherwise = match question.about {
            Some(_) => (Verdict::Ok, format!("has {wanted}")),
            None => (
                Verdict::Unknown,
                format!("needs {wanted}; the image was not read"),
            ),
        };
        out.rule("images.annotations", refused, Rule::Annotations, otherwise);
    }
    if !images.signed_by.is_empty() {
        let signers = images.signed_by.join(" or ");
        let otherwise = match question.about {
            Some(_) => (Verdict::Ok, format!("signed by {signers}")),
            None => (
                Verdict::Unknown,
                format!("needs a signature by {signers}; the image was not read"),
            ),
        };
        out.rule("images.signedBy", refused, Rule::Signature, otherwise);
    }
}

fn age(situation: &Situation<'_>, out: &mut Lines) {
    let Some(age) = situation.rules.images.minimum_age else {
        if situation.whole.images.minimum_age.is_some() {
            out.add(
                "images.minimumAge",
                Verdict::Ok,
                "left out: the glass is broken",
            );
        }
        return;
    };
    let at = situation.question.at;
    let until = age.after(situation.question.proposed_at.unwrap_or(at));
    if at >= until {
        out.add(
            "images.minimumAge",
            Verdict::Ok,
            format!("proposed for longer than {age}"),
        );
    } else {
        let text = match situation.question.proposed_at {
            Some(_) => format!(
                "proposed for less than {age}: waits until {}",
                clock(&until)
            ),
            None => format!("waits {age} from when it is proposed"),
        };
        out.add("images.minimumAge", Verdict::Needed, text);
    }
}

/// What the Pipeline says, and what it remembers of the digest.
fn remembered(situation: &Situation<'_>, out: &mut Lines) {
    let unmet = situation.not_admitted();
    let before = |reason: &&String| reason.starts_with("has not succeeded in ");
    let question = situation.question;
    let mut order: Vec<&String> = situation.rules.after.iter().collect();
    let waits = !question.emergency.is_some_and(|e| e.break_glass);
    let own = situation.environment.iter().filter(|_| waits);
    for environment in own.flat_map(|e| &e.after) {
        if !order.contains(&environment) {
            order.push(environment);
        }
    }
    if !order.is_empty() {
        let names: Vec<&str> = order.iter().map(|name| name.as_str()).collect();
        let names = names.join(" and ");
        let known = question.digest.is_some() && situation.status.is_some();
        let refused: Vec<&String> = unmet.iter().filter(before).collect();
        if known && refused.is_empty() {
            out.add("after", Verdict::Ok, format!("succeeded in {names}"));
        } else if !known {
            out.add(
                "after",
                Verdict::Unknown,
                format!("must have succeeded in {names} first"),
            );
        }
        for reason in refused {
            out.add("after", Verdict::No, reason);
        }
    } else if !situation.whole.after.is_empty() {
        out.add("after", Verdict::Ok, "left out: the glass is broken");
    }
    if situation.pipeline.is_none() {
        return;
    }
    let quarantine = |reason: &&String| reason.starts_with("quarantined ");
    let mut clean = true;
    for reason in unmet.iter().filter(quarantine) {
        out.add("quarantine", Verdict::No, reason);
        clean = false;
    }
    if clean && situation.status.is_some() && question.digest.is_some() {
        out.add("quarantine", Verdict::Ok, "not quarantined here");
    } else if clean {
        let text = "whether this digest failed here before is not known";
        out.add("quarantine", Verdict::Unknown, text);
    }
    let rest = unmet.iter().filter(|r| !before(r) && !quarantine(r));
    for reason in rest {
        out.add("pipeline", Verdict::No, reason);
    }
}

/// Strategy, plan and checks.
fn means(situation: &Situation<'_>, refused: &[Refused], out: &mut Lines) {
    let strategy = &situation.whole.strategy;
    if !strategy.allow.is_empty() {
        let allowed = strategy.allow.join(", ");
        let otherwise = match &situation.strategy {
            Some(plugin) => (Verdict::Ok, format!("{plugin} is one of {allowed}")),
            None => (Verdict::Unknown, format!("must be one of {allowed}")),
        };
        out.rule("strategy.allow", refused, Rule::Strategy, otherwise);
    }
    if !strategy.routers.is_empty() {
        let allowed: Vec<&str> = strategy.routers.iter().map(|r| r.as_str()).collect();
        let allowed = allowed.join(", ");
        let otherwise = match situation.router() {
            Some(router) => (Verdict::Ok, format!("{router} is one of {allowed}")),
            None => (Verdict::Unknown, format!("must be one of {allowed}")),
        };
        out.rule("strategy.routers", refused, Rule::Routers, otherwise);
    }
    let in_force = &situation.rules.strategy;
    for (name, whole, share, text) in [
        (
            "strategy.firstStepAtMost",
            strategy.first_step_at_most,
            in_force.first_step_at_most,
            "the first step has at most",
        ),
        (
            "strategy.maxStepIncrease",
            strategy.max_step_increase,
            in_force.max_step_increase,
            "a step adds at most",
        ),
    ] {
        match (whole, share) {
            (None, _) => {}
            (Some(_), None) => out.add(name, Verdict::Ok, "left out: the canary is skipped"),
            (Some(_), Some(share)) => out.add(
                name,
                Verdict::Unknown,
                format!("{text} {share}: seen when the strategy has made its plan"),
            ),
        }
    }
    let required = &situation.whole.checks.require;
    if !required.is_empty() {
        let names = required.join(", ");
        let otherwise = match situation.checks() {
            Some(_) => (Verdict::Ok, format!("{names} will run")),
            None => (Verdict::Unknown, format!("{names} must be configured")),
        };
        out.rule("checks.require", refused, Rule::Checks, otherwise);
    }
    let metrics = &situation.whole.checks.analysis;
    if !metrics.is_empty() {
        let names = metrics.join(", ");
        let otherwise = match situation.analysis() {
            Some(_) => (Verdict::Ok, format!("{names} will judge every step")),
            None => (Verdict::Unknown, format!("{names} must be configured")),
        };
        out.rule("checks.analysis", refused, Rule::Analysis, otherwise);
    }
}

/// Whether whoever asks may ask for this.
fn asked_by(situation: &Situation<'_>, refused: &[Refused], out: &mut Lines) {
    let who = situation
        .question
        .requester
        .as_ref()
        .map(|person| situation.policy.person(person).name);
    let deploy = crate::authorize::Action::Deploy;
    let roles = situation.whole.permissions.get(&deploy);
    let otherwise = match (&who, roles) {
        (_, None) => None,
        (Some(who), Some(_)) => Some((Verdict::Ok, format!("{who} may ask for a version"))),
        (None, Some(roles)) if situation.requester_missing() => Some((
            Verdict::Unknown,
            format!("only a holder of {} may ask", roles.join(" or ")),
        )),
        (None, Some(_)) => None,
    };
    let denied = refused.iter().any(|r| r.rule == Rule::Permissions);
    if denied || otherwise.is_some() {
        let otherwise = otherwise.unwrap_or((Verdict::Ok, String::new()));
        out.rule("permissions.deploy", refused, Rule::Permissions, otherwise);
    }
    let Emergency {
        skip_canary,
        break_glass,
    } = situation.question.emergency.unwrap_or_default();
    let skip = situation.whole.skip_canary.as_ref();
    let glass = situation.whole.break_glass.as_ref();
    for (asked, name, rule, roles) in [
        (
            skip_canary,
            "skipCanary",
            Rule::SkipCanary,
            skip.map(|s| s.allowed_for.join(" or ")),
        ),
        (
            break_glass,
            "breakGlass",
            Rule::BreakGlass,
            glass.map(|g| g.role.clone()),
        ),
    ] {
        if !asked {
            continue;
        }
        let otherwise = match (&who, roles) {
            (Some(who), _) => (Verdict::Ok, format!("{who} may ask for it")),
            (None, Some(roles)) => (
                Verdict::Unknown,
                format!("only a holder of {roles} may ask for it, with a reason"),
            ),
            (None, None) => (
                Verdict::No,
                "the policy offers it to nobody there".to_owned(),
            ),
        };
        out.rule(name, refused, rule, otherwise);
    }
}

/// The policy's own rules, each by itself.
fn own_rules(situation: &Situation<'_>, out: &mut Lines) {
    for (index, rule) in situation.whole.rules.iter().enumerate() {
        let name = format!("rules[{index}]");
        if situation.cannot_tell(rule) {
            let dark = situation.dark();
            let names: Vec<&str> = rule.deny.names().filter(|n| dark.contains(n)).collect();
            let text = format!("{} (not known: {})", rule.message, names.join(", "));
            out.add(name, Verdict::Unknown, text);
        } else if let Some(text) = situation.refused_by(rule) {
            out.add(name, Verdict::No, text);
        } else {
            out.add(
                name,
                Verdict::Ok,
                format!("does not apply: {}", rule.message),
            );
        }
    }
}

/// Windows and the global stop.
fn time(situation: &Situation<'_>, out: &mut Lines) {
    let question = situation.question;
    if let Some(stop) = &question.stop {
        let until = match &stop.until {
            Some(until) => format!("until {}", clock(until)),
            None => "until somebody starts again".to_owned(),
        };
        out.add(
            "stop",
            Verdict::Needed,
            format!("{} stopped everything, {until}: {}", stop.by, stop.reason),
        );
    }
    if situation.rules.windows.rules().is_empty() {
        if !situation.whole.windows.rules().is_empty() {
            out.add("windows", Verdict::Ok, "left out: the glass is broken");
        }
        return;
    }
    let verdict = situation.rules.windows.evaluate(question.at);
    let mut text = verdict.reason.to_string();
    match (verdict.open, verdict.changes_at) {
        (true, Some(at)) => text.push_str(&format!("; closes at {}", clock(&at))),
        (false, Some(at)) => text.push_str(&format!("; opens at {}", clock(&at))),
        (true, None) => {}
        (false, None) => text.push_str("; does not open within 400 days"),
    }
    let answer = match verdict.open {
        true => Verdict::Ok,
        false => Verdict::Needed,
    };
    out.add("windows", answer, text);
}

/// How many Rollouts may be under way.
fn room(situation: &Situation<'_>, out: &mut Lines) {
    if situation.question.emergency.is_some_and(|e| e.break_glass) {
        return;
    }
    let name = &situation.question.environment;
    for (limit, taken, place) in [
        (
            situation.rules.limits.concurrent_rollouts,
            situation.question.under_way.map(|u| u.here),
            name.as_str(),
        ),
        (
            situation.policy.limits.concurrent_rollouts,
            situation.question.under_way.map(|u| u.everywhere),
            "all environments",
        ),
    ] {
        let Some(limit) = limit else { continue };
        let most = format!("at most {limit} at a time in {place}");
        match taken {
            None => out.add(
                "limits.concurrentRollouts",
                Verdict::Unknown,
                format!("{most}; how many there are was not looked at"),
            ),
            Some(taken) if taken < limit => out.add(
                "limits.concurrentRollouts",
                Verdict::Ok,
                format!("{most}, and {taken} are under way"),
            ),
            Some(taken) => out.add(
                "limits.concurrentRollouts",
                Verdict::Needed,
                format!("{most}, and {taken} are under way: waits for its turn"),
            ),
        }
    }
}

fn approvals(situation: &Situation<'_>, out: &mut Lines) {
    let rules = &situation.rules;
    let required = &rules.approvals.require;
    if required.is_empty() {
        let timer = rules.approvals.wait_timer;
        if timer.is_zero() {
            out.add("approvals", Verdict::Ok, "nobody has to agree");
        } else {
            let text = format!("nobody has to agree; it begins {timer} after it was asked for");
            out.add("approvals", Verdict::Needed, text);
        }
        return;
    }
    let parts: Vec<String> = required
        .iter()
        .map(|r| format!("{} of {}", r.count, r.role))
        .collect();
    let mut details = terms(
        situation.policy,
        rules,
        situation.question.requester.as_ref(),
    );
    let glass = situation.question.emergency.is_some_and(|e| e.break_glass)
        && situation.whole.break_glass.is_some();
    if glass {
        details.insert(0, "in place of the usual approvals".to_owned());
    }
    out.0.push(Line {
        rule: "approvals".to_owned(),
        verdict: Verdict::Needed,
        text: parts.join(" and "),
        details,
    });
}
