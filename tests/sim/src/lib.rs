//! A Kubernetes cluster in one process, for tests and for the demo.
//!
//! One model: an API server (objects, versions, watches, patches, admission) and what the
//! controllers, kubelets and gateways of a real cluster (1.36) do with Deployments, StatefulSets,
//! DaemonSets, Jobs, Services, HTTPRoutes, Ingresses and pods. Two drivers:
//! *fast* keeps pods in memory under tokio's paused clock, so that thousands of runs take seconds
//! and a seed replays each; *real* runs every pod as an HTTP server on loopback, on the wall clock.
//! The program under test reaches it through an ordinary [`kube::Client`], without a socket or over
//! HTTP with a kubeconfig, and cannot tell it from a cluster by what this crate simulates.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use serde_json::json;
//! use sluice_sim::{Behaviour, Cluster, Resource};
//!
//! let cluster = Cluster::fast(7);
//! cluster.images().set("shop/web", "sha256:aa", Behaviour::serving("v1"));
//! cluster.apply(json!({
//!     "apiVersion": "apps/v1",
//!     "kind": "Deployment",
//!     "metadata": { "name": "web", "namespace": "shop" },
//!     "spec": {
//!         "replicas": 3,
//!         "selector": { "matchLabels": { "app": "web" } },
//!         "template": {
//!             "metadata": { "labels": { "app": "web" } },
//!             "spec": { "containers": [{ "name": "web", "image": "shop/web@sha256:aa" }] },
//!         },
//!     },
//! }))?;
//! tokio::time::sleep(std::time::Duration::from_secs(5)).await;
//! let web = cluster.object(Resource::Deployments, "shop", "web").ok_or("gone")?;
//! assert_eq!(web["status"]["availableReplicas"], 3);
//! # Ok(())
//! # }
//! ```

mod api;
mod client;
mod clock;
mod cluster;
mod door;
mod driver;
mod fault;
mod identity;
mod image;
mod json;
mod model;
mod runs;
mod server;
mod timeline;
mod timing;
mod workload;
mod writes;

pub use crate::api::resource::Resource;
pub use crate::client::AgentClient;
pub use crate::clock::SimClock;
pub use crate::cluster::{ADMIN, AGENT, Builder, Cluster, Shares, SimError, Stored};
pub use crate::fault::{Fault, Faults};
pub use crate::identity::{Denial, User};
pub use crate::image::{Answer, Behaviour, Images, Readiness, Rule, Run};
pub use crate::runs::Ran;
pub use crate::timeline::{Happened, Moment, Observer, Sample, Standing, Weights};
pub use crate::timing::Timing;
pub use crate::writes::{Summary, WriteRecord};
