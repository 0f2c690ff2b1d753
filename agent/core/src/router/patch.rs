//! JSON patches (RFC 6902) that test what they replace.

use serde_json::{Value, json};

/// Builds one patch.
pub(super) struct Patch {
    operations: Vec<Value>,
}

impl Patch {
    /// For this object. The executor notes the leader's epoch among the annotations: where there are
    /// none yet, they are made.
    pub(super) fn of(body: &Value) -> Self {
        let mut operations = Vec::new();
        if body.pointer("/metadata/annotations").is_none() {
            operations.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
        }
        Self { operations }
    }

    /// Holds only if this is found there.
    pub(super) fn test(mut self, path: &str, value: &Value) -> Self {
        self.operations
            .push(json!({"op": "test", "path": path, "value": value}));
        self
    }

    /// Puts a value in place of another.
    pub(super) fn replace(mut self, path: &str, value: &Value) -> Self {
        self.operations
            .push(json!({"op": "replace", "path": path, "value": value}));
        self
    }

    /// Adds a field, or an entry of a list before the one that stands there.
    pub(super) fn add(mut self, path: &str, value: &Value) -> Self {
        self.operations
            .push(json!({"op": "add", "path": path, "value": value}));
        self
    }

    /// Takes something out.
    pub(super) fn remove(mut self, path: &str) -> Self {
        self.operations.push(json!({"op": "remove", "path": path}));
        self
    }

    /// The list of operations.
    pub(super) fn build(self) -> Value {
        Value::from(self.operations)
    }
}

/// A key as part of a JSON pointer (RFC 6901).
pub(super) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
