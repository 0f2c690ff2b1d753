//! Label and field selectors.

use serde_json::Value;

use crate::json;

/// A label selector, from a query string or from an object's `matchLabels`/`matchExpressions`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    requirements: Vec<(String, Requirement)>,
}

#[derive(Clone, Debug)]
enum Requirement {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl Selector {
    /// Parses the query form: `a=b,c!=d,e in (x,y),f notin (z),g,!h`.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(query) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(parse_requirement(part)?);
        }
        Ok(Self { requirements })
    }

    /// Reads a `LabelSelector` object.
    pub(crate) fn from_object(selector: &Value) -> Self {
        let mut requirements: Vec<_> = json::entries(selector, "/matchLabels")
            .map(|(key, value)| (key.to_owned(), Requirement::In(vec![value.to_owned()])))
            .collect();
        for expression in json::list(selector, "/matchExpressions") {
            let values: Vec<String> = json::list(expression, "/values")
                .iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect();
            let requirement = match json::text(expression, "/operator") {
                "In" => Requirement::In(values),
                "NotIn" => Requirement::NotIn(values),
                "Exists" => Requirement::Exists,
                "DoesNotExist" => Requirement::Absent,
                // An unknown operator matches nothing: safer than matching all.
                _ => Requirement::In(Vec::new()),
            };
            requirements.push((json::text(expression, "/key").to_owned(), requirement));
        }
        Self { requirements }
    }

    /// Reads the plain map of a Service's `spec.selector`.
    pub(crate) fn from_map(map: &Value) -> Self {
        let requirements = json::entries(map, "")
            .map(|(key, value)| (key.to_owned(), Requirement::In(vec![value.to_owned()])))
            .collect();
        Self { requirements }
    }

    /// Whether nothing is required, so that everything matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object's labels satisfy every requirement.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.matches_labels(object, "/metadata/labels")
    }

    /// As [`Selector::matches`], with the labels at another place (a pod template's).
    pub(crate) fn matches_labels(&self, object: &Value, pointer: &str) -> bool {
        self.requirements.iter().all(|(key, requirement)| {
            let value = json::entry(object, pointer, key);
            match requirement {
                Requirement::In(values) => value.is_some_and(|v| values.iter().any(|x| x == v)),
                Requirement::NotIn(values) => !value.is_some_and(|v| values.iter().any(|x| x == v)),
                Requirement::Exists => value.is_some(),
                Requirement::Absent => value.is_none(),
            }
        })
    }
}

fn split_outside_parentheses(query: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    query
        .split(move |letter| {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            letter == ',' && depth == 0
        })
        .collect()
}

fn parse_requirement(part: &str) -> Result<(String, Requirement), String> {
    let own = |text: &str| text.trim().to_owned();
    if let Some(key) = part.strip_prefix('!') {
        return Ok((own(key), Requirement::Absent));
    }
    for (word, include) in [(" notin ", false), (" in ", true)] {
        if let Some((key, values)) = part.split_once(word) {
            let values = values
                .trim()
                .strip_prefix('(')
                .and_then(|rest| rest.strip_suffix(')'))
                .ok_or_else(|| format!("unable to parse requirement: {part}"))?;
            let values = values.split(',').map(own).collect();
            let requirement = if include {
                Requirement::In(values)
            } else {
                Requirement::NotIn(values)
            };
            return Ok((own(key), requirement));
        }
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok((own(key), Requirement::NotIn(vec![own(value)])));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok((own(key), Requirement::In(vec![own(value)])));
    }
    if part.contains(char::is_whitespace) {
        return Err(format!("unable to parse requirement: {part}"));
    }
    Ok((own(part), Requirement::Exists))
}

/// A field selector: dotted paths compared with strings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    terms: Vec<(String, bool, String)>,
}

impl Fields {
    /// Parses `metadata.name=x,metadata.namespace!=y`. Like the real server it refuses fields
    /// that it does not index.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in query
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) =
                part.split_once("==").or_else(|| part.split_once('='))
            {
                (path, true, value)
            } else {
                return Err(format!("invalid field selector: {part}"));
            };
            let known = matches!(
                path,
                "metadata.name" | "metadata.namespace" | "spec.nodeName" | "status.phase" | "type"
            ) || path.starts_with("involvedObject.")
                || path.starts_with("regarding.");
            if !known {
                return Err(format!("field label not supported: {path}"));
            }
            terms.push((
                format!("/{}", path.replace('.', "/")),
                equal,
                value.to_owned(),
            ));
        }
        Ok(Self { terms })
    }

    /// Whether an object satisfies every term.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.terms
            .iter()
            .all(|(path, equal, value)| (json::text(object, path) == value) == *equal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fields, Selector};

    #[test]
    fn label_selectors_follow_the_query_grammar() {
        let object = json!({ "metadata": { "labels": { "app": "web", "track": "canary" } } });
        for (query, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,track!=stable", true),
            ("app in (api, web),track", true),
            ("app notin (api,web)", false),
            ("!track", false),
            ("!missing", true),
            ("missing!=x", true),
            ("missing in (x)", false),
        ] {
            assert_eq!(
                Selector::parse(query).unwrap().matches(&object),
                expected,
                "{query}"
            );
        }
        assert!(Selector::parse("app in web").is_err());
    }

    #[test]
    fn field_selectors_know_their_fields() {
        let object = json!({ "metadata": { "name": "a", "namespace": "shop" } });
        assert!(Fields::parse("metadata.name=a").unwrap().matches(&object));
        assert!(
            !Fields::parse("metadata.namespace!=shop")
                .unwrap()
                .matches(&object)
        );
        assert!(Fields::parse("spec.replicas=1").is_err());
    }
}
