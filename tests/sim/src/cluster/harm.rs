//! Harm that a test does to what already runs.

use tokio::time::Instant;

use crate::api::store::Key;
use crate::cluster::Cluster;
use crate::model::Model;
use crate::workload::pod::{Exit, Stage};

impl Cluster {
    /// Lets the probes of all ready pods of a namespace fail from now on whose first container runs
    /// this digest, and says how many there were. New pods of the image are not concerned.
    pub fn fail_probes(&self, namespace: &str, digest: &str) -> usize {
        self.harm(namespace, digest, |model, key| {
            model.set_stage(key, Stage::Unready);
        })
    }

    /// Lets the containers of these pods exit and start again at once, with what the table of images
    /// says of their image now.
    pub fn restart_pods(&self, namespace: &str, digest: &str) -> usize {
        self.harm(namespace, digest, |model, key| {
            if let Some(runtime) = model.pods.get_mut(key) {
                runtime.restarts += 1;
                // As by SIGKILL.
                runtime.exit = Some(Exit {
                    code: 137,
                    message: String::new(),
                    at: Instant::now(),
                });
            }
            model.start_pod(key);
        })
    }

    fn harm(&self, namespace: &str, digest: &str, how: impl Fn(&mut Model, &Key)) -> usize {
        let mut model = self.server.lock();
        let concerned: Vec<Key> = model
            .pods
            .iter()
            .filter(|(key, runtime)| {
                let first = runtime.image_ids.first();
                key.namespace == namespace
                    && matches!(runtime.stage, Stage::Ready { .. })
                    && first.is_some_and(|image| image.ends_with(&format!("@{digest}")))
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in &concerned {
            how(&mut model, key);
        }
        drop(model);
        self.server.wake.notify_one();
        concerned.len()
    }
}
