//! Which dependency is to blame, as a readiness page tells it.

use crate::text::excerpt;
use serde_json::Value;

/// Where readiness pages put their parts.
const PLACES: [&str; 4] = ["dependencies", "checks", "components", "details"];
/// Words for "works".
const GOOD: [&str; 8] = [
    "ok",
    "up",
    "ready",
    "pass",
    "healthy",
    "connected",
    "true",
    "available",
];
/// Most parts in a message.
const MAX_NAMED: usize = 5;
/// Longest account of one part.
const MAX_CHARS: usize = 80;

/// The parts of a readiness page that do not work, each with what the page says about it.
#[must_use]
pub fn not_ready(page: &Value) -> Option<String> {
    let parts = PLACES.iter().find_map(|place| page.get(place))?;
    let mut bad: Vec<String> = match parts {
        Value::Object(map) => map
            .iter()
            .filter_map(|(name, part)| account(name, part))
            .collect(),
        Value::Array(list) => list
            .iter()
            .filter_map(|part| account(part.get("name").and_then(Value::as_str)?, part))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    if bad.is_empty() {
        return None;
    }
    let more = bad.len().saturating_sub(MAX_NAMED);
    bad.truncate(MAX_NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Some(format!("dependencies not ready: {}{more}", bad.join(", ")))
}

fn account(name: &str, part: &Value) -> Option<String> {
    let field = |key: &str| part.get(key);
    let state = match part {
        Value::Object(_) => ["status", "state", "healthy", "ready", "ok"]
            .iter()
            .find_map(|key| field(key))?,
        other => other,
    };
    let word = match state {
        Value::String(word) => word.clone(),
        other => other.to_string(),
    };
    if GOOD.contains(&word.to_ascii_lowercase().as_str()) {
        return None;
    }
    let why = ["error", "message", "reason"]
        .iter()
        .find_map(|key| field(key)?.as_str());
    let told = match why {
        Some(why) => format!("{word}: {why}"),
        None => word,
    };
    Some(format!(
        "{} ({})",
        excerpt(name, MAX_CHARS),
        excerpt(&told, MAX_CHARS)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn broken_parts_are_named_in_every_usual_form() {
        let pages = [
            json!({"dependencies": {"db": "ok", "cache": "down"}}),
            json!({"checks": {"db": true, "cache": "down"}}),
            json!({"components": {"db": {"status": "UP"}, "cache": {"status": "down"}}}),
            json!({"dependencies": [{"name": "db", "status": "ready"}, {"name": "cache", "state": "down"}]}),
        ];
        for page in pages {
            let told = not_ready(&page);
            assert_eq!(
                told.as_deref(),
                Some("dependencies not ready: cache (down)"),
                "{page}"
            );
        }
    }

    #[test]
    fn the_reason_is_told_and_all_of_it_is_bounded() {
        let page =
            json!({"dependencies": {"db": {"status": "down", "error": "no route\nto host"}}});
        assert_eq!(
            not_ready(&page).as_deref(),
            Some("dependencies not ready: db (down: no route to host)")
        );
        let many: serde_json::Map<String, Value> = (0..9)
            .map(|i| (format!("d{i}"), json!("x".repeat(500))))
            .collect();
        let told = not_ready(&json!({"dependencies": many})).unwrap();
        assert!(
            told.ends_with(" and 4 more") && told.chars().count() < 600,
            "{told}"
        );
    }

    #[test]
    fn nothing_is_blamed_without_evidence() {
        for page in [
            json!({"status": "starting"}),
            json!({"dependencies": {"db": "ok"}}),
            json!([]),
        ] {
            assert_eq!(not_ready(&page), None, "{page}");
        }
    }
}
