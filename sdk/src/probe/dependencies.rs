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

/// Most names in an account of what a page has.
const MAX_KNOWN: usize = 10;

/// The parts of a readiness page that do not work, each with what the page says about it.
#[must_use]
pub fn not_ready(page: &Value) -> Option<String> {
    let mut bad: Vec<String> = parts(page)
        .into_iter()
        .filter_map(|(name, part)| {
            let told = state(part)?.err()?;
            Some(format!("{} ({told})", excerpt(name, MAX_CHARS)))
        })
        .collect();
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

/// What a readiness page says about one part, as `Ok` where that means that it works.
///
/// # Errors
/// It does not work, in the page's words, or the page does not tell.
pub fn of(page: &Value, name: &str) -> Result<String, String> {
    let all = parts(page);
    let Some((_, part)) = all.iter().find(|(known, _)| *known == name) else {
        let known: Vec<String> = all
            .iter()
            .take(MAX_KNOWN)
            .map(|(known, _)| excerpt(known, MAX_CHARS))
            .collect();
        return Err(match known.as_slice() {
            [] => format!("the page tells nothing about {}", PLACES.join(", ")),
            known => format!("the page does not name it, only {}", known.join(", ")),
        });
    };
    state(part).unwrap_or_else(|| Err("the page names it without a state".into()))
}

/// The parts that a page names.
fn parts(page: &Value) -> Vec<(&str, &Value)> {
    match PLACES.iter().find_map(|place| page.get(place)) {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, part)| (name.as_str(), part))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|part| Some((part.get("name").and_then(Value::as_str)?, part)))
            .collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            Vec::new()
        }
    }
}

/// Whether a part works, in the page's words. None: it does not say.
fn state(part: &Value) -> Option<Result<String, String>> {
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
        return Some(Ok(word));
    }
    let why = ["error", "message", "reason"]
        .iter()
        .find_map(|key| field(key)?.as_str());
    let told = match why {
        Some(why) => format!("{word}: {why}"),
        None => word,
    };
    Some(Err(excerpt(&told, MAX_CHARS)))
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
    fn one_part_is_found_by_name_and_silence_is_no_good_sign() {
        let page = json!({"dependencies": {"db": {"status": "UP"}, "cache": "down", "odd": {}}});
        assert_eq!(of(&page, "db"), Ok("UP".into()));
        assert_eq!(of(&page, "cache"), Err("down".into()));
        assert_eq!(
            of(&page, "odd"),
            Err("the page names it without a state".into())
        );
        assert_eq!(
            of(&page, "queue"),
            Err("the page does not name it, only cache, db, odd".into())
        );
        assert!(of(&json!({"status": "ready"}), "db").is_err());
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
