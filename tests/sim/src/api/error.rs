//! API errors in the words of the real API server, as `Status` objects.

use serde_json::{Value, json};

use crate::api::resource::Resource;

/// A refused request.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    /// What the real server keeps to itself; for the write log alone.
    untold: Option<String>,
}

impl ApiError {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self {
            code,
            reason,
            message,
            details: None,
            untold: None,
        }
    }

    fn about(mut self, resource: Resource, name: &str) -> Self {
        let info = resource.info();
        self.details = Some(json!({ "name": name, "group": info.group, "kind": info.plural }));
        self
    }

    pub(crate) fn not_found(resource: Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message).about(resource, name)
    }

    pub(crate) fn no_route() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource".to_owned(),
        )
    }

    pub(crate) fn already_exists(resource: Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    pub(crate) fn modified(resource: Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and \
             try again",
        )
    }

    pub(crate) fn conflict(resource: Resource, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified()
        );
        Self::new(409, "Conflict", message).about(resource, name)
    }

    /// Another field manager owns what a server-side apply would change.
    pub(crate) fn apply_conflict(manager: &str, fields: &[String]) -> Self {
        let causes: Vec<Value> = fields
            .iter()
            .map(|field| {
                json!({
                    "reason": "FieldManagerConflict",
                    "message": format!("conflict with \"{manager}\""),
                    "field": field,
                })
            })
            .collect();
        let message = format!(
            "Apply failed with {} conflict(s): conflicts with \"{manager}\": {}",
            fields.len(),
            fields.join(", ")
        );
        let mut error = Self::new(409, "Conflict", message);
        error.details = Some(json!({ "causes": causes }));
        error
    }

    pub(crate) fn invalid(resource: Resource, name: &str, field: &str, problem: &str) -> Self {
        let info = resource.info();
        let group = if info.group.is_empty() {
            String::new()
        } else {
            format!(".{}", info.group)
        };
        let message = format!(
            "{}{group} \"{name}\" is invalid: {field}: {problem}",
            info.kind
        );
        let mut error = Self::new(422, "Invalid", message);
        let reason = match problem.split(':').next().unwrap_or_default() {
            "Forbidden" => "FieldValueForbidden",
            "Required value" => "FieldValueRequired",
            _ => "FieldValueInvalid",
        };
        error.details = Some(json!({
            "name": name,
            "group": info.group,
            "kind": info.kind,
            "causes": [{ "reason": reason, "message": problem, "field": field }],
        }));
        error
    }

    /// A JSON patch that does not apply. The real server does not say why, or which test failed:
    /// `NewGenericServerResponse` drops its library's message.
    pub(crate) fn does_not_apply(why: String) -> Self {
        let message = "the server rejected our request due to an error in our request".to_owned();
        let mut error = Self::new(422, "Invalid", message);
        error.details = Some(json!({}));
        error.untold = Some(why);
        error
    }

    pub(crate) fn forbidden(resource: Resource, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized".to_owned())
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message.into())
    }

    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self::new(410, "Expired", message)
    }

    pub(crate) fn too_large() -> Self {
        let message = "Request entity too large: limit is 3145728".to_owned();
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// More operations in one JSON patch than the real server takes.
    pub(crate) fn too_many_operations(limit: usize, found: usize) -> Self {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {limit}, \
             got {found}"
        );
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// A strategic merge patch of a custom resource: there is no type to read it by.
    pub(crate) fn no_strategic_merge() -> Self {
        let message = "the body of the request was in an unknown format - accepted media types \
                       include: application/json-patch+json, application/merge-patch+json, \
                       application/apply-patch+yaml"
            .to_owned();
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn media_type(found: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format ({found}) - accepted media types \
             include: application/json-patch+json, application/merge-patch+json, \
             application/apply-patch+yaml, application/strategic-merge-patch+json"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self::new(405, "MethodNotAllowed", message)
    }

    pub(crate) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request".to_owned();
        Self::new(503, "ServiceUnavailable", message)
    }

    pub(crate) fn timeout() -> Self {
        let message = "Timeout: request did not complete within the allotted timeout".to_owned();
        Self::new(504, "Timeout", message)
    }

    /// The message, with what the client is not told: what a test wants to read.
    pub(crate) fn explained(&self) -> String {
        match &self.untold {
            Some(why) => format!("{} ({why})", self.message),
            None => self.message.clone(),
        }
    }

    /// The `Status` object that the client reads.
    pub(crate) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let (Some(details), Some(members)) = (&self.details, status.as_object_mut()) {
            members.insert("details".to_owned(), details.clone());
        }
        status
    }
}
