//! Requests to pods and Services of the fast driver, without sockets.

use std::net::Ipv4Addr;
use std::time::Duration;

use rand::RngExt;

use crate::cluster::Cluster;
use crate::image::Answer;

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
}
