//! From the raw bytes of a callback to one JSON document, within bounds.

use serde_json::Value;

use super::CallbackRefused;
use super::grant::CallbackBody;

/// Deepest nesting. A message with buttons has about ten levels.
const MAX_DEPTH: usize = 40;

/// Reads the document out of the granted form.
pub(super) fn read(form: &CallbackBody, raw_body: &[u8]) -> Result<Value, CallbackRefused> {
    let field;
    let text: &[u8] = match form {
        CallbackBody::Json => raw_body,
        CallbackBody::Form(name) => {
            let mut found = url::form_urlencoded::parse(raw_body).filter(|(key, _)| key == name);
            field = match (found.next(), found.next()) {
                (Some((_, value)), None) => value.into_owned(),
                (None, _) => {
                    return Err(refused(format!(
                        "the body is no form with a field `{name}`"
                    )));
                }
                (Some(_), Some(_)) => {
                    return Err(refused(format!("the form has its field `{name}` twice")));
                }
            };
            field.as_bytes()
        }
    };
    if depth(text) > MAX_DEPTH {
        return Err(refused(format!(
            "the JSON document is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    let document: Value =
        serde_json::from_slice(text).map_err(|_| refused("the body is no JSON document"))?;
    match document {
        Value::Object(_) => Ok(document),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(refused("the JSON document is no object"))
        }
    }
}

fn refused(sentence: impl Into<String>) -> CallbackRefused {
    CallbackRefused::new(400, sentence)
}

/// The deepest nesting of a text, before anything is built from it.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> CallbackBody {
        CallbackBody::Form("payload".to_owned())
    }

    #[test]
    fn json_stands_in_the_body_or_in_one_field_of_a_form() {
        assert_eq!(
            read(&CallbackBody::Json, br#"{"a": "[[[{{{\"["}"#),
            Ok(json!({"a": "[[[{{{\"["}))
        );
        assert_eq!(
            read(&form(), b"other=1&payload=%7B%22a%22%3A+%22b%22%7D"),
            Ok(json!({"a": "b"}))
        );
    }

    #[test]
    fn anything_else_is_refused_without_being_built() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        let deeper_than_any_stack = "[".repeat(200_000);
        let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        let bodies: [&[u8]; 7] = [
            b"",
            b"{",
            b"[1]",
            b"\"text\"",
            &gzip,
            deep.as_bytes(),
            deeper_than_any_stack.as_bytes(),
        ];
        for body in bodies {
            let refusal = read(&CallbackBody::Json, body).unwrap_err();
            assert_eq!(refusal.status, 400, "{refusal}");
        }
        for body in [
            &b"payload=%7B%7D&payload=%7B%7D"[..],
            b"payloads=%7B%7D",
            b"payload=x",
            b"\xff\xfe",
        ] {
            assert_eq!(read(&form(), body).unwrap_err().status, 400);
        }
        let nested = format!("{{\"a\":{}1{}}}", "[".repeat(39), "]".repeat(39));
        assert!(read(&CallbackBody::Json, nested.as_bytes()).is_ok());
    }
}
