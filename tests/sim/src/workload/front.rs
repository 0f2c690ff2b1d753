//! The addresses at which gateways listen, on the real driver for real connections.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::driver::Groups;
use crate::json;
use crate::model::Model;
use crate::timeline::WeightOf;

/// The port of every gateway.
const PORT: u16 = 8000;

/// What a gateway listens for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// A rule of a route.
    Route { route: String, rule: String },
    /// An Ingress, with its canary.
    Ingress(String),
}

/// A gateway that listens for one entrance.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    namespace: String,
    entrance: Entrance,
    address: Ipv4Addr,
}

impl Model {
    /// Opens a gateway, or finds the one that is open.
    pub(crate) fn open_front(
        &mut self,
        namespace: &str,
        entrance: Entrance,
    ) -> Result<SocketAddr, String> {
        let open = self
            .fronts
            .iter()
            .find(|front| front.namespace == namespace && front.entrance == entrance);
        let address = match open {
            Some(front) => front.address,
            None => {
                let address = self.network.publish(&[PORT])?;
                self.fronts.push(Front {
                    namespace: namespace.to_owned(),
                    entrance,
                    address,
                });
                self.sync_fronts(namespace);
                address
            }
        };
        Ok(SocketAddrV4::new(address, PORT).into())
    }

    /// Lets the gateways of a namespace send where weights and endpoints now say.
    pub(crate) fn sync_fronts(&mut self, namespace: &str) {
        let concerned: Vec<Front> = self
            .fronts
            .iter()
            .filter(|front| front.namespace == namespace)
            .cloned()
            .collect();
        for front in concerned {
            let served = &self.timeline.served;
            let samples = match &front.entrance {
                Entrance::Route { route, rule } => served.route(namespace, route, rule),
                Entrance::Ingress(name) => served.ingress(namespace, name),
            };
            let weights = samples.last().map(|last| last.weights.clone());
            let groups = self.groups(namespace, &weights.unwrap_or_default());
            let routes = BTreeMap::from([(PORT, groups)]);
            for problem in self.network.route(front.address, routes) {
                self.problem(format!("gateway of {:?}: {problem}", front.entrance));
            }
        }
    }

    fn groups(&self, namespace: &str, weights: &WeightOf) -> Groups {
        weights
            .iter()
            .filter_map(|(service, weight)| {
                let weight = u64::try_from(*weight).ok()?;
                Some((weight, self.ready_sockets(namespace, service)))
            })
            .collect()
    }

    /// The ready pods of a Service at its first port.
    fn ready_sockets(&self, namespace: &str, service: &str) -> Vec<SocketAddrV4> {
        self.slices(namespace, service)
            .flat_map(|slice| {
                let port = json::int(slice, "/ports/0/port");
                let port = port.and_then(|port| u16::try_from(port).ok());
                json::list(slice, "/endpoints")
                    .iter()
                    .filter(|endpoint| json::flag(endpoint, "/conditions/ready"))
                    .filter_map(move |endpoint| {
                        let address = json::text(endpoint, "/addresses/0").parse().ok()?;
                        Some(SocketAddrV4::new(address, port?))
                    })
            })
            .collect()
    }
}
