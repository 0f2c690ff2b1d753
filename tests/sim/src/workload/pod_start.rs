//! The kubelet starts a pod: what must be there before its containers run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::api::store::Key;
use crate::driver::PodStart;
use crate::image::{End, Scene};
use crate::json;
use crate::model::Model;
use crate::workload::pod::Stage;
use crate::workload::pod_run::is_of_a_job;
use crate::workload::queue::Work;
use crate::workload::react::is_dying;

impl Model {
    /// Tries to start a pod's containers: configuration, images, network.
    pub(crate) fn start_pod(&mut self, key: &Key) {
        let Some(object) = self.object(key) else {
            return;
        };
        let value = object.value();
        if is_dying(value) {
            return;
        }
        let environment = match self.environment(key, value) {
            Ok(environment) => environment,
            Err(missing) => return self.try_again(key, Stage::Unconfigured { missing }),
        };
        let mut scene = scene(key, value, environment);
        scene.files = self.files(key, value);
        let mut image_ids = Vec::new();
        let mut startup = Duration::ZERO;
        let mut run = None;
        let mut version = String::new();
        for container in json::list(value, "/spec/containers") {
            let image = json::text(container, "/image");
            let Some((image_id, behaviour)) = self.images.pull(image) else {
                return self.try_again(key, no_image(image));
            };
            if image_ids.is_empty() {
                version.clone_from(&behaviour.version);
                run = is_of_a_job(value).then(|| behaviour.run_in(&scene));
                if run.as_ref().is_some_and(|run| run.end == End::CannotPull) {
                    return self.try_again(key, no_image(image));
                }
            }
            image_ids.push(image_id);
            startup = startup.max(behaviour.startup);
        }
        let address = match self.pods.get(key).and_then(|runtime| runtime.address) {
            Some(address) => {
                self.network.crashed(address, false);
                address
            }
            None => {
                let start = PodStart {
                    name: key.name.clone(),
                    image_id: image_ids.first().cloned().unwrap_or_default(),
                    ports: ports(value),
                    scene: scene.clone(),
                    images: self.images.clone(),
                };
                match self.network.start(start) {
                    Ok(address) => address,
                    Err(why) => {
                        self.problem(format!("pod {}/{}: {why}", key.namespace, key.name));
                        return self.try_again(key, Stage::Broken { why });
                    }
                }
            }
        };
        let now = Instant::now();
        if let Some(runtime) = self.pods.get_mut(key) {
            runtime.address = Some(address);
            runtime.image_ids = image_ids;
            runtime.started = Some(now);
            runtime.environment.clone_from(&scene.environment);
            runtime.previous_log = std::mem::take(&mut runtime.log);
        }
        if let Some(run) = run {
            return self.begin_run(key, run, scene);
        }
        self.print(key, &format!("{version} starts"));
        self.set_stage(
            key,
            Stage::Starting {
                ready_at: now + startup,
            },
        );
        self.queue_at(Work::Pod(key.clone()), now + startup);
    }

    fn try_again(&mut self, key: &Key, stage: Stage) {
        self.set_stage(key, stage);
        let again = Instant::now() + self.timing.pull_retry;
        self.queue_at(Work::Pod(key.clone()), again);
    }
}

fn no_image(image: &str) -> Stage {
    Stage::NoImage {
        image: image.to_owned(),
    }
}

/// What a request or a run meets in a pod, before its time and its files.
pub(super) fn scene(key: &Key, value: &Value, environment: BTreeMap<String, String>) -> Scene {
    let arguments = ["command", "args"]
        .iter()
        .flat_map(|words| json::list(value, &format!("/spec/containers/0/{words}")))
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    Scene {
        namespace: key.namespace.clone(),
        pod: key.name.clone(),
        environment,
        arguments,
        files: BTreeMap::new(),
        ready_for: Duration::ZERO,
    }
}

/// The TCP ports of all containers; 8080 where none is named.
fn ports(value: &Value) -> Vec<u16> {
    let mut ports: Vec<u16> = json::list(value, "/spec/containers")
        .iter()
        .flat_map(|container| json::list(container, "/ports"))
        .filter_map(|port| u16::try_from(json::int(port, "/containerPort")?).ok())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        ports.push(8080);
    }
    ports
}
