//! How a traffic share becomes cluster objects.
//!
//! A new mechanism is one file in this folder and one line in [`of`]. A router answers with the share
//! that it can achieve; the policy's limits are checked against that, not against the wish.
//!
//! ```text
//!            replicas                      service · httpRoute · ingressNginx
//!   Service ──► stable pods (9)      live Service ──► the target's pods, always
//!          └──► canary pods (1)      candidate Service ──► the candidate's pods
//! ```
//! Pods of a candidate stand behind the live Service under the replica router alone. Under the others
//! they carry another value for one label of the live Service's selector. Whatever happens to a Service
//! or a route while no agent runs (a human edit, a GitOps sync, a Service made anew), traffic finds
//! the target's own pods, and those are always there.

pub mod apart;
mod http_route;
mod ingress_nginx;
mod patch;
pub mod replicas;
mod service;
pub mod surge;

use serde_json::Value;

use crate::pipeline::RouterSpec;
use crate::rollout::{Effect, ObjectRef, ObjectSeen, Seen};

pub use apart::Apart;

/// A share in basis points: 10000 is all traffic.
pub const ALL_TRAFFIC: u16 = 10_000;

/// What a router knows of the Rollout that it works for.
#[derive(Clone, Copy, Debug)]
pub struct Road<'a> {
    /// Namespace of the target.
    pub namespace: &'a str,
    /// The live Service.
    pub service: &'a str,
    /// uid of the Rollout.
    pub rollout_uid: &'a str,
    /// The label that the candidate's pods have another value of, where it is known.
    pub apart: Option<&'a Apart>,
    /// What stood in the route before the first change, where the router keeps that.
    pub original: Option<&'a Value>,
    /// The share that was reached last, in basis points.
    pub reached_bp: u16,
    /// The owner of what is created: an `ownerReferences` entry.
    pub owner: &'a Value,
}

/// How far a route is from a share.
#[derive(Clone, Debug, PartialEq)]
pub enum Turned {
    /// These writes bring it there.
    Write(Vec<Effect>),
    /// It gives the candidate that share.
    Reached,
    /// Somebody else has written there, or something is missing: one sentence about it.
    Foreign(String),
    /// It cannot be seen.
    Unseen(String),
}

/// A mechanism that sends traffic to a candidate that stands apart.
pub trait Router {
    /// The objects that it looks at or writes, beside both Services.
    fn looks_at(&self, road: &Road<'_>) -> Vec<ObjectRef>;

    /// Those of them that it creates, and that go when the candidate goes.
    fn creates(&self, road: &Road<'_>) -> Vec<ObjectRef>;

    /// What stands against using it, all at once.
    fn problems(&self, road: &Road<'_>, seen: &Sight<'_>) -> Vec<String>;

    /// What has to be remembered before the first change, to be given back byte for byte.
    fn original(&self, road: &Road<'_>, seen: &Sight<'_>) -> Option<Value>;

    /// Next writes towards `share_bp` of the traffic at the candidate.
    fn turn(&self, road: &Road<'_>, seen: &Sight<'_>, share_bp: u16) -> Turned;
}

/// Looks up what was seen of an object.
pub type Sight<'a> = dyn Fn(&ObjectRef) -> Seen<ObjectSeen> + 'a;

/// The router that a Pipeline names; none for the replica router, which needs no object but the two
/// workloads ([`replicas`]).
pub fn of(spec: &RouterSpec) -> Option<&dyn Router> {
    match spec {
        RouterSpec::Replicas(_) => None,
        RouterSpec::Service(router) => Some(router),
        RouterSpec::HttpRoute(router) => Some(router),
        RouterSpec::IngressNginx(router) => Some(router),
    }
}

/// Writes basis points for people: `10 %`, `33.33 %`.
pub fn percent(bp: u16) -> String {
    let (whole, part) = (bp / 100, bp % 100);
    match part {
        0 => format!("{whole} %"),
        p if p % 10 == 0 => format!("{whole}.{} %", p / 10),
        p => format!("{whole}.{p:02} %"),
    }
}
