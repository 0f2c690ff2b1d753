//! The containers of Jobs' pods: they end by themselves, with a code and a message.

use serde_json::Value;
use tokio::time::Instant;

use crate::api::store::Key;
use crate::image::{End, Run, Scene};
use crate::json;
use crate::model::Model;
use crate::runs::Ran;
use crate::workload::pod::{Exit, Stage};
use crate::workload::queue::Work;
use crate::workload::react::controller;

/// The most of a termination message that the kubelet keeps (`MaxContainerTerminationMessageLength`).
const MESSAGE: usize = 4096;

/// The most of a log that stands in for a missing termination message.
const MESSAGE_FROM_LOG: usize = 2048;

/// Whether a pod belongs to a Job.
pub(crate) fn is_of_a_job(pod: &Value) -> bool {
    controller(pod).is_some_and(|(kind, _, _)| kind == "Job")
}

impl Model {
    /// A Job's container starts.
    pub(crate) fn begin_run(&mut self, key: &Key, run: Run, scene: Scene) {
        let job = self
            .value(key)
            .and_then(controller)
            .map_or_else(String::new, |(_, name, _)| name.to_owned());
        let started = self.now();
        let now = Instant::now();
        let ends = match run.end {
            End::Exits(_) => Some(now + run.lasts),
            End::Hangs | End::CannotPull => None,
        };
        let Some(runtime) = self.pods.get_mut(key) else {
            return;
        };
        let number = self.runs.begin(Ran {
            namespace: key.namespace.clone(),
            job,
            pod: key.name.clone(),
            image_id: runtime.image_ids.first().cloned().unwrap_or_default(),
            environment: scene.environment,
            arguments: scene.arguments,
            started,
            ended: None,
            exit_code: None,
        });
        runtime.log.clone_from(&run.log);
        runtime.run = Some((run, number));
        self.set_stage(key, Stage::Running { ends });
        if let Some(at) = ends {
            self.queue_at(Work::Pod(key.clone()), at);
        }
    }

    /// A Job's container ends by itself.
    pub(crate) fn end_run(&mut self, key: &Key) {
        let Some((run, number)) = self.pods.get(key).and_then(|runtime| runtime.run.clone()) else {
            return;
        };
        let End::Exits(code) = run.end else { return };
        self.runs.end(number, self.clock.now(), Some(code));
        let restarts = self
            .value(key)
            .is_some_and(|pod| code != 0 && json::text(pod, "/spec/restartPolicy") == "OnFailure");
        let message = self.termination_message(key, &run, code);
        if restarts {
            self.crash(key, code, message);
            return;
        }
        let at = Instant::now();
        if let Some(runtime) = self.pods.get_mut(key) {
            runtime.exit = Some(Exit { code, message, at });
            if let Some(address) = runtime.address {
                self.network.stop(address);
            }
        }
        self.set_stage(key, Stage::Ended);
    }

    /// A Job's container is killed, if it still runs.
    pub(crate) fn kill_run(&mut self, key: &Key) {
        if let Some((_, number)) = self.pods.get(key).and_then(|runtime| runtime.run.as_ref()) {
            self.runs.end(*number, self.clock.now(), None);
        }
    }

    /// What the container left, or the end of its log where it failed and its policy says so.
    fn termination_message(&self, key: &Key, run: &Run, code: i32) -> String {
        let policy = self.value(key).map_or("", |pod| {
            json::text(pod, "/spec/containers/0/terminationMessagePolicy")
        });
        if run.message.is_empty() && code != 0 && policy == "FallbackToLogsOnError" {
            let log: String = run
                .log
                .iter()
                .flat_map(|line| [line.as_str(), "\n"])
                .collect();
            let from = log.ceil_char_boundary(log.len().saturating_sub(MESSAGE_FROM_LOG));
            return log.get(from..).unwrap_or_default().to_owned();
        }
        let end = run.message.floor_char_boundary(MESSAGE);
        run.message.get(..end).unwrap_or_default().to_owned()
    }
}
