//! The two drivers of the one model: where pods live and how traffic reaches them.

pub(crate) mod fast;
pub(crate) mod real;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::image::{Images, Scene};

/// A container that is to run.
#[derive(Clone, Debug)]
pub(crate) struct PodStart {
    pub(crate) name: String,
    pub(crate) image_id: String,
    pub(crate) ports: Vec<u16>,
    pub(crate) scene: Scene,
    pub(crate) images: Images,
}

/// Where connections go: first one of the groups, by its weight, then one of its pods. A Service is one
/// group, a gateway has one for each Service.
pub(crate) type Groups = Vec<(u64, Vec<SocketAddrV4>)>;

/// The network of a cluster. Called under the cluster's lock: nothing may block.
pub(crate) trait Network: Send {
    /// Starts a pod and gives its address.
    fn start(&mut self, pod: PodStart) -> Result<Ipv4Addr, String>;

    /// The pod is ready.
    fn ready(&mut self, pod: Ipv4Addr);

    /// The pod's container has exited, or runs again: meanwhile nobody answers at its address.
    fn crashed(&mut self, pod: Ipv4Addr, crashed: bool);

    /// The pod is being deleted: it goes on answering, but keeps no connection.
    fn drain(&mut self, pod: Ipv4Addr);

    /// The pod ends.
    fn stop(&mut self, pod: Ipv4Addr);

    /// Gives a Service with these ports an address.
    fn publish(&mut self, ports: &[u16]) -> Result<Ipv4Addr, String>;

    /// Sets where each port of a Service leads. Answers with what could not be done.
    fn route(&mut self, service: Ipv4Addr, routes: BTreeMap<u16, Groups>) -> Vec<String>;

    /// The Service is gone.
    fn withdraw(&mut self, service: Ipv4Addr);

    /// The cluster ends: everything closes.
    fn shut_down(&mut self);
}
