//! Addresses inside a cluster. Each cluster has a network namespace of its own without a way out, so
//! that all of them use the same addresses and none can meet the machine's.

use std::net::Ipv4Addr;

/// A network, with the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network(Ipv4Addr, u32);

/// The node itself.
pub(crate) const NODES: Network = Network(Ipv4Addr::new(10, 231, 0, 0), 24);
/// Pods with real containers.
pub(crate) const PODS: Network = Network(Ipv4Addr::new(10, 232, 0, 0), 20);
/// Services.
pub(crate) const SERVICES: Network = Network(Ipv4Addr::new(10, 233, 0, 0), 20);
/// Pods of fake nodes: nobody answers there.
pub(crate) const FAKE_PODS: Network = Network(Ipv4Addr::new(10, 234, 0, 0), 16);
/// A desk beside the node, and the node's end of its cable.
pub(crate) const DESKS: Network = Network(Ipv4Addr::new(10, 235, 0, 0), 30);

/// Where the API server listens.
pub(crate) const API_PORT: u16 = 6443;
/// Where the registry listens.
pub(crate) const REGISTRY_PORT: u16 = 5000;

impl Network {
    /// The address at this place.
    pub(crate) fn at(self, place: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0).saturating_add(place))
    }

    /// As `10.0.0.0/24`.
    pub(crate) fn cidr(self) -> String {
        format!("{}/{}", self.0, self.1)
    }

    /// An address with the network's prefix, as `10.0.0.2/24`.
    pub(crate) fn with_prefix(self, place: u32) -> String {
        format!("{}/{}", self.at(place), self.1)
    }

    #[cfg(test)]
    fn meets(self, other: Self) -> bool {
        let bits = self.1.min(other.1);
        (u32::from(self.0) ^ u32::from(other.0)) >> (32 - bits) == 0
    }
}

/// The node's address; the API server and the registry are there too.
pub(crate) fn node() -> Ipv4Addr {
    NODES.at(2)
}

/// The Service `kubernetes`: the first address, as the API server chooses it.
pub(crate) fn kubernetes_service() -> Ipv4Addr {
    SERVICES.at(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_networks_meet() {
        let all = [NODES, PODS, SERVICES, FAKE_PODS, DESKS];
        for (place, one) in all.iter().enumerate() {
            for other in &all[place + 1..] {
                assert!(!one.meets(*other), "{one:?} {other:?}");
            }
        }
        assert!(PODS.meets(Network(Ipv4Addr::new(10, 232, 3, 0), 24)));
    }

    #[test]
    fn addresses_are_inside_their_networks() {
        assert_eq!(node().to_string(), "10.231.0.2");
        assert_eq!(NODES.with_prefix(2), "10.231.0.2/24");
        assert_eq!(SERVICES.cidr(), "10.233.0.0/20");
        assert_eq!(kubernetes_service().to_string(), "10.233.0.1");
    }
}
