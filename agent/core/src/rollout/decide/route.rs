//! The router's part of a step: where the traffic goes, apart from who has how many pods.

use serde_json::Value;

use super::queue::unseen;
use super::shift::{for_pods, moves};
use super::{Flow, Turn, later};
use crate::pipeline::OutcomeKind;
use crate::plan::PlannedStep;
use crate::rollout::why::clock;
use crate::rollout::{
    Effect, ObjectKind, ObjectRef, OwnerRef, Route, Seen, StepState, Why, WorkloadSeen,
};
use crate::router::apart::{candidate_service, candidate_service_manifest};
use crate::router::replicas::{converge_beside, floor, withdraw_canary};
use crate::router::{self, ALL_TRAFFIC, Apart, Road, Router, Turned};

/// Between the moment in which traffic was led away from pods and the moment in which they may go:
/// nodes and gateways have learned of it by then. Milliseconds.
const DRAIN_MS: i64 = 5_000;

impl Turn<'_> {
    /// The router that keeps the candidate apart; none for the replica router.
    pub(super) fn router(&self) -> Option<&dyn Router> {
        router::of(&self.rollout.spec.strategy.router)
    }

    /// Whether the old version stays whole until the end, and traffic is switched between the two.
    pub(super) fn switches(&self) -> bool {
        self.rollout.spec.strategy.router.switches()
    }

    pub(super) fn live_service(&self) -> ObjectRef {
        let target = &self.rollout.spec.target;
        ObjectRef::new(ObjectKind::Service, &target.namespace, &target.service)
    }

    fn owner_reference(&self) -> Value {
        let spec = &self.rollout.spec;
        let target = OwnerRef {
            kind: spec.target.kind(),
            name: spec.target.name().to_owned(),
            uid: spec.target_uid.clone(),
        };
        target.entry()
    }

    /// What is remembered of the route at the start, or why it cannot be used.
    pub(super) fn route_at_start(&self, target: &WorkloadSeen) -> Result<Option<Route>, Why> {
        let Some(router) = self.router() else {
            return Ok(None);
        };
        let unready = |problem: String| Why::NotReady {
            problems: vec![problem],
        };
        let live = self.live_service();
        let service = match self.seen.object(&live) {
            Seen::Present(service) => service,
            Seen::Absent => return Err(unready(format!("{live} does not exist"))),
            Seen::Unknown(why) => {
                return Err(unseen(&live.to_string(), &why));
            }
        };
        let label = self.rollout.spec.strategy.router.label();
        let apart = Apart::choose(&service.body, target.template(), label, &self.rollout.uid)
            .map_err(unready)?;
        let owner = self.owner_reference();
        let road = self.road(&apart, None, 0, &owner);
        let sight = |object: &ObjectRef| self.seen.object(object);
        let problems = router.problems(&road, &sight);
        if !problems.is_empty() {
            return Err(Why::NotReady { problems });
        }
        Ok(Some(Route {
            original: router.original(&road, &sight),
            apart,
            reached_bp: 0,
            at: self.now,
            other_since: None,
        }))
    }

    fn road<'a>(
        &'a self,
        apart: &'a Apart,
        original: Option<&'a Value>,
        reached_bp: u16,
        owner: &'a Value,
    ) -> Road<'a> {
        let target = &self.rollout.spec.target;
        Road {
            namespace: &target.namespace,
            service: &target.service,
            rollout_uid: &self.rollout.uid,
            apart: Some(apart),
            original,
            reached_bp,
            owner,
        }
    }

    /// Whether pods and route stand as the step wants them, for a candidate apart.
    pub(super) fn pods_apart(
        &mut self,
        target: &WorkloadSeen,
        step: &StepState,
        planned: &PlannedStep,
    ) -> Result<(), Why> {
        if planned.promotes() && !self.switches() {
            let total = self.journal.total(target);
            if let Some(effect) = self.promote(target, total)? {
                self.will_scale(target, total.max(target.replicas));
                self.effects.push(effect);
                return Err(moves(step, planned));
            }
            whole(target, total)?;
            return self.leave_candidate(target, total, Some(step.index + 1));
        }
        let pods = converge_beside(planned.candidate_replicas, &self.seen.canary);
        self.towards(pods, target, moves(step, planned))?;
        self.candidate_service()?;
        let share = planned.step.weight_bp.min(ALL_TRAFFIC);
        self.turn_to(share, Some(step.index + 1))
    }

    /// The Service of the candidate's own, made where it is missing.
    fn candidate_service(&mut self) -> Result<(), Why> {
        let target = &self.rollout.spec.target;
        let own = candidate_service(&target.namespace, &target.service, &self.rollout.uid);
        let cannot = |what: &ObjectRef, why: &str| unseen(&what.to_string(), why);
        match self.seen.object(&own) {
            Seen::Present(found) if found.created_by.as_ref() == Some(&self.rollout.uid) => Ok(()),
            Seen::Present(_) => Err(cannot(&own, "Sluice did not create it")),
            Seen::Unknown(why) => Err(cannot(&own, &why)),
            Seen::Absent => {
                let live = self.live_service();
                let service = match self.seen.object(&live) {
                    Seen::Present(service) => service,
                    Seen::Absent => return Err(cannot(&live, "it is gone")),
                    Seen::Unknown(why) => return Err(cannot(&live, &why)),
                };
                let Some(route) = &self.journal.route else {
                    return Err(cannot(&live, "the journal has lost what tells pods apart"));
                };
                let manifest = candidate_service_manifest(
                    &service.body,
                    &own,
                    &route.apart,
                    &self.rollout.uid,
                    &self.owner_reference(),
                );
                self.effects.push(Effect::Create { manifest });
                Err(Why::ShiftsTraffic {
                    step: self.journal.state.step().map(|s| s.index + 1),
                    object: own.to_string(),
                    share_bp: 0,
                })
            }
        }
    }

    /// Whether the route gives the candidate `share_bp`; if not, what is written or stands against it.
    fn turn_to(&mut self, share_bp: u16, step: Option<u32>) -> Result<(), Why> {
        let Some(route) = self.journal.route.clone() else {
            return Ok(());
        };
        let owner = self.owner_reference();
        let turned = match self.router() {
            None => return Ok(()),
            Some(router) => {
                let original = route.original.as_ref();
                let road = self.road(&route.apart, original, route.reached_bp, &owner);
                let sight = |object: &ObjectRef| self.seen.object(object);
                router.turn(&road, &sight, share_bp)
            }
        };
        match turned {
            Turned::Reached => {
                if route.reached_bp != share_bp
                    && let Some(route) = &mut self.journal.route
                {
                    route.reached_bp = share_bp;
                    route.at = self.now;
                }
                Ok(())
            }
            Turned::Write(effects) => {
                self.grows |= share_bp > route.reached_bp;
                let object = effects
                    .iter()
                    .map(|e| e.intent().object)
                    .next()
                    .unwrap_or_default();
                self.effects.extend(effects);
                Err(Why::ShiftsTraffic {
                    step,
                    object,
                    share_bp,
                })
            }
            Turned::Foreign(message) => Err(Why::Drifted { message }),
            Turned::Unseen(why) => Err(Why::CannotSee {
                what: crate::rollout::journal::clip(&why),
            }),
        }
    }

    /// Leads all traffic to the target's pods, and takes the candidate away once nobody sends there
    /// any more. `Ok`: nothing of it is left.
    pub(super) fn leave_candidate(
        &mut self,
        target: &WorkloadSeen,
        total: u32,
        step: Option<u32>,
    ) -> Result<(), Why> {
        self.traffic_to_target(target, total, step)?;
        if let Some(route) = &self.journal.route
            && self.seen.canary != Seen::Absent
        {
            let drained = later(route.at, DRAIN_MS);
            if self.now < drained {
                self.wake(drained);
                return Err(Why::ShiftsTraffic {
                    step,
                    object: self.live_service().to_string(),
                    share_bp: 0,
                });
            }
        }
        let canary = match &self.seen.canary {
            Seen::Present(c) if !c.made_by(&self.rollout.uid) => Seen::Absent,
            other => other.clone(),
        };
        let pods = withdraw_canary(total, target, &canary);
        self.towards(pods, target, Why::MovesPods { step, share_bp: 0 })?;
        self.clear_route()
    }

    /// Leads all traffic to the target's pods. Never to fewer of them than its own rolling update would
    /// leave, as long as the candidate has more (W7).
    pub(super) fn traffic_to_target(
        &mut self,
        target: &WorkloadSeen,
        total: u32,
        step: Option<u32>,
    ) -> Result<(), Why> {
        let Some(route) = &self.journal.route else {
            return Ok(());
        };
        let candidate = self.seen.canary.present().map_or(0, |c| c.ready);
        let needed = floor(total, target.max_unavailable, u32::MAX).min(candidate.max(1));
        if self.switches() && route.reached_bp > 0 && target.ready < needed {
            if target.replicas < total {
                self.push_moves(&[router::replicas::Move::ScaleStable(total)], target)?;
            }
            return Err(for_pods(&target.name, needed));
        }
        self.turn_to(0, step)
    }

    /// Removes the candidate's Service and what the router created.
    fn clear_route(&mut self) -> Result<(), Why> {
        let Some(route) = self.journal.route.clone() else {
            return Ok(());
        };
        let target = &self.rollout.spec.target;
        let own = candidate_service(&target.namespace, &target.service, &self.rollout.uid);
        let owner = self.owner_reference();
        let mut objects = vec![own];
        if let Some(router) = self.router() {
            let road = self.road(
                &route.apart,
                route.original.as_ref(),
                route.reached_bp,
                &owner,
            );
            objects.extend(router.creates(&road));
        }
        let mut gone = Vec::new();
        for object in objects {
            match self.seen.object(&object) {
                Seen::Present(found) if found.created_by.as_ref() == Some(&self.rollout.uid) => {
                    gone.push(Effect::Delete {
                        object: found.guard(&object),
                    });
                }
                Seen::Present(_) | Seen::Absent => {}
                Seen::Unknown(why) => return Err(unseen(&object.to_string(), &why)),
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.effects.extend(gone);
        Err(Why::MovesPods {
            step: None,
            share_bp: 0,
        })
    }

    /// While somebody else has led the traffic elsewhere in the middle of a step: it holds, and in the
    /// end goes back (T5). `None`: that is not what stands against it.
    pub(super) fn rerouted(&mut self, why: &Why) -> Option<Flow> {
        let message = match why {
            Why::Drifted { message } => message.clone(),
            Why::ShiftsTraffic { object, .. } => {
                format!("somebody else changed where {object} sends; Sluice does not fight over it")
            }
            _ => return None,
        };
        let (now, limit) = (self.now, self.progress_deadline_ms());
        let route = self.journal.route.as_mut()?;
        self.effects.clear();
        let until = later(*route.other_since.get_or_insert(now), limit);
        let message = format!(
            "{message}; as it was, it goes on, otherwise it rolls back at {}",
            clock(&until)
        );
        if now >= until {
            return Some(self.go_back("rerouted", &message, false, OutcomeKind::RolledBack));
        }
        self.wake(until);
        Some(Flow::Wait(Why::Drifted { message }))
    }
}

/// Whether a workload has all its pods, of the newest template.
pub(super) fn whole(target: &WorkloadSeen, total: u32) -> Result<(), Why> {
    if target.settled() && target.replicas >= total {
        return Ok(());
    }
    Err(for_pods(&target.name, total))
}
