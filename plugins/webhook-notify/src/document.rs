//! An event as a JSON document. Nothing in it depends on when it is sent: a repetition has the same
//! bytes.

use serde_json::{Map, Value, json};
use sluice_sdk::{Client, Event, Severity};

use crate::settings::{Format, Settings};

/// The document that is sent.
pub(crate) fn of(
    client: &Client<'_>,
    settings: &Settings,
    event: &Event,
    reference: Option<&str>,
) -> String {
    let facts = facts(client, event, reference);
    let data = match &settings.template {
        Some(template) => filled(template, &facts),
        None => facts.clone(),
    };
    let document = match settings.format {
        Format::Json => data,
        Format::Cloudevents => envelope(settings, event, &facts, data),
    };
    document.to_string()
}

/// CloudEvents 1.0, structured mode. Its `time` is left out: an event has none that stays the same.
fn envelope(settings: &Settings, event: &Event, facts: &Value, data: Value) -> Value {
    let fact = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let source = settings.source.clone();
    json!({
        "specversion": "1.0",
        "id": event.id,
        "source": source.unwrap_or_else(|| format!("/sluice/{}", escaped(fact("cluster")))),
        "type": format!("{}{}", settings.type_prefix, event.kind),
        "subject": format!("{}/{}", fact("namespace"), fact("workload")),
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// Everything that a template can name, and what is sent without one.
fn facts(client: &Client<'_>, event: &Event, reference: Option<&str>) -> Value {
    let release = client.release();
    let workload = release.workload;
    let links: Vec<Value> = event
        .links
        .iter()
        .map(|(label, url)| json!({"label": label, "url": url}))
        .collect();
    json!({
        "id": event.id,
        "kind": event.kind,
        "severity": severity(event.severity),
        "title": event.title,
        "body": event.body,
        "links": links,
        "thread": reference,
        "release": release.id,
        "cluster": workload.cluster,
        "namespace": workload.namespace,
        "workload": workload.name,
        "workloadKind": workload.kind,
        "environment": client.attribute("environment"),
        "fromRevision": release.from_revision,
        "toRevision": release.to_revision,
        "images": release.images,
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// The template with every `{{name}}` replaced, in strings alone: a fact cannot become a key or
/// break out of its place. A string that is one placeholder becomes the fact itself, be it a list.
pub(crate) fn filled(template: &Value, facts: &Value) -> Value {
    match template {
        Value::String(text) => filled_text(text, facts),
        Value::Array(list) => list.iter().map(|item| filled(item, facts)).collect(),
        Value::Object(map) => {
            let filled = |(key, value): (&String, &Value)| (key.clone(), filled(value, facts));
            Value::Object(map.iter().map(filled).collect::<Map<_, _>>())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    }
}

fn filled_text(text: &str, facts: &Value) -> Value {
    let parts: Vec<Part<'_>> = parts(text);
    if let [Part::Name(name)] = parts.as_slice() {
        return facts.get(*name).cloned().unwrap_or_default();
    }
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Name(name) => match facts.get(name) {
                Some(Value::String(text)) => out.push_str(text),
                Some(Value::Null) | None => {}
                Some(other) => out.push_str(&other.to_string()),
            },
        }
    }
    Value::String(out)
}

/// The names that a template's strings mention.
pub(crate) fn names(template: &Value) -> Vec<&str> {
    match template {
        Value::String(text) => {
            let names = parts(text).into_iter().filter_map(|part| match part {
                Part::Name(name) => Some(name),
                Part::Text(_) => None,
            });
            names.collect()
        }
        Value::Array(list) => list.iter().flat_map(names).collect(),
        Value::Object(map) => map.values().flat_map(names).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

fn parts(mut rest: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    while let Some((text, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        parts.push(Part::Name(name.trim()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// As a part of a URI reference.
fn escaped(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    text.chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect()
}
