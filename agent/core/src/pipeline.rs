//! The standing definition of a delivery: which image, which environments, in which order.
//!
//! [`PipelineSpec`] is what people write; [`EnvironmentStatus`] is what must outlive a Rollout and
//! decides the next one (reliability.md D1). Both are bounded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration::HumanDuration;
use crate::image::Repository;
use crate::problem::Problem;
use crate::rollout::ObjectKind;
use crate::schedule::Schedule;
use crate::tags::TagPolicy;

mod course;
mod hook;
mod limits;
mod router;
mod status;
mod target;

pub use course::{Course, OnFailure, WatchSpec};
pub use hook::HookSpec;
pub use router::{HttpRouteRouter, IngressNginxRouter, ReplicasRouter, RouterSpec, ServiceRouter};
pub use target::{ConfigSource, MemberSpec, TargetSpec};

pub use status::{
    EnvironmentStatus, HISTORY_LIMIT, Outcome, OutcomeKind, PipelineStatus, QUARANTINE_LIMIT,
    Quarantine, REVISION_LIMIT, Refusal, Revision,
};

/// What a Pipeline may hold at most, so that one object stays far below etcd's limit.
const ENVIRONMENT_LIMIT: usize = 16;
const CHECK_LIMIT: usize = 16;
const NOTIFIER_LIMIT: usize = 8;
/// Each of them is asked and kept up to date for every Rollout.
const PROVIDER_LIMIT: usize = 4;

/// The spec of a Pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineSpec {
    /// The image to watch.
    pub image: ImageSpec,
    /// Where it goes, in any order; `after` says what waits for what.
    pub environments: Vec<EnvironmentSpec>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<PluginUse>,
}

/// Which image, and which of its tags count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageSpec {
    /// Such as `registry.example.com/shop/storefront`, without tag or digest.
    pub repository: String,
    /// Which tags are releases, and which of two is newer.
    pub tags: TagPolicy,
}

/// One environment of a Pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentSpec {
    /// The name by which the policy speaks of it.
    pub name: String,
    /// Environments of this Pipeline in which a digest must have succeeded first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The workload.
    pub target: TargetSpec,
    /// What may propose a candidate.
    pub triggers: Vec<Trigger>,
    /// How traffic moves.
    pub strategy: StrategySpec,
    /// What judges every step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSpec>,
    /// Whom approval-provider plugins ask, beside the page, the CLI and kubectl.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<PluginUse>,
    /// What else a Rollout does on its way.
    #[serde(flatten)]
    pub course: Course,
}

/// What proposes a candidate. Written as a map with one key: `{registry: {every: 1m}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// Look at the registry's tags at an interval; each pass proposes the newest eligible digest.
    Registry(RegistryTrigger),
    /// A digest that succeeded in every environment of `after`.
    Upstream(UpstreamTrigger),
    /// A person's Request.
    Manual(ManualTrigger),
    /// At an instant of a schedule, propose the newest eligible digest.
    Schedule(ScheduleTrigger),
    /// A machine's signed call, if the policy's `callers` names it.
    Webhook(WebhookTrigger),
}

/// Settings of the registry trigger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryTrigger {
    /// Interval between two looks; jittered by 10 %. At least 1 s.
    pub every: HumanDuration,
}

/// The upstream trigger has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpstreamTrigger {}

/// The manual trigger has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManualTrigger {}

/// The webhook trigger has no settings: the policy says who may call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookTrigger {}

/// Settings of the schedule trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleTrigger {
    /// Five fields: minute, hour, day of month, month, weekday.
    pub cron: String,
    /// IANA time zone, such as `Europe/Berlin`.
    pub time_zone: String,
}

impl Trigger {
    /// The word that a policy uses for it.
    pub fn kind(&self) -> TriggerKind {
        match self {
            Self::Registry(_) => TriggerKind::Registry,
            Self::Upstream(_) => TriggerKind::Upstream,
            Self::Manual(_) => TriggerKind::Manual,
            Self::Schedule(_) => TriggerKind::Schedule,
            Self::Webhook(_) => TriggerKind::Webhook,
        }
    }
}

pub use crate::policy::TriggerKind;

/// Which strategy plans the steps and which router turns shares into objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrategySpec {
    /// Name of a traffic-strategy plugin.
    pub plugin: String,
    /// How a share becomes cluster objects.
    #[serde(default)]
    pub router: RouterSpec,
    /// Settings of the plugin.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub settings: Value,
}

/// One check of an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckSpec {
    /// Name of a smoke-test plugin.
    pub plugin: String,
    /// Name of this use of it, unique in the environment. Default: the plugin's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Settings of the plugin.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub settings: Value,
    /// Whether `skipped` satisfies the check.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Interval at which it is repeated while a step is held and after promotion; at least 1 s. None:
    /// once a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<HumanDuration>,
}

impl CheckSpec {
    /// The name in reports: `name`, or else the plugin's.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.plugin)
    }
}

/// One use of a notifier plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginUse {
    /// Plugin name.
    pub plugin: String,
    /// Its settings.
    #[serde(default)]
    #[schemars(schema_with = "any_object")]
    pub settings: Value,
}

/// Between two repetitions of a check at least: it is asked of every pod.
const CHECK_EVERY_LEAST: HumanDuration = HumanDuration::from_secs(1);

/// The schema of a document that only the plugin can check.
pub(crate) fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

impl PipelineSpec {
    /// The environment of that name.
    pub fn environment(&self, name: &str) -> Option<&EnvironmentSpec> {
        self.environments.iter().find(|e| e.name == name)
    }

