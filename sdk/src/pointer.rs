//! Places in a JSON document.

use serde_json::Value;

/// Finds a value by JSON pointer (RFC 6901, begins with `/`), by a path such as `$.items[0].name`
/// (begins with `$`; keys and indices alone), or by the name of a key at the top.
#[must_use]
pub fn find<'v>(document: &'v Value, place: &str) -> Option<&'v Value> {
    if let Some(path) = place.strip_prefix('$') {
        return along(document, path);
    }
    if place.is_empty() || place.starts_with('/') {
        document.pointer(place)
    } else {
        document.get(place)
    }
}

/// One step after the other: `.key` or `[index]`.
fn along<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    let mut value = document;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(index) = rest.strip_prefix('[') {
            let (index, after) = index.split_once(']')?;
            value = value.get(index.parse::<usize>().ok()?)?;
            rest = after;
        } else {
            let key = rest.strip_prefix('.')?;
            let end = key.find(['.', '[']).unwrap_or(key.len());
            let (key, after) = key.split_at(end);
            value = value.get(key)?;
            rest = after;
        }
    }
    Some(value)
}

/// One more step of a pointer.
pub(crate) fn push(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_and_a_pointer_find_the_same_value() {
        let document = json!({"status": "ok", "a": {"b": [1, 2]}, "x/y": 3});
        assert_eq!(find(&document, "status"), Some(&json!("ok")));
        assert_eq!(find(&document, "/status"), Some(&json!("ok")));
        assert_eq!(find(&document, "/a/b/1"), Some(&json!(2)));
        assert_eq!(find(&document, "x/y"), Some(&json!(3)));
        assert_eq!(find(&document, "/x~1y"), Some(&json!(3)));
        assert_eq!(find(&document, "a/b"), None);
        assert_eq!(find(&document, "$.a.b[1]"), Some(&json!(2)));
        assert_eq!(find(&document, "$"), Some(&document));
        for nowhere in [
            "$.a.b[2]", "$.a.b[x]", "$.a.b[1", "$a", "$.a..b", "$.", "$.a.b.1",
        ] {
            assert_eq!(find(&document, nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn steps_are_escaped() {
        let mut pointer = String::new();
        push(&mut pointer, "a/b~c");
        assert_eq!(pointer, "/a~1b~0c");
        assert_eq!(find(&json!({"a/b~c": true}), &pointer), Some(&json!(true)));
    }
}
