//! What kube-controller-manager and the kubelets do, as far as a delivery agent can see it.

pub(crate) mod collect;
pub(crate) mod configuration;
pub(crate) mod daemon_set;
pub(crate) mod deployment;
pub(crate) mod deployment_status;
pub(crate) mod endpoints;
pub(crate) mod front;
pub(crate) mod gateway;
pub(crate) mod job;
pub(crate) mod job_status;
pub(crate) mod member;
pub(crate) mod pod;
pub(crate) mod pod_run;
pub(crate) mod pod_start;
pub(crate) mod pod_status;
pub(crate) mod queue;
pub(crate) mod react;
pub(crate) mod replicaset;
pub(crate) mod revision;
pub(crate) mod rolling;
pub(crate) mod scaling;
pub(crate) mod stateful_set;
