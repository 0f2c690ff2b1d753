//! Whether a namespace's quotas leave room for more pods. What cannot be read or counted is left out: the
//! API server has the last word, and a pod that it refuses is seen as one that is missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A ResourceQuota without scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaSeen {
    /// Its name.
    pub name: String,
    /// What there may be, by resource.
    pub hard: BTreeMap<String, String>,
    /// What there is.
    pub used: BTreeMap<String, String>,
}

impl QuotaSeen {
    /// What has no room for so many more pods of a template, one sentence each.
    pub(super) fn without_room(&self, template: &Value, more: u32) -> Vec<String> {
        let mut out = Vec::new();
        for (resource, hard) in &self.hard {
            let used = self.used.get(resource).map_or("0", String::as_str);
            let (Some(limit), Some(taken), Some(one)) =
                (quantity(hard), quantity(used), per_pod(resource, template))
            else {
                continue;
            };
            if one.saturating_mul(i128::from(more)).saturating_add(taken) > limit && more > 0 {
                out.push(format!(
                    "ResourceQuota {} has no room for {more} more pods: {used} of {hard} {resource} are taken",
                    self.name
                ));
            }
        }
        out
    }
}

/// What one pod takes of a resource, in thousandths. None where that is not counted by pod.
fn per_pod(resource: &str, template: &Value) -> Option<i128> {
    let field = match resource {
        "pods" | "count/pods" => return Some(1000),
        "cpu" | "requests.cpu" => "requests/cpu",
        "memory" | "requests.memory" => "requests/memory",
        "limits.cpu" => "limits/cpu",
        "limits.memory" => "limits/memory",
        _ => return None,
    };
    let containers = template.pointer("/spec/containers")?.as_array()?;
    let of = |c: &Value| match c.pointer(&format!("/resources/{field}")) {
        Some(Value::String(text)) => quantity(text).unwrap_or(0),
        Some(Value::Number(n)) => quantity(&n.to_string()).unwrap_or(0),
        _ => 0,
    };
    Some(containers.iter().map(of).sum())
}

/// A quantity in thousandths.
fn quantity(text: &str) -> Option<i128> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let unit: i128 = match suffix {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        _ => return None,
    };
    let whole: i128 = whole.parse().ok()?;
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    let thousandths: i128 = part.parse().ok()?;
    let whole = whole.checked_mul(unit)?;
    whole.checked_add(thousandths.checked_mul(unit)? / 1000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        for (text, expected) in [
            ("0", 0),
            ("3", 3000),
            ("250m", 250),
            ("1.5", 1500),
            ("1Ki", 1_024_000),
            ("0.5Gi", 536_870_912_000),
            ("2M", 2_000_000_000),
        ] {
            assert_eq!(quantity(text), Some(expected), "{text}");
        }
        for text in ["", "x", "-1", "1e3", "1 Gi", "."] {
            assert_eq!(quantity(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_full_is_named() {
        let template = json!({"spec": {"containers": [
            {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
            {"resources": {"requests": {"cpu": 1}}},
        ]}});
        let map = |list: &[(&str, &str)]| {
            let pairs = list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let quota = QuotaSeen {
            name: "compute".into(),
            hard: map(&[
                ("pods", "12"),
                ("requests.cpu", "10"),
                ("requests.memory", "4Gi"),
                ("count/secrets", "1"),
                ("limits.cpu", "1"),
            ]),
            used: map(&[
                ("pods", "10"),
                ("requests.cpu", "7"),
                ("requests.memory", "1Gi"),
            ]),
        };
        assert!(quota.without_room(&template, 2).is_empty(), "exactly full");
        assert_eq!(
            quota.without_room(&template, 3),
            [
                "ResourceQuota compute has no room for 3 more pods: 10 of 12 pods are taken",
                "ResourceQuota compute has no room for 3 more pods: 7 of 10 requests.cpu are taken",
            ]
        );
    }
}
