//! The body of a webhook.

use serde_json::Value;

/// Where a body takes the time, in seconds since 1970.
pub(crate) const TIMESTAMP: &str = "{{timestamp}}";
/// Where a body takes an id that no other delivery has.
const ID: &str = "{{id}}";
/// Most of the call's own key in an id. Keys are shorter, and end with the pod.
const MAX_KEY_CHARS: usize = 200;

/// Text as it stands, anything else as JSON, with the time and the id put in.
pub(crate) fn body(template: &Value, seconds: u64, id: &str) -> String {
    let text = match template {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    text.replace(TIMESTAMP, &seconds.to_string())
        .replace(ID, id)
}

/// The id of one delivery. The call's key alone would be the same when a check is run again, and the
/// receiver would have it already. It can stand in JSON, XML or a form as it is.
pub(crate) fn id(call: &str, started: u64, webhook: usize, delivery: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let key: String = call.chars().map(plain).take(MAX_KEY_CHARS).collect();
    format!("{key}-{started}-{webhook}-{delivery}")
}
