//! The pen of the agent: every write goes through it, and carries the leader's epoch
//! (reliability.md F3). It does not know when a term ends; it asks the fence before each write.

use std::sync::Arc;

use kube::Client;
use serde_json::{Value, json};

use crate::fault::ClusterFault;

/// On every workload that Sluice writes: the epoch of the leader that wrote it last. The API server
/// refuses the write of an older one.
pub const EPOCH_ANNOTATION: &str = "sluice.dev/epoch";

/// Says whether this process may write, and with which epoch.
pub trait Fence: Send + Sync {
    /// The epoch while the term lasts.
    fn epoch(&self) -> Option<u64>;
}

/// A client that writes only while its process leads.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    fence: Option<Arc<dyn Fence>>,
}

impl Writer {
    /// Writes under a fence.
    pub fn fenced(client: Client, fence: Arc<dyn Fence>) -> Self {
        Self {
            client,
            fence: Some(fence),
        }
    }

    /// For an agent without a Lease: nobody else writes, and no epoch is noted.
    pub fn unfenced(client: Client) -> Self {
        Self {
            client,
            fence: None,
        }
    }

    /// For reading.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client, for a write of `object`, and the epoch that goes with it; 0 without a fence.
    ///
    /// # Errors
    /// The term of this process is over.
    pub(crate) fn pen(&self, object: &str) -> Result<(&Client, u64), ClusterFault> {
        match &self.fence {
            None => Ok((&self.client, 0)),
            Some(fence) => match fence.epoch() {
                Some(epoch) => Ok((&self.client, epoch)),
                None => Err(ClusterFault::Deposed {
                    object: object.to_owned(),
                }),
            },
        }
    }

    /// The epoch to note in an object that notes `found` now.
    ///
    /// # Errors
    /// A newer leader wrote the object: this one's term is over, whatever its clock says.
    pub fn epoch(&self, object: &str, found: u64) -> Result<u64, ClusterFault> {
        let (_, epoch) = self.pen(object)?;
        match epoch {
            // Without a Lease there is nothing to compare; the number there must not go down.
            0 => Ok(found),
            _ if found > epoch => Err(ClusterFault::Deposed {
                object: object.to_owned(),
            }),
            _ => Ok(epoch),
        }
    }
}

/// Puts the epoch among the annotations of an object or of a patch. Nothing without a fence.
pub(crate) fn annotate(object: &mut Value, epoch: u64) {
    if epoch == 0 {
        return;
    }
    let mut at = object;
    for key in ["metadata", "annotations"] {
        let Some(map) = at.as_object_mut() else {
            return;
        };
        at = map.entry(key).or_insert_with(|| json!({}));
    }
    if let Some(map) = at.as_object_mut() {
        map.insert(EPOCH_ANNOTATION.into(), json!(epoch.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_stands_among_the_annotations_that_are_there() {
        let mut patch = json!({"metadata": {"annotations": {"a": "b"}}, "spec": {}});
        annotate(&mut patch, 7);
        assert_eq!(
            patch,
            json!({"metadata": {"annotations": {"a": "b", EPOCH_ANNOTATION: "7"}}, "spec": {}})
        );
        let mut bare = json!({});
        annotate(&mut bare, 0);
        assert_eq!(bare, json!({}), "no Lease, no epoch");
    }
}
