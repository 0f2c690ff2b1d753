//! `GET pods/NAME/log`: what a pod's container has printed.

use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::path::Query;
use crate::api::resource::Resource;
use crate::api::store::Key;
use crate::json;
use crate::model::Model;

/// What of a log is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogOptions {
    container: String,
    previous: bool,
    tail_lines: Option<i64>,
    limit_bytes: Option<i64>,
}

impl LogOptions {
    pub(crate) fn of(query: &Query) -> Self {
        let number = |name: &str| query.get(name).parse().ok();
        Self {
            container: query.get("container").to_owned(),
            previous: query.is_true("previous"),
            tail_lines: number("tailLines"),
            limit_bytes: number("limitBytes"),
        }
    }
}

impl Model {
    /// The log as text. A container that never ran has none: 400, as the kubelet answers.
    pub(crate) fn pod_log(&self, key: &Key, options: &LogOptions) -> Result<String, ApiError> {
        let value = self
            .value(key)
            .ok_or_else(|| ApiError::not_found(Resource::Pods, &key.name))?;
        check(key, options)?;
        let container = choose(key, value, &options.container)?;
        let status = json::list(value, "/status/containerStatuses")
            .iter()
            .find(|status| json::text(status, "/name") == container);
        let name = format!("container {container:?} in pod {:?}", key.name);
        if let Some(why) = unstarted(status) {
            return Err(ApiError::bad_request(format!("{name} {why}")));
        }
        let first = json::text(value, "/spec/containers/0/name") == container;
        let lines = self.pods.get(key).map(|runtime| {
            if options.previous {
                &runtime.previous_log
            } else {
                &runtime.log
            }
        });
        if options.previous && lines.is_none_or(|lines| lines.is_empty()) {
            return Err(ApiError::bad_request(format!(
                "previous terminated {name} not found"
            )));
        }
        let lines = lines.filter(|_| first).map_or(&[][..], Vec::as_slice);
        Ok(cut(lines, options))
    }
}

fn check(key: &Key, options: &LogOptions) -> Result<(), ApiError> {
    let refuse = |field: &str, problem: String| {
        Err(ApiError::invalid(
            Resource::Pods,
            &key.name,
            field,
            &problem,
        ))
    };
    match (options.tail_lines, options.limit_bytes) {
        (Some(lines), _) if lines < 0 => refuse(
            "tailLines",
            format!("Invalid value: {lines}: must be greater than or equal to 0"),
        ),
        (_, Some(bytes)) if bytes < 1 => refuse(
            "limitBytes",
            format!("Invalid value: {bytes}: must be greater than 0"),
        ),
        _ => Ok(()),
    }
}

/// The container that is meant: the only one, where none is named.
fn choose<'a>(key: &Key, value: &'a Value, wanted: &'a str) -> Result<&'a str, ApiError> {
    let names: Vec<&str> = json::list(value, "/spec/containers")
        .iter()
        .map(|container| json::text(container, "/name"))
        .collect();
    match (wanted, names.as_slice()) {
        ("", [only]) => Ok(only),
        ("", _) => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {}, choose one of: [{}]",
            key.name,
            names.join(" ")
        ))),
        (name, names) if names.contains(&name) => Ok(name),
        (name, _) => Err(ApiError::bad_request(format!(
            "container {name} is not valid for pod {}",
            key.name
        ))),
    }
}

/// Why a container has printed nothing yet.
fn unstarted(status: Option<&Value>) -> Option<String> {
    let Some(status) = status else {
        return Some("is not available".to_owned());
    };
    let waiting = json::at(status, "/state/waiting")?;
    if json::at(status, "/lastState/terminated").is_some() {
        return None;
    }
    Some(match json::text(waiting, "/reason") {
        "ErrImagePull" => "is waiting to start: image can't be pulled".to_owned(),
        "ImagePullBackOff" => "is waiting to start: trying and failing to pull image".to_owned(),
        reason => format!("is waiting to start: {reason}"),
    })
}

/// The last lines, and of them the first bytes.
fn cut(lines: &[String], options: &LogOptions) -> String {
    let keep = options
        .tail_lines
        .and_then(|lines| usize::try_from(lines).ok())
        .unwrap_or(usize::MAX);
    let mut text: String = lines
        .iter()
        .skip(lines.len().saturating_sub(keep))
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    if let Some(limit) = options
        .limit_bytes
        .and_then(|bytes| usize::try_from(bytes).ok())
    {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}
