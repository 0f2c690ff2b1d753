//! Requests to pods, Services and gateways: without sockets on the fast driver, and the addresses for
//! those that have some.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::RngExt;

use crate::cluster::{Cluster, SimError};
use crate::image::Answer;
use crate::workload::front::Entrance;

impl Cluster {
    /// Asks the pod at an address, as an HTTP GET would. Nothing: connection refused.
    pub async fn ask_pod(&self, address: &str, path: &str) -> Option<Answer> {
        let address: Ipv4Addr = address.parse().ok()?;
        let (image_id, scene) = self.server.lock().pod_at(address)?;
        let behaviour = self.images().behaviour(&image_id)?;
        let answer = behaviour.answer(path, &scene);
        if answer.latency > Duration::ZERO {
            tokio::time::sleep(answer.latency).await;
        }
        Some(answer)
    }

    /// Asks a Service by name: one of its ready pods, drawn from the seed, answers.
    pub async fn ask_service(&self, namespace: &str, service: &str, path: &str) -> Option<Answer> {
        let address = {
            let mut model = self.server.lock();
            let addresses = model.ready_addresses(namespace, service);
            let index = model.random.random_range(0..addresses.len().max(1));
            addresses.get(index)?.clone()
        };
        self.ask_pod(&address, path).await
    }

    /// Asks through an HTTPRoute: one of the rule's Services, drawn by weight as the gateway has it. `rule` is its name or
    /// its index; empty is the first. Nothing: no ready pod behind the Service that was drawn.
    pub async fn ask_route(
        &self,
        namespace: &str,
        route: &str,
        rule: &str,
        path: &str,
    ) -> Option<Answer> {
        let served = self
            .server
            .lock()
            .timeline
            .served
            .route(namespace, route, rule);
        let weights = &served.last()?.weights;
        self.ask_weighted(namespace, weights, path).await
    }

    /// The address at which a gateway listens for a route's rule, by its name or its index; empty is
    /// the first. On the real driver it takes connections and shares them out by weight.
    pub fn route_front(
        &self,
        namespace: &str,
        route: &str,
        rule: &str,
    ) -> Result<SocketAddr, SimError> {
        let (route, rule) = (route.to_owned(), rule.to_owned());
        self.front(namespace, Entrance::Route { route, rule })
    }

    /// The address at which ingress-nginx listens for an Ingress and its canary.
    pub fn ingress_front(&self, namespace: &str, ingress: &str) -> Result<SocketAddr, SimError> {
        self.front(namespace, Entrance::Ingress(ingress.to_owned()))
    }

    fn front(&self, namespace: &str, entrance: Entrance) -> Result<SocketAddr, SimError> {
        let opened = self.server.lock().open_front(namespace, entrance);
        opened.map_err(SimError::Network)
    }

    /// Asks through an Ingress, whose ingress-nginx canary takes its share.
    pub async fn ask_ingress(&self, namespace: &str, ingress: &str, path: &str) -> Option<Answer> {
        let served = self
            .server
            .lock()
            .timeline
            .served
            .ingress(namespace, ingress);
        self.ask_weighted(namespace, &served.last()?.weights, path)
            .await
    }

    async fn ask_weighted(
        &self,
        namespace: &str,
        weights: &BTreeMap<String, i64>,
        path: &str,
    ) -> Option<Answer> {
        let total: i64 = weights.values().sum();
        let mut drawn = self.server.lock().random.random_range(0..total.max(1));
        let (service, _) = weights.iter().find(|(_, weight)| {
            drawn -= **weight;
            drawn < 0
        })?;
        self.ask_service(namespace, service, path).await
    }
}
