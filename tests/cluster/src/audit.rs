//! What the API server wrote down about every request: who did what to which object.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::error::BedError;

/// One answered request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `ResponseComplete`; a watch has a `ResponseStarted` before; `Panic`.
    pub stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// The path and query.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// Who asked.
    pub user: AuditUser,
    /// In whose name, where it was not their own.
    #[serde(default)]
    pub impersonated_user: Option<AuditUser>,
    /// The program, as it calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// The object; absent for `/readyz` and its like.
    #[serde(default)]
    pub object_ref: Option<ObjectRef>,
    /// The answer.
    #[serde(default)]
    pub response_status: Option<ResponseStatus>,
    /// What was sent: for writes of workloads, Jobs, Services, routes and `sluice.dev`.
    #[serde(default)]
    pub request_object: Option<Value>,
    /// What came back: for the same.
    #[serde(default)]
    pub response_object: Option<Value>,
    /// When the request came.
    pub request_received_timestamp: Timestamp,
    /// When this stage was reached.
    pub stage_timestamp: Timestamp,
}

/// A user, as the API server knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditUser {
    /// The name.
    #[serde(default)]
    pub username: String,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// More about them: a service account's token names its pod.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// An object of the API. What does not apply is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectRef {
    /// The group; empty for the core's.
    pub api_group: String,
    /// The version of the group.
    pub api_version: String,
    /// The plural, such as `deployments`.
    pub resource: String,
    /// `status`, `scale`, `exec`, …
    pub subresource: String,
    /// The namespace.
    pub namespace: String,
    /// The name; empty for lists, and for objects that get theirs from the server.
    pub name: String,
    /// The uid, where the request has it.
    pub uid: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ResponseStatus {
    /// The HTTP status.
    #[serde(default)]
    pub code: u16,
    /// Why it was refused.
    #[serde(default)]
    pub message: Option<String>,
}

impl AuditEvent {
    /// The name of who asked.
    pub fn username(&self) -> &str {
        &self.user.username
    }

    /// The pod whose token was used, for a service account.
    pub fn pod(&self) -> Option<&str> {
        let names = self
            .user
            .extra
            .get("authentication.kubernetes.io/pod-name")?;
        names.first().map(String::as_str)
    }

    /// The HTTP status of the answer.
    pub fn code(&self) -> Option<u16> {
        self.response_status.as_ref().map(|status| status.code)
    }

    /// Whether it asked to change something: reads, reviews of access and tokens are none.
    pub fn is_write(&self) -> bool {
        let changes = matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        );
        let reviews = self.object_ref.as_ref().is_some_and(|object| {
            ["authentication.k8s.io", "authorization.k8s.io"].contains(&object.api_group.as_str())
        });
        changes && !reviews
    }

    /// Whether the object is of this resource, in this namespace, and has this name.
    pub fn is_about(&self, resource: &str, namespace: &str, name: &str) -> bool {
        self.object_ref.as_ref().is_some_and(|object| {
            object.resource == resource && object.namespace == namespace && object.name == name
        })
    }
}

/// The events of a log, oldest first. A last line that is still being written is left out.
pub(crate) fn events(
    path: &Path,
) -> Result<impl Iterator<Item = Result<AuditEvent, BedError>> + use<>, BedError> {
    let file = File::open(path).map_err(BedError::file("open", path))?;
    let mut lines = BufReader::new(file);
    let path = path.to_owned();
    Ok(std::iter::from_fn(move || {
        let mut line = String::new();
        match lines.read_line(&mut line) {
            Ok(_) if !line.ends_with('\n') => None,
            Ok(_) => Some(serde_json::from_str(&line).map_err(BedError::document("the audit log"))),
            Err(source) => Some(Err(BedError::file("read", &path)(source))),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LINE: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"x","stage":"ResponseComplete","requestURI":"/apis/apps/v1/namespaces/prod/deployments/checkout?fieldManager=sluice","verb":"patch","user":{"username":"system:serviceaccount:sluice:agent","groups":["system:authenticated"]},"sourceIPs":["10.231.0.2"],"userAgent":"sluice/0.1.0","objectRef":{"resource":"deployments","namespace":"prod","name":"checkout","apiGroup":"apps","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestObject":{"spec":{"replicas":2}},"requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z","stageTimestamp":"2026-01-02T03:04:05.020000Z"}"#;

    fn read(text: &str) -> Vec<AuditEvent> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, text).unwrap();
        events(&path).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_write_tells_who_did_what_to_what() {
        let found = read(&format!("{LINE}\n"));
        let event = &found[0];
        assert!(event.is_write());
        assert!(event.is_about("deployments", "prod", "checkout"));
        assert_eq!(event.code(), Some(200));
        assert_eq!(event.username(), "system:serviceaccount:sluice:agent");
        assert_eq!(
            event.request_object.as_ref().unwrap()["spec"]["replicas"],
            2
        );
    }

    #[test]
    fn a_line_that_is_being_written_is_left_out() {
        assert_eq!(read(&format!("{LINE}\n{}", &LINE[..100])).len(), 1);
        assert_eq!(read("").len(), 0);
    }

    #[test]
    fn a_request_without_an_object_is_read() {
        let line = r#"{"stage":"ResponseComplete","requestURI":"/readyz","verb":"get","user":{"username":"admin"},"requestReceivedTimestamp":"2026-01-02T03:04:05Z","stageTimestamp":"2026-01-02T03:04:05Z"}"#;
        let found = read(&format!("{line}\n"));
        assert!(!found[0].is_write());
        assert_eq!(found[0].object_ref, None);
    }
}