    /// Everything that is wrong with the spec, all at once. Empty: usable.
    pub fn problems(&self) -> Vec<Problem> {
        let mut out = Vec::new();
        if let Err(p) = self.image.tags.compile() {
            out.push(p.under("spec.image.tags"));
        }
        if self.image.repository.parse::<Repository>().is_err() {
            out.push(
                Problem::new(
                    "spec.image.repository",
                    "not a repository without tag or digest",
                )
                .with_hint("write it like registry.example.com/shop/storefront"),
            );
        }
        if self.environments.is_empty() {
            out.push(Problem::new("spec.environments", "names no environment"));
        }
        for (what, len, limit) in [
            (
                "spec.environments",
                self.environments.len(),
                ENVIRONMENT_LIMIT,
            ),
            ("spec.notify", self.notify.len(), NOTIFIER_LIMIT),
        ] {
            if len > limit {
                out.push(Problem::new(
                    what,
                    format!("has {len} entries; {limit} is the limit"),
                ));
            }
        }
        for (i, e) in self.environments.iter().enumerate() {
            self.environment_problems(i, e, &mut out);
        }
        limits::problems(self, &mut out);
        out
    }

    /// Whether following `after` from this environment leads back to it: none of them could start.
    fn waits_for_itself(&self, environment: &EnvironmentSpec) -> bool {
        let mut reached: Vec<&str> = Vec::new();
        let mut next: Vec<&String> = environment.after.iter().collect();
        while let Some(name) = next.pop() {
            if *name == environment.name {
                return true;
            }
            if !reached.contains(&name.as_str()) {
                reached.push(name);
                next.extend(self.environment(name).iter().flat_map(|e| &e.after));
            }
        }
        false
    }

    fn environment_problems(&self, i: usize, e: &EnvironmentSpec, out: &mut Vec<Problem>) {
        let at = |field: &str| format!("spec.environments[{i}].{field}");
        if self.environments.iter().take(i).any(|o| o.name == e.name) {
            out.push(Problem::new(
                at("name"),
                format!("`{}` stands here twice", e.name),
            ));
        }
        if self.environments.iter().take(i).any(|o| {
            o.target
                .workloads()
                .any(|o| e.target.workloads().any(|w| w == o))
        }) {
            out.push(Problem::new(
                at("target"),
                "another environment has the same workload",
            ));
        }
        e.target.problems(&at("target"), out);
        e.course.problems(&at(""), out);
        e.strategy.router.problems(&at("strategy.router"), out);
        if e.strategy.router.isolates() && e.target.kind() != ObjectKind::Deployment {
            out.push(
                Problem::new(
                    at("strategy.router"),
                    format!(
                        "`{}` needs a second set of pods, and a {} has one",
                        e.strategy.router.word(),
                        e.target.kind()
                    ),
                )
                .with_hint("write {replicas: {}}: the candidate takes the place of pods"),
            );
        }
        for after in &e.after {
            if *after == e.name || self.environment(after).is_none() {
                out.push(Problem::new(
                    at("after"),
                    format!("`{after}` is no other environment of this pipeline"),
                ));
            }
        }
        if !e.after.contains(&e.name) && self.waits_for_itself(e) {
            out.push(Problem::new(
                at("after"),
                format!("leads back to `{}`: it would wait for itself", e.name),
            ));
        }
        if e.after.is_empty() && e.triggers.iter().any(|t| matches!(t, Trigger::Upstream(_))) {
            out.push(
                Problem::new(
                    at("triggers"),
                    "`upstream` needs an environment to come after",
                )
                .with_hint("add after: [staging], or use the registry trigger"),
            );
        }
        if e.triggers.is_empty() {
            out.push(
                Problem::new(at("triggers"), "no trigger: nothing could ever start here")
                    .with_hint("add {manual: {}}"),
            );
        }
        for (n, t) in e.triggers.iter().enumerate() {
            let field = at(&format!("triggers[{n}]"));
            match t {
                Trigger::Schedule(s) => {
                    if let Err(p) = Schedule::parse(&s.cron, &s.time_zone) {
                        out.push(p.under(&field));
                    }
                }
                Trigger::Registry(r) if r.every.as_millis() < 1000 => out.push(
                    Problem::new(format!("{field}.registry.every"), "shorter than 1s")
                        .with_hint("registries limit their callers: 1m is usual"),
                ),
                Trigger::Registry(_)
                | Trigger::Upstream(_)
                | Trigger::Manual(_)
                | Trigger::Webhook(_) => {}
            }
        }
        if e.checks.len() > CHECK_LIMIT {
            out.push(Problem::new(
                at("checks"),
                format!("more than {CHECK_LIMIT} checks"),
            ));
        }
        if e.approvals.len() > PROVIDER_LIMIT {
            out.push(Problem::new(
                at("approvals"),
                format!("more than {PROVIDER_LIMIT} approval providers"),
            ));
        }
        for (n, c) in e.checks.iter().enumerate() {
            if e.checks.iter().take(n).any(|o| o.label() == c.label()) {
                out.push(
                    Problem::new(
                        at(&format!("checks[{n}]")),
                        format!("a check named `{}` is already there", c.label()),
                    )
                    .with_hint("give each use of a plugin its own `name`"),
                );
            }
            if c.every.is_some_and(|every| every < CHECK_EVERY_LEAST) {
                out.push(
                    Problem::new(at(&format!("checks[{n}].every")), "shorter than 1s")
                        .with_hint("each repetition asks every pod: 10s is usual"),
                );
            }
        }
        for (n, a) in e.course.analysis.iter().enumerate() {
            if a.require.is_none() && a.compare.is_some() && e.strategy.router.switches() {
                out.push(
                    Problem::new(
                        at(&format!("analysis[{n}]")),
                        format!(
                            "`{}` gives all traffic to one version, and a comparison needs it at both",
                            e.strategy.router.word()
                        ),
                    )
                    .with_hint("write require: what the candidate must hold to by itself"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
