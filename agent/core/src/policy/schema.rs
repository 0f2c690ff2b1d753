//! The JSON Schema of the policy file, for editors. The reader is stricter: it also checks what
//! spans several parts.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::decode::{API_VERSION, KIND};
use super::{
    ApprovalPolicy, BreakGlassPolicy, Caller, CheckPolicy, DenyRule, DrillPolicy,
    EnvironmentPolicy, GlobalLimits, ImagePolicy, Limits, Newer, PersonEntry, PolicyTest, Role,
    RollbackPolicy, Signer, SkipCanaryPolicy, StrategyPolicy, TriggerKind,
};
use crate::authorize::Action;
use crate::window::WindowRule;

/// The JSON Schema of `policy.yaml`.
pub fn schema() -> Value {
    let mut value = schemars::schema_for!(PolicyFile).to_value();
    let version = value.pointer_mut("/properties/apiVersion");
    set(version, "const", API_VERSION.into());
    set(value.pointer_mut("/properties/kind"), "const", KIND.into());
    // One pattern is the usual case, and the reader takes it without a list.
    if let Some(tags) = value.pointer_mut("/$defs/ImagePolicy/properties/tags") {
        let list = tags.take();
        *tags = serde_json::json!({
            "description": list.get("description"),
            "anyOf": [{"$ref": "#/$defs/TagGlob"}, list],
        });
    }
    value
}

fn set(object: Option<&mut Value>, key: &str, value: Value) {
    if let Some(Value::Object(map)) = object {
        map.insert(key.to_owned(), value);
    }
}

/// The policy file of Sluice: what is not allowed here does not happen.
#[derive(JsonSchema)]
#[schemars(title = "Policy", rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "never built: the reader makes a Policy, this describes the file"
)]
struct PolicyFile {
    /// Version of this format.
    api_version: String,
    /// `Policy`.
    kind: String,
    /// Who holds which role.
    #[serde(default)]
    roles: BTreeMap<String, Role>,
    /// One person, however they come in.
    #[serde(default)]
    people: Vec<PersonEntry>,
    /// Whose signatures count.
    #[serde(default)]
    signers: BTreeMap<String, Signer>,
    /// Machines that may propose a version by a hook.
    #[serde(default)]
    callers: BTreeMap<String, Caller>,
    /// Roles that may stop everything and start it again.
    #[serde(default)]
    permissions: Option<GlobalPermissions>,
    /// What holds over all environments.
    #[serde(default)]
    limits: GlobalLimits,
    /// What each environment allows.
    environments: BTreeMap<String, EnvironmentPolicy>,
    /// Sections that environments take where they have none of their own. Freezes always hold.
    #[serde(default)]
    defaults: Option<Sections>,
    /// The policy's own tests.
    #[serde(default)]
    tests: Vec<PolicyTest>,
}

/// Every section of an environment but `targets`, `after` and `namespaces`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "never built: it describes the file")]
pub(super) struct Sections {
    triggers: Option<Vec<TriggerKind>>,
    images: Option<ImagePolicy>,
    approvals: Option<ApprovalPolicy>,
    windows: Option<Vec<WindowRule>>,
    strategy: Option<StrategyPolicy>,
    checks: Option<CheckPolicy>,
    limits: Option<Limits>,
    newer: Option<Newer>,
    skip_canary: Option<SkipCanaryPolicy>,
    break_glass: Option<BreakGlassPolicy>,
    drills: Option<DrillPolicy>,
    rollback: Option<RollbackPolicy>,
    rules: Option<Vec<DenyRule>>,
    permissions: Option<Permissions>,
}

/// Keys of an environment's `permissions`, which are fewer than the actions: votes follow
/// `approvals`.
pub(super) struct Permissions;

/// Keys of the file's own `permissions`.
struct GlobalPermissions;

impl JsonSchema for Permissions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Permissions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        roles_by_action(&super::decode::sections::PERMISSION_ACTIONS)
    }
}

impl JsonSchema for GlobalPermissions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GlobalPermissions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        roles_by_action(&super::decode::sections::GLOBAL_ACTIONS)
    }
}

fn roles_by_action(actions: &[Action]) -> Schema {
    let roles = serde_json::json!({
        "type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string"}
    });
    let properties: serde_json::Map<String, Value> = actions
        .iter()
        .map(|action| (action.as_str().to_owned(), roles.clone()))
        .collect();
    json_schema!({
        "type": "object",
        "description": "Roles that may act, where the default is not wanted.",
        "properties": properties,
        "additionalProperties": false
    })
}
