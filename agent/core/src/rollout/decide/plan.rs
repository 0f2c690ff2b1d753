//! Asking the strategy for the plan, and checking what it proposed.

use jiff::Timestamp;

use super::queue::cannot_see;
use super::{Flow, Turn};
use crate::pipeline::OutcomeKind;
use crate::plan::{PlanLimits, Room, check};
use crate::plugin::{PlanStep, PluginKind};
use crate::policy::EnvironmentPolicy;
use crate::rollout::{PluginQuestion, Seen, State, Why, WorkloadSeen};
use crate::router::ALL_TRAFFIC;
use crate::template::template_hash;

/// The name that stands for the plan of a return: no plugin makes it.
const RETURN_STRATEGY: &str = "return";
/// The name that stands for the plan of a release that skips its canary.
const SKIP_STRATEGY: &str = "skip-canary";

impl Turn<'_> {
    pub(super) fn planning(&mut self, attempt: u32, not_before: Timestamp) -> Flow {
        let policy = match self.environment_policy() {
            Ok(p) => p.into_owned(),
            Err(closed) => return Flow::Wait(closed),
        };
        if let Some(flow) = self.pointless() {
            return flow;
        }
        if let Some(flow) = self.fix_config().or_else(|| self.members_known()) {
            return flow;
        }
        let Some(target) = self.target() else {
            return cannot_see(&self.target_name(), "it cannot be read");
        };
        let room = match self.room(target) {
            Ok(room) => room,
            Err(flow) => return flow,
        };
        let template = match self.candidate_template(target.template()) {
            Ok(t) => t,
            Err(no) => return self.without_template(no),
        };
        if room.target() == 0 {
            return cannot_see(&self.target_name(), "it is scaled to zero: nothing serves");
        }
        self.journal.candidate_template_hash = Some(template_hash(&template));
        if self.plans_itself() {
            self.journal.proposal = Some(vec![all_at_once(self.own_plan())]);
        }
        if let Some(proposal) = self.journal.proposal.take() {
            return self.accept_plan(&proposal, room, &policy);
        }
        let strategy = self.rollout.spec.strategy.clone();
        if let Some(missing) = self.missing_plugins() {
            return Flow::Wait(missing);
        }
        if self.now < not_before {
            self.wake(not_before);
            return Flow::Wait(Why::StrategyUnavailable {
                plugin: strategy.plugin,
                message: self.journal.fault.clone().unwrap_or_default(),
            });
        }
        let key = plan_key(attempt);
        let invocation = self.invocation(&strategy.settings, &key);
        let plugin = strategy.plugin.clone();
        self.ask(&key, PluginQuestion::Plan { plugin, invocation });
        Flow::Wait(Why::AskingForPlan {
            plugin: strategy.plugin,
        })
    }

    fn accept_plan(
        &mut self,
        proposal: &[PlanStep],
        room: Room,
        policy: &EnvironmentPolicy,
    ) -> Flow {
        if self.switches()
            && let Some(autoscaler) = self.seen.autoscaler.present()
        {
            let text = format!(
                "the router service keeps the old version whole beside the new one, and {autoscaler} \
                 would shrink whichever has no visitors: use the router httpRoute, ingressNginx or \
                 replicas for a target with an autoscaler"
            );
            return self.end_unbegun(OutcomeKind::Refused, &text);
        }
        let spec = &self.rollout.spec;
        let (strategy, limits) = if spec.returns_to.is_some() {
            (RETURN_STRATEGY, PlanLimits::default())
        } else if self.plans_itself() {
            (self.own_plan(), PlanLimits::of(policy))
        } else {
            (spec.strategy.plugin.as_str(), PlanLimits::of(policy))
        };
        match check(strategy, proposal, room, &limits) {
            Ok(plan) => {
                self.journal.plan = Some(plan);
                self.journal.fault = None;
                if let Some(refused) = self.unfit() {
                    return refused;
                }
                self.journal.state = State::AwaitingApproval;
                Flow::Again
            }
            Err(problems) => self.end_unbegun(
                OutcomeKind::Refused,
                &format!("the plan of {strategy} is refused: {}", problems.join("; ")),
            ),
        }
    }

    /// Whose pods the candidate will get its share of.
    pub(super) fn room(&self, target: &WorkloadSeen) -> Result<Room, Flow> {
        match &self.seen.autoscaler {
            Seen::Absent | Seen::Present(_) if self.rollout.spec.strategy.router.isolates() => {
                Ok(Room::Apart {
                    target: target.replicas,
                    switch: self.rollout.spec.strategy.router.switches(),
                })
            }
            Seen::Absent => Ok(Room::Within(target.replicas)),
            Seen::Present(_) => Ok(Room::Beside(target.replicas)),
            Seen::Unknown(why) => Err(cannot_see("whether an autoscaler owns the target", why)),
        }
    }

    /// Whether no plugin plans this one: it is the way back, or somebody asked for all traffic at
    /// once and the policy offers that. Where it does not, the gate refuses it anyway.
    pub(super) fn plans_itself(&self) -> bool {
        self.rollout.spec.returns_to.is_some() || self.skips_canary()
    }

    fn skips_canary(&self) -> bool {
        self.rollout.spec.emergency.is_some_and(|e| e.skip_canary)
    }

    /// The name that stands for a plan that no plugin made.
    fn own_plan(&self) -> &'static str {
        if self.rollout.spec.returns_to.is_some() {
            RETURN_STRATEGY
        } else {
            SKIP_STRATEGY
        }
    }

    /// Whether the strategy can be asked.
    pub(super) fn strategy_loaded(&self) -> bool {
        self.loaded(
            &self.rollout.spec.strategy.plugin,
            PluginKind::TrafficStrategy,
        )
    }

    pub(super) fn loaded(&self, name: &str, kind: PluginKind) -> bool {
        self.seen
            .plugins
            .iter()
            .any(|p| p.name == name && p.kind == kind)
    }

    /// Plugins that this Rollout needs and that are not loaded.
    pub(super) fn missing_plugins(&self) -> Option<Why> {
        let spec = &self.rollout.spec;
        let mut plugins: Vec<String> = Vec::new();
        if !self.plans_itself() && !self.strategy_loaded() {
            plugins.push(spec.strategy.plugin.clone());
        }
        if let Some(Why::PluginMissing { plugins: checks }) = self.missing_checks() {
            plugins.extend(checks);
        }
        if spec.returns_to.is_none() {
            let unloaded = |name: &&str| !self.loaded(name, PluginKind::MetricProvider);
            let providers = spec.course.metric_providers().into_iter().filter(unloaded);
            plugins.extend(providers.map(str::to_owned));
        }
        (!plugins.is_empty()).then_some(Why::PluginMissing { plugins })
    }

    /// Smoke tests that this Rollout needs and that are not loaded.
    pub(super) fn missing_checks(&self) -> Option<Why> {
        let mut plugins: Vec<String> = Vec::new();
        for c in &self.rollout.spec.checks {
            if !self.loaded(&c.plugin, PluginKind::SmokeTest) && !plugins.contains(&c.plugin) {
                plugins.push(c.plugin.clone());
            }
        }
        (!plugins.is_empty()).then_some(Why::PluginMissing { plugins })
    }
}

/// Identity of the question for the plan.
pub(crate) fn plan_key(attempt: u32) -> String {
    format!("plan-{attempt}")
}

/// One step, still with every check.
fn all_at_once(plan: &str) -> PlanStep {
    let name = if plan == RETURN_STRATEGY {
        "restore"
    } else {
        "all-at-once"
    };
    PlanStep {
        name: name.into(),
        weight_bp: ALL_TRAFFIC,
        capacity_replicas: None,
        hold_ms: 0,
        checks: true,
        gate: None,
    }
}
