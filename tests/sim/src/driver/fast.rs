//! Pods in memory: addresses are names, nothing is opened. For the virtual clock.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::driver::{Groups, Network, PodStart};

/// Hands out addresses of 10.0.0.0/8.
#[derive(Debug, Default)]
pub(crate) struct FastNetwork {
    pods: u16,
    services: u16,
}

impl Network for FastNetwork {
    fn start(&mut self, _: PodStart) -> Result<Ipv4Addr, String> {
        self.pods = self.pods.wrapping_add(1);
        let [high, low] = self.pods.to_be_bytes();
        Ok(Ipv4Addr::new(10, 1, high, low))
    }

    fn ready(&mut self, _: Ipv4Addr) {}

    fn crashed(&mut self, _: Ipv4Addr, _: bool) {}

    fn drain(&mut self, _: Ipv4Addr) {}

    fn stop(&mut self, _: Ipv4Addr) {}

    fn publish(&mut self, _: &[u16]) -> Result<Ipv4Addr, String> {
        self.services = self.services.wrapping_add(1);
        let [high, low] = self.services.to_be_bytes();
        Ok(Ipv4Addr::new(10, 96, high, low))
    }

    fn route(&mut self, _: Ipv4Addr, _: BTreeMap<u16, Groups>) -> Vec<String> {
        Vec::new()
    }

    fn withdraw(&mut self, _: Ipv4Addr) {}

    fn shut_down(&mut self) {}
}
