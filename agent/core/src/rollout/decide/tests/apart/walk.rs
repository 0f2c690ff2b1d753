//! A Rollout that walks by itself through a small world: effects are carried out, pods are ready at
//! once, plugins agree. A test stops it where it wants to change something.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::approval::Decision as Ballot;
use crate::pipeline::{Course, RouterSpec};
use crate::plan::{PlanLimits, Room, check as check_plan};
use crate::plugin::{Judgement, Outcome, PlanStep, PluginAnswer};
use crate::rollout::fixture::*;
use crate::rollout::{
    Decision, Effect, ObjectKind, ObjectRef, ObjectSeen, PluginQuestion, ROLLOUT_LABEL, Seen,
    WorkloadSeen,
};
use crate::template::template_hash;

/// Turns after which a Rollout that is not over is stuck.
const TURNS: usize = 400;

pub(super) struct Walk {
    pub(super) case: Case,
    /// Every effect, in order.
    pub(super) done: Vec<String>,
    /// Pods of the candidate never become ready.
    pub(super) candidate_sick: bool,
    /// What every check answers.
    pub(super) verdict: Outcome,
    version: u32,
}

/// Beside each other: what is switched or shared, and what the strategy proposes.
pub(super) fn walk(router: RouterSpec, proposal: &[PlanStep], course: Course) -> Walk {
    let mut case = mk_awaiting();
    let switch = router.switches();
    case.view.spec.strategy.router = router;
    case.view.spec.course = course;
    let room = Room::Apart { target: 10, switch };
    case.journal.plan = Some(check_plan("canary", proposal, room, &PlanLimits::default()).unwrap());
    case.policy = mk_policy(&POLICY.replace(", firstStepAtMost: 10%", ""));
    let mut walk = Walk {
        case,
        done: Vec::new(),
        candidate_sick: false,
        verdict: Outcome::Pass,
        version: 100,
    };
    walk.put(&service());
    walk.look();
    walk.case.journal = walk.case.decide().journal;
    walk.case.vote("alice", Ballot::Approve, 5);
    walk.case.vote("bob", Ballot::Approve, 6);
    walk
}

pub(super) fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "shop", "name": "storefront", "annotations": {"a": "b"}},
        "spec": {
            "clusterIP": "10.0.0.1", "type": "LoadBalancer", "selector": {"app": "storefront"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080}],
        },
    })
}

impl Walk {
    /// Puts an object there, as somebody else would.
    pub(super) fn put(&mut self, body: &Value) {
        self.version += 1;
        let kind = ObjectKind::of(body["kind"].as_str().unwrap()).unwrap();
        let name = body["metadata"]["name"].as_str().unwrap();
        let object = ObjectRef::new(kind, "shop", name);
        let label = body["metadata"]["labels"][ROLLOUT_LABEL].as_str();
        let seen = ObjectSeen {
            uid: format!("uid-of-{name}"),
            resource_version: self.version.to_string(),
            created_by: label.map(str::to_owned),
            epoch: 0,
            body: body.clone(),
        };
        let objects = &mut self.case.seen.objects;
        objects.insert(object.to_string(), Seen::Present(seen));
    }

    pub(super) fn body(&self, kind: ObjectKind, name: &str) -> Value {
        match self.case.seen.object(&ObjectRef::new(kind, "shop", name)) {
            Seen::Present(found) => found.body,
            Seen::Absent | Seen::Unknown(_) => Value::Null,
        }
    }

    /// Whatever was not put there is surely not there.
    fn look(&mut self) {
        for object in crate::rollout::looks_at(&self.case.view, &self.case.journal) {
            let objects = &mut self.case.seen.objects;
            objects.entry(object.to_string()).or_insert(Seen::Absent);
        }
    }

    /// One turn: decide, carry out, answer.
    pub(super) fn turn(&mut self) -> Decision {
        self.look();
        let d = self.case.decide();
        self.case.journal = d.journal.clone();
        for effect in &d.effects {
            self.apply(effect);
        }
        let wait = match d.wake_at {
            Some(at) if d.effects.is_empty() => at.duration_since(self.case.now),
            Some(_) | None => SignedDuration::from_millis(100),
        };
        self.case.now += wait.max(SignedDuration::from_millis(1));
        d
    }

    /// Turns until `there` holds.
    pub(super) fn until(&mut self, there: impl Fn(&Walk, &Decision) -> bool) -> Decision {
        for _ in 0..TURNS {
            let d = self.turn();
            if there(self, &d) {
                return d;
            }
        }
        panic!(
            "stuck in {}: {}\n{}",
            self.case.journal.phase,
            self.case.journal.message,
            self.done.join("\n")
        );
    }

