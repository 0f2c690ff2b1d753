//! A plugin's settings: one serde type, checked at load and read at each call.

mod complaints;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

pub use complaints::{Complaints, is_name, step};

use crate::pointer;
use crate::{Error, Issue};

/// Settings of a plugin that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Shorthand for one complaint of a plugin's own `validate` function.
#[must_use]
pub fn issue(pointer: &str, message: &str, hint: &str) -> Issue {
    Issue {
        pointer: pointer.into(),
        message: message.into(),
        hint: (!hint.is_empty()).then(|| hint.into()),
    }
}

/// Reads settings. Nothing at all, or `null`, is the same as `{}`: a pipeline may leave settings
/// out.
///
/// # Errors
/// The first thing that does not fit, with its place.
pub fn read<S: DeserializeOwned>(text: &str) -> Result<S, Issue> {
    let text = match text.trim() {
        "" | "null" => "{}",
        given => given,
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let settings = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let at = place(error.path());
        let message = plain(&error.into_inner().to_string());
        Issue {
            hint: hint(&message),
            pointer: at,
            message,
        }
    })?;
    match reader.end() {
        Ok(()) => Ok(settings),
        Err(error) => Err(issue("", &format!("not one JSON document: {error}"), "")),
    }
}

/// All complaints about a settings document: serde's, and if it has none, the plugin's own.
pub fn check<S: DeserializeOwned>(text: &str, own: fn(&S) -> Vec<Issue>) -> Vec<Issue> {
    match read(text) {
        Ok(settings) => own(&settings),
        Err(issue) => vec![issue],
    }
}

/// Reads the settings of a call.
pub(crate) fn of_call<S: DeserializeOwned>(text: &str) -> Result<S, Error> {
    read(text).map_err(|issue| {
        let place = if issue.pointer.is_empty() {
            "settings".into()
        } else {
            format!("settings {}", issue.pointer)
        };
        Error::InvalidConfig(format!("{place}: {}", issue.message))
    })
}

fn place(path: &serde_path_to_error::Path) -> String {
    let mut at = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer::push(&mut at, &index.to_string()),
            Segment::Map { key } => pointer::push(&mut at, key),
            // Neither is a place in the document.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    at
}

/// serde_json ends its messages with a place in the text, which nobody wrote as it stands there:
/// the host made it from YAML.
fn plain(message: &str) -> String {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(head, _)| head)
        .into()
}

fn hint(message: &str) -> Option<String> {
    let name = message.split('`').nth(1)?;
    if message.starts_with("missing field") {
        Some(format!("add `{name}`"))
    } else if message.starts_with("unknown field") {
        Some(format!("remove `{name}`, or correct its spelling"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        items: Vec<Inner>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        size: u8,
    }

    fn complaint(text: &str) -> Issue {
        read::<Outer>(text).unwrap_err()
    }

    #[test]
    fn missing_settings_are_empty_settings() {
        for text in ["", " null ", "{}"] {
            assert_eq!(read::<Outer>(text), Ok(Outer { items: vec![] }));
        }
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        let issue = complaint(r#"{"items": [{"size": 1}, {"size": "big"}]}"#);
        assert_eq!(issue.pointer, "/items/1/size");
        assert_eq!(issue.message, "invalid type: string \"big\", expected u8");
        assert_eq!(issue.hint, None);
    }

    #[test]
    fn a_missing_field_comes_with_a_hint() {
        let issue = complaint(r#"{"items": [{}]}"#);
        assert_eq!(issue.pointer, "/items/0");
        assert_eq!(issue.message, "missing field `size`");
        assert_eq!(issue.hint.as_deref(), Some("add `size`"));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let issue = complaint(r#"{"items": [{"size": 1, "sise": 2}]}"#);
        assert_eq!(issue.pointer, "/items/0/sise");
        assert_eq!(issue.message, "unknown field `sise`, expected `size`");
        assert_eq!(
            issue.hint.as_deref(),
            Some("remove `sise`, or correct its spelling")
        );
    }

    #[test]
    fn text_after_the_document_is_refused() {
        assert_eq!(complaint("{} {}").pointer, "");
        assert!(complaint("{").message.contains("EOF"));
    }

    #[test]
    fn own_validation_runs_only_on_settings_that_can_be_read() {
        fn none_too_big(outer: &Outer) -> Vec<Issue> {
            outer
                .items
                .iter()
                .enumerate()
                .filter(|(_, item)| item.size > 9)
                .map(|(i, _)| issue(&format!("/items/{i}/size"), "too big", "at most 9"))
                .collect()
        }
        assert_eq!(check(r#"{"items": [{"size": 9}]}"#, none_too_big), vec![]);
        let issues = check(r#"{"items": [{"size": 10}, {"size": 11}]}"#, none_too_big);
        assert_eq!(issues.len(), 2);
        assert_eq!(issues[1].pointer, "/items/1/size");
        assert_eq!(check(r#"{"items": 3}"#, none_too_big).len(), 1);
    }

    #[test]
    fn a_call_with_bad_settings_is_a_configuration_error() {
        let error = of_call::<Outer>(r#"{"items": 3}"#).unwrap_err();
        let Error::InvalidConfig(text) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            text,
            "settings /items: invalid type: integer `3`, expected a sequence"
        );
    }
}
