//! Pods as HTTP servers on loopback, Services as TCP proxies before them.

mod address;
mod pod;
mod proxy;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::driver::real::address::Addresses;
use crate::driver::real::pod::Pod;
use crate::driver::real::proxy::Proxy;
use crate::driver::{Groups, Network, PodStart};

/// The sockets of a cluster and the tasks behind them; all end with it.
pub(crate) struct RealNetwork {
    runtime: Handle,
    tasks: JoinSet<()>,
    addresses: Addresses,
    pods: BTreeMap<Ipv4Addr, Arc<Pod>>,
    services: BTreeMap<Ipv4Addr, BTreeMap<u16, Proxy>>,
}

impl RealNetwork {
    /// A network on addresses that no other cluster of this process uses. Fails where loopback
    /// has no addresses but 127.0.0.1.
    pub(crate) fn open(runtime: Handle) -> Result<Self, String> {
        let addresses = Addresses::claim()?;
        Ok(Self {
            runtime,
            tasks: JoinSet::new(),
            addresses,
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
        })
    }

    /// Forgets the tasks that have ended, so that a long life does not collect them.
    fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }
}

impl Network for RealNetwork {
    fn start(&mut self, start: PodStart) -> Result<Ipv4Addr, String> {
        self.reap();
        let _runtime = self.runtime.enter();
        let (address, listeners) = self.addresses.bind_pod(&start.ports)?;
        let pod = Pod::new(start);
        for listener in listeners {
            self.tasks
                .spawn_on(Arc::clone(&pod).serve(listener), &self.runtime);
        }
        self.pods.insert(address, pod);
        Ok(address)
    }

    fn ready(&mut self, pod: Ipv4Addr) {
        if let Some(pod) = self.pods.get(&pod) {
            pod.ready();
        }
    }

    fn crashed(&mut self, pod: Ipv4Addr, crashed: bool) {
        if let Some(pod) = self.pods.get(&pod) {
            pod.crashed(crashed);
        }
    }

    fn drain(&mut self, pod: Ipv4Addr) {
        if let Some(pod) = self.pods.get(&pod) {
            pod.drain();
        }
    }

    fn stop(&mut self, pod: Ipv4Addr) {
        if let Some(pod) = self.pods.remove(&pod) {
            pod.stop();
        }
    }

    fn publish(&mut self, ports: &[u16]) -> Result<Ipv4Addr, String> {
        self.reap();
        let _runtime = self.runtime.enter();
        let (address, listeners) = self.addresses.bind_service(ports)?;
        let proxies = ports
            .iter()
            .copied()
            .zip(listeners)
            .map(|(port, listener)| (port, Proxy::start(listener, &mut self.tasks, &self.runtime)));
        self.services.insert(address, proxies.collect());
        Ok(address)
    }

    fn route(&mut self, service: Ipv4Addr, routes: BTreeMap<u16, Groups>) -> Vec<String> {
        let Some(proxies) = self.services.get_mut(&service) else {
            return Vec::new();
        };
        proxies.retain(|port, _| routes.contains_key(port));
        let mut problems = Vec::new();
        for (port, backends) in routes {
            if let Some(proxy) = proxies.get(&port) {
                proxy.lead_to(backends);
                continue;
            }
            let _runtime = self.runtime.enter();
            match address::bind(service, port) {
                Ok(listener) => {
                    let proxy = Proxy::start(listener, &mut self.tasks, &self.runtime);
                    proxy.lead_to(backends);
                    proxies.insert(port, proxy);
                }
                Err(why) => problems.push(address::explain(service, port, &why)),
            }
        }
        problems
    }

    fn withdraw(&mut self, service: Ipv4Addr) {
        self.services.remove(&service);
    }

    fn shut_down(&mut self) {
        self.services.clear();
        self.pods.clear();
        self.tasks.abort_all();
    }
}