    /// The pods behind the live Service that are ready.
    pub(super) fn behind(&self) -> u32 {
        let service = self.body(ObjectKind::Service, "storefront");
        let value = service["spec"]["selector"]["app"].as_str().unwrap();
        let workloads = [&self.case.seen.target, &self.case.seen.canary];
        workloads
            .into_iter()
            .filter_map(Seen::present)
            .filter(|w| w.template()["metadata"]["labels"]["app"] == value)
            .map(|w| w.ready)
            .sum()
    }

    fn apply(&mut self, effect: &Effect) {
        let intent = effect.intent();
        if !effect.is_question() {
            let text = format!("{} {} {}", intent.action, intent.object, intent.detail);
            let text = text
                .replace(&template_hash(&mk_template('a')), "template-a")
                .replace(&template_hash(&mk_template('b')), "template-b");
            self.done.push(text.trim_end().to_owned());
        }
        self.version += 1;
        let version = self.version.to_string();
        match effect {
            Effect::Claim { rollout_uid, .. } => {
                self.case.target().claimed_by = Some(rollout_uid.clone());
                self.case.target().resource_version = version;
            }
            Effect::Create { manifest } if manifest["kind"] == "Deployment" => {
                let mut canary = mk_canary('b', 0);
                canary.name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
                canary.spec = manifest["spec"].clone();
                self.case.seen.canary = Seen::Present(canary);
            }
            Effect::Create { manifest } => self.put(manifest),
            Effect::Scale {
                deployment,
                replicas,
                ..
            } => {
                let sick = self.candidate_sick;
                let canary = self.case.seen.canary.present();
                let of_canary = canary.is_some_and(|c| c.uid == deployment.uid);
                let w = if of_canary {
                    self.case.canary()
                } else {
                    self.case.target()
                };
                scale(w, *replicas, of_canary && sick);
                w.resource_version = version;
            }
            Effect::SetTemplate { spec_patch, .. } => {
                let w = self.case.target();
                merge(&mut w.spec, spec_patch);
                let replicas = spec_patch.get("replicas").and_then(Value::as_u64);
                let replicas = replicas.map_or(w.replicas, |n| u32::try_from(n).unwrap());
                scale(w, replicas, false);
                w.resource_version = version;
            }
            Effect::Patch { object, patch, .. } => {
                let mut body = self.body(object.kind, &object.name);
                assert!(!body.is_null(), "{object:?} is not there");
                json_patch(&mut body, patch);
                self.put(&body);
            }
            Effect::Delete { object } if object.kind == ObjectKind::Deployment => {
                self.case.seen.canary = Seen::Absent;
            }
            Effect::Delete { object } => {
                let object = ObjectRef::new(object.kind, &object.namespace, &object.name);
                let objects = &mut self.case.seen.objects;
                objects.insert(object.to_string(), Seen::Absent);
            }
            Effect::RecordOutcome {
                outcome,
                promoted,
                quarantine,
            } => {
                let e = self.case.environment();
                *e = e
                    .clone()
                    .with_outcome(outcome.clone(), promoted.clone(), quarantine.clone());
            }
            Effect::Ask { call, question } => {
                let key = call.0.split_once('/').unwrap().1.to_owned();
                let answer = match question.as_ref() {
                    PluginQuestion::Check { .. } => mk_report(self.verdict, "as it is"),
                    _ => PluginAnswer::Judgement(Judgement::Proceed),
                };
                self.case.answer(&key, answer);
            }
            Effect::SaveRevision { .. } | Effect::CopyConfig { .. } => {}
        }
    }
}

fn scale(w: &mut WorkloadSeen, replicas: u32, sick: bool) {
    let ready = if sick { 0 } else { replicas };
    w.spec["replicas"] = json!(replicas);
    (w.replicas, w.pods, w.updated) = (replicas, replicas, replicas);
    (w.ready, w.available) = (ready, ready);
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *into = patch.clone();
        return;
    };
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

/// The operations that Sluice uses, as RFC 6902 has them.
pub(super) fn json_patch(body: &mut Value, patch: &Value) {
    for op in patch.as_array().unwrap() {
        let path = op["path"].as_str().unwrap();
        let (parent, last) = path.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/").replace("~0", "~");
        match op["op"].as_str().unwrap() {
            "test" => assert_eq!(body.pointer(path), Some(&op["value"]), "test of {path}"),
            "replace" => *body.pointer_mut(path).unwrap() = op["value"].clone(),
            "add" => match body.pointer_mut(parent).unwrap() {
                Value::Array(list) => list.insert(last.parse().unwrap(), op["value"].clone()),
                other => other[last] = op["value"].clone(),
            },
            "remove" => match body.pointer_mut(parent).unwrap() {
                Value::Array(list) => drop(list.remove(last.parse().unwrap())),
                other => drop(other.as_object_mut().unwrap().remove(&last)),
            },
            other => panic!("no operation {other}"),
        }
    }
}
