//! The log of write requests: what was asked, by whom, and what came of it. Oracles read it.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::resource::Resource;
use crate::json;

/// One write request, carried out or refused.
#[derive(Clone, Debug)]
pub struct WriteRecord {
    /// Number of the record, from 1.
    pub seq: u64,
    /// The number that [`Faults`](crate::Faults) counts the write by, if it does.
    pub number: Option<u64>,
    /// When the request was carried out or refused.
    pub at: Timestamp,
    /// Who asked.
    pub user: String,
    /// Which client instance asked.
    pub instance: u64,
    /// `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// What kind of object.
    pub resource: Resource,
    /// `status` or `scale`; empty is the object itself.
    pub subresource: String,
    /// Namespace; empty for objects of the whole cluster.
    pub namespace: String,
    /// Name; of a create with `generateName` the name that was made.
    pub name: String,
    /// The body as it was sent.
    pub body: Value,
    /// The status code of the outcome, whether or not the client learned it.
    pub code: u16,
    /// The reason of a refusal.
    pub refusal: String,
    /// The resource version after the write; 0 when it was refused.
    pub version: u64,
    /// The workload or Service as it stood before.
    pub before: Option<Summary>,
    /// And after.
    pub after: Option<Summary>,
}

impl WriteRecord {
    /// Whether the API server carried the write out.
    pub fn accepted(&self) -> bool {
        self.code < 300
    }
}

/// What of an object decides over traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `spec.replicas`.
    pub replicas: Option<i64>,
    /// The images of the pod template's containers.
    pub images: Vec<String>,
    /// `spec.paused`.
    pub paused: bool,
    /// A Service's selector, as sorted `key=value`.
    pub selector: Vec<String>,
    /// A digest of the pod template, to see any change of it.
    pub template: String,
}

impl Summary {
    pub(crate) fn of(resource: Resource, object: &Value) -> Option<Self> {
        match resource {
            Resource::Deployments | Resource::ReplicaSets => {
                let containers = json::list(object, "/spec/template/spec/containers");
                let template = json::at(object, "/spec/template").unwrap_or(&Value::Null);
                let images = containers
                    .iter()
                    .map(|container| json::text(container, "/image"));
                Some(Self {
                    replicas: json::int(object, "/spec/replicas"),
                    images: images.map(str::to_owned).collect(),
                    paused: json::flag(object, "/spec/paused"),
                    selector: Vec::new(),
                    template: json::safe_name(&json::digest(template), 10),
                })
            }
            Resource::Services => {
                let mut selector: Vec<String> = json::entries(object, "/spec/selector")
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                selector.sort();
                Some(Self {
                    selector,
                    ..Self::default()
                })
            }
            _ => None,
        }
    }
}

/// Records that are kept.
const RECORDS: usize = 100_000;

/// Bytes of bodies that are kept, as JSON text: status updates of a long run are large.
const BYTES: usize = 64 << 20;

#[derive(Debug, Default)]
pub(crate) struct WriteLog {
    records: VecDeque<(WriteRecord, usize)>,
    bytes: usize,
    seq: u64,
}

impl WriteLog {
    /// Adds a record; `size` is the length of its body.
    pub(crate) fn push(&mut self, mut record: WriteRecord, size: usize) {
        self.seq += 1;
        record.seq = self.seq;
        self.bytes += size;
        self.records.push_back((record, size));
        while self.records.len() > RECORDS || self.bytes > BYTES {
            let Some((_, size)) = self.records.pop_front() else {
                break;
            };
            self.bytes -= size;
        }
    }

    pub(crate) fn after(&self, seq: u64) -> Vec<WriteRecord> {
        self.records
            .iter()
            .filter(|(record, _)| record.seq > seq)
            .map(|(record, _)| record.clone())
            .collect()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }
}
