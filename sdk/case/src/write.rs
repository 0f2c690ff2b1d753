//! Writes a case that was seen, for `sluice plugin test --record`.

use serde_json::{Map, Value};

/// What was seen of one exchange, as the case's `request` and `response`.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The fields of the request.
    pub request: Map<String, Value>,
    /// The fields of the response.
    pub response: Map<String, Value>,
}

/// The text of a case: `head` are its fields but exchanges and `expect`, in their order.
#[must_use]
pub fn toml_of(head: &[(&str, Value)], exchanges: &[Recorded], expect: &Value) -> String {
    let mut out = String::new();
    for (key, value) in head {
        if let Some(text) = toml_inline(value) {
            out += &format!("{key} = {text}\n");
        }
    }
    for exchange in exchanges {
        out += "\n[[exchange]]\n";
        for (key, fields) in [
            ("request", &exchange.request),
            ("response", &exchange.response),
        ] {
            if let Some(text) = toml_inline(&Value::Object(fields.clone())) {
                out += &format!("{key} = {text}\n");
            }
        }
    }
    out += "\n[expect]\n";
    for (key, value) in expect.as_object().into_iter().flatten() {
        if let Some(text) = toml_inline(value) {
            out += &format!("{} = {text}\n", name(key));
        }
    }
    out
}

/// A value on one line. Null has no form in TOML: it is left out.
#[must_use]
pub fn toml_inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        // JSON's escapes are TOML's; but TOML wants U+007F escaped too.
        Value::String(_) => value.to_string().replace('\u{7f}', "\\u007f"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(toml_inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .filter_map(|(key, value)| Some(format!("{} = {}", name(key), toml_inline(value)?)))
                .collect();
            if fields.is_empty() {
                "{}".into()
            } else {
                format!("{{ {} }}", fields.join(", "))
            }
        }
    })
}

fn name(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::from(key).to_string().replace('\u{7f}', "\\u007f")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Case;

    #[test]
    fn what_is_written_is_read_again() {
        let fields = |value: Value| value.as_object().cloned().unwrap();
        let settings = json!({"path": "/a \"b\"\u{7f}\n", "nothing": null, "we ird": [1, 2.5, {}]});
        let head = [("call", json!("run")), ("settings", settings)];
        let exchange = Recorded {
            request: fields(json!({"path": "/a", "headers": {"x": "${secret:token}"}})),
            response: fields(json!({"status": 200, "json": {"status": "ok"}})),
        };
        let expect = json!({"outcome": "pass", "checks": [{"name": "a"}]});
        let text = toml_of(&head, &[exchange], &expect);
        let case = Case::parse("x", &text).unwrap();
        assert_eq!(case.settings["path"], "/a \"b\"\u{7f}\n");
        assert_eq!(case.settings["we ird"], json!([1, 2.5, {}]));
        assert_eq!(case.exchanges[0].request.headers["x"], "${secret:token}");
        assert_eq!(case.expect, expect);
    }
}
