//! The log of write requests: what was asked, by whom, and what came of it. Oracles read it.

mod summary;

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::resource::Resource;
pub use crate::writes::summary::Summary;

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
    /// The workload, Job, Service or route as it stood before.
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
