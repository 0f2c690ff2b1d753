//! Harm that a test does to what already runs.

use crate::api::store::Key;
use crate::cluster::Cluster;
use crate::workload::pod::Stage;

impl Cluster {
    /// Lets the probes of all ready pods of a namespace fail from now on whose first container runs
    /// this digest, and says how many there were. New pods of the image are not concerned.
    pub fn fail_probes(&self, namespace: &str, digest: &str) -> usize {
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
            model.set_stage(key, Stage::Unready);
        }
        drop(model);
        self.server.wake.notify_one();
        concerned.len()
    }
}
