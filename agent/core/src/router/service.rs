//! The Service router: all or nothing, by the live Service's selector. Blue-green.
//!
//! ```text
//!   live Service ──selects──► target (old)            live Service ─┐    target (old, kept)
//!   candidate Service ──────► candidate (new)   ⇒                   └──► candidate (new)
//! ```

use serde_json::{Value, json};

use super::apart::Side;
use super::patch::{Patch, token};
use super::{ALL_TRAFFIC, Road, Router, Sight, Turned};
use crate::pipeline::ServiceRouter;
use crate::rollout::{Effect, ObjectKind, ObjectRef, Seen};

fn live(road: &Road<'_>) -> ObjectRef {
    ObjectRef::new(ObjectKind::Service, road.namespace, road.service)
}

impl Router for ServiceRouter {
    fn looks_at(&self, _road: &Road<'_>) -> Vec<ObjectRef> {
        Vec::new()
    }

    fn creates(&self, _road: &Road<'_>) -> Vec<ObjectRef> {
        Vec::new()
    }

    fn problems(&self, _road: &Road<'_>, _seen: &Sight<'_>) -> Vec<String> {
        Vec::new()
    }

    fn original(&self, _road: &Road<'_>, _seen: &Sight<'_>) -> Option<Value> {
        None
    }

    fn turn(&self, road: &Road<'_>, seen: &Sight<'_>, share_bp: u16) -> Turned {
        let object = live(road);
        let found = match seen(&object) {
            Seen::Present(found) => found,
            // What is gone sends nobody to the candidate.
            Seen::Absent if share_bp == 0 => return Turned::Reached,
            Seen::Absent => return Turned::Foreign(format!("{object} is gone")),
            Seen::Unknown(why) => return Turned::Unseen(why),
        };
        let Some(apart) = road.apart else {
            return Turned::Reached;
        };
        let (wanted, value, other) = if share_bp >= ALL_TRAFFIC {
            (Side::Candidate, &apart.candidate, &apart.live)
        } else {
            (Side::Target, &apart.live, &apart.candidate)
        };
        match apart.side(&found.body) {
            Some(side) if side == wanted => Turned::Reached,
            Some(_) => {
                let path = format!("/spec/selector/{}", token(&apart.key));
                Turned::Write(vec![Effect::Patch {
                    object: found.guard(&object),
                    patch: Patch::of(&found.body)
                        .test(&path, &json!(other))
                        .replace(&path, &json!(value))
                        .build(),
                    detail: format!("{}={value}", apart.key),
                }])
            }
            // Nor does a selector of somebody else's.
            None if share_bp == 0 => Turned::Reached,
            None => Turned::Foreign(format!(
                "somebody else changed the selector of {object}: `{}` is neither `{}` nor `{}`",
                apart.key, apart.live, apart.candidate
            )),
        }
    }
}
