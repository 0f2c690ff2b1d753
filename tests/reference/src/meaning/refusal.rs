//! Which rules of a policy say no to a candidate.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conditions::denies;
use super::effective::effective;
use super::facts::Facts;
use super::globs::{repository_fits, tag_fits, texts};
use super::people::{holds, holds_one};

/// What can say no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The policy does not name the environment, or not the namespace in it.
    Environment,
    /// Whoever asks may not ask for a version.
    Deploy,
    /// Nothing like this may propose a version.
    Triggers,
    /// No pattern fits the repository.
    Repositories,
    /// No pattern fits the tag.
    Tags,
    /// An annotation is missing or does not fit.
    Annotations,
    /// None of the signers has signed it.
    SignedBy,
    /// It did not succeed where it must have.
    After,
    /// The strategy is not allowed.
    Strategy,
    /// The router is not allowed.
    Routers,
    /// A check is missing, or optional.
    Checks,
    /// Metrics that must judge it do not.
    Analysis,
    /// Whoever asks may not skip the canary, or gives no reason.
    SkipCanary,
    /// Whoever asks may not break the glass, or gives no reason.
    BreakGlass,
    /// A rule of the policy's own.
    Rules,
    /// It failed here before.
    Quarantine,
    /// The steps of its plan are too large.
    Steps,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Environment,
        Self::Deploy,
        Self::Triggers,
        Self::Repositories,
        Self::Tags,
        Self::Annotations,
        Self::SignedBy,
        Self::After,
        Self::Strategy,
        Self::Routers,
        Self::Checks,
        Self::Analysis,
        Self::SkipCanary,
        Self::BreakGlass,
        Self::Rules,
        Self::Quarantine,
        Self::Steps,
    ];
}

/// Every rule that says no at this moment.
pub fn refused(policy: &Value, facts: &Facts, now: i64) -> BTreeSet<Rule> {
    let mut no = BTreeSet::new();
    if facts.quarantined {
        no.insert(Rule::Quarantine);
    }
    let Some(here) = effective(policy, &facts.environment, &facts.namespace) else {
        no.insert(Rule::Environment);
        return no;
    };
    let may_ask = match (&facts.requester, &here["permissions"]["deploy"]) {
        (None, _) => true,
        // Machines are named one by one.
        (Some(who), _) if who.provider == "caller" => {
            let caller = &policy["callers"][&who.username];
            texts(&caller["pipelines"]).contains(&facts.pipeline.as_str())
                && texts(&caller["environments"]).contains(&facts.environment.as_str())
        }
        (Some(who), Value::Null) => !who.nobody(),
        (Some(who), roles) => holds_one(policy, who, roles),
    };
    let says_why = facts
        .reason
        .as_ref()
        .is_some_and(|why| !why.trim().is_empty());
    let asks_as = |roles: &[&str]| {
        let by = facts.requester.as_ref();
        by.is_some_and(|who| roles.iter().any(|role| holds(policy, who, role)))
    };
    let images = &here["images"];
    let any = |list: &Value, fits: &dyn Fn(&str) -> bool| texts(list).into_iter().any(fits);
    let tag_is_good = images["tags"].is_null()
        || facts
            .tag
            .as_ref()
            .is_some_and(|tag| any(&images["tags"], &|p| tag_fits(p, tag)));
    let wanted = images["annotations"].as_object().into_iter().flatten();
    let says_all = wanted.into_iter().all(|(key, pattern)| {
        let found = facts.annotations.get(key);
        found.is_some_and(|text| tag_fits(pattern.as_str().unwrap(), text))
    });
    let signed = facts.signed_by(policy);
    let after = texts(&here["after"]);
    let has_check = |wanted: &str| {
        facts
            .checks
            .iter()
            .any(|(name, optional)| name == wanted && !optional)
    };
    let denied = |rule: &Value| {
        denies(
            rule["deny"].as_str().unwrap(),
            &facts.variables(policy, now),
        )
    };
    let mut rules = here["rules"].as_array().into_iter().flatten();
    for (rule, holds) in [
        (Rule::Deploy, may_ask),
        (
            Rule::Triggers,
            texts(&here["triggers"]).contains(&facts.trigger),
        ),
        (
            Rule::Repositories,
            any(&images["repositories"], &|p| {
                repository_fits(p, &facts.repository)
            }),
        ),
        (Rule::Tags, tag_is_good),
        (Rule::Annotations, says_all),
        (
            Rule::SignedBy,
            images["signedBy"].is_null() || any(&images["signedBy"], &|s| signed.contains(&s)),
        ),
        // In an emergency the order does not matter.
        (
            Rule::After,
            facts.break_glass || after.iter().all(|name| facts.succeeded.contains(*name)),
        ),
        (
            Rule::Strategy,
            here["strategy"]["allow"].is_null()
                || texts(&here["strategy"]["allow"]).contains(&facts.strategy.as_str()),
        ),
        (
            Rule::Routers,
            here["strategy"]["routers"].is_null()
                || texts(&here["strategy"]["routers"]).contains(&facts.router),
        ),
        (
            Rule::Analysis,
            texts(&here["checks"]["analysis"])
                .into_iter()
                .all(|wanted| facts.analyses.contains(&wanted)),
        ),
        (
            Rule::Checks,
            texts(&here["checks"]["require"]).into_iter().all(has_check),
        ),
        (
            Rule::SkipCanary,
            !facts.skip_canary || (says_why && asks_as(&texts(&here["skipCanary"]["allowedFor"]))),
        ),
        (
            Rule::BreakGlass,
            !facts.break_glass || (says_why && asks_as(&texts(&here["breakGlass"]["role"]))),
        ),
        (Rule::Rules, !rules.any(denied)),
    ] {
        if !holds {
            no.insert(rule);
        }
    }
    no
}

/// Whether the shares of a plan, in percent, are as small as they must be. Whoever may skip the canary
/// has one step.
pub fn steps_fit(policy: &Value, facts: &Facts, shares: &[u16]) -> bool {
    let Some(here) = effective(policy, &facts.environment, &facts.namespace) else {
        return false;
    };
    let at_most = |key: &str| {
        let text = here["strategy"][key].as_str();
        text.map_or(100, |text| {
            text.trim_end_matches('%').parse::<u16>().unwrap()
        })
    };
    let first = shares[0] <= at_most("firstStepAtMost");
    let increase = at_most("maxStepIncrease");
    facts.skip_canary || (first && shares.windows(2).all(|pair| pair[1] - pair[0] <= increase))
}
