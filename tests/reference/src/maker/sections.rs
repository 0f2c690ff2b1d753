//! The sections of an environment.

use serde_json::{Map, Value, json};

use super::people::GROUPS;
use super::rules::rule;
use super::{NAMESPACES, ROLES};
use crate::civil::written;
use crate::rng::Rng;

/// Sections that may stand in `defaults` and under `namespaces`, too.
pub(super) const SECTIONS: [&str; 12] = [
    "approvals",
    "windows",
    "images",
    "triggers",
    "strategy",
    "checks",
    "rules",
    "skipCanary",
    "breakGlass",
    "limits",
    "permissions",
    "newer",
];
/// The zones of windows.
const ZONES: [&str; 4] = [
    "Europe/Berlin",
    "UTC",
    "America/St_Johns",
    "Australia/Lord_Howe",
];
/// Seconds of a day.
const DAY: i64 = 86_400;

/// A section, as it may stand anywhere. `start` is when the history begins.
pub(super) fn section(key: &str, rng: &mut Rng, start: i64) -> Value {
    match key {
        "approvals" => approvals(rng),
        "windows" => windows(rng, start),
        "images" => images(rng),
        "triggers" => {
            let mut kinds = rng.some(
                &["manual", "upstream", "registry", "schedule", "webhook"],
                85,
            );
            if kinds.is_empty() {
                kinds.push("manual");
            }
            json!(kinds)
        }
        "strategy" => strategy(rng),
        "checks" => {
            let mut section = Map::new();
            let metrics = rng.chance(8);
            if !metrics || rng.chance(70) {
                let load = !rng.chance(85);
                let all = ["http-smoke", "load"];
                section.insert("require".into(), json!(all[..if load { 2 } else { 1 }]));
            }
            if metrics {
                section.insert("analysis".into(), json!(["prometheus"]));
            }
            Value::Object(section)
        }
        "rules" => {
            let some = 1 + rng.below(3);
            json!(
                (0..some)
                    .map(|n| json!({"deny": rule(rng), "message": format!("rule {n}")}))
                    .collect::<Vec<_>>()
            )
        }
        "skipCanary" => json!({"allowedFor": roles(rng)}),
        "breakGlass" => {
            let role = if rng.chance(70) {
                "commander"
            } else {
                *rng.pick(&ROLES[..4])
            };
            let mut glass = json!({"role": role});
            if rng.chance(25) {
                glass["people"] = json!(3);
            }
            glass
        }
        "limits" => {
            let mut limits = json!({"progressDeadline": *rng.pick(&["15m", "1h", "2h30m"])});
            if rng.chance(20) {
                limits["holdFailed"] = json!(*rng.pick(&["10m", "2h"]));
            }
            if rng.chance(60) {
                limits["concurrentRollouts"] = json!(1 + rng.below(3));
            }
            limits
        }
        "permissions" => json!({"deploy": roles(rng)}),
        "newer" => json!("supersede"),
        other => unreachable!("{other}"),
    }
}

fn roles(rng: &mut Rng) -> Vec<&'static str> {
    let mut some = rng.some(&ROLES[..4], 55);
    if some.is_empty() {
        some.push("lead");
    }
    some
}

fn approvals(rng: &mut Rng) -> Value {
    let mut require = Vec::new();
    let wanted = rng.some(&ROLES, 34);
    for role in wanted {
        let count = if role == "board" || rng.chance(70) {
            1
        } else {
            2
        };
        require.push(if count == 1 {
            json!({"role": role})
        } else {
            json!({"role": role, "count": count})
        });
    }
    if require.is_empty() {
        require.push(json!({"role": *rng.pick(&["lead", "owner"])}));
    }
    let total = require
        .iter()
        .map(|r| r["count"].as_i64().unwrap_or(1))
        .sum::<i64>();
    let mut section = Map::new();
    section.insert("require".into(), json!(require));
    if rng.chance(25) {
        section.insert("selfApproval".into(), json!(true));
    }
    if rng.chance(40) {
        section.insert(
            "waitTimer".into(),
            json!(*rng.pick(&["5m", "90s", "1h30m", "3h"])),
        );
    }
    if rng.chance(50) {
        section.insert(
            "expireAfter".into(),
            json!(*rng.pick(&["20m", "2h", "8h", "2d"])),
        );
    }
    if rng.chance(40) {
        // The default is one less than all.
        let others: Vec<i64> = (0..=total).filter(|n| *n != total - 1).collect();
        section.insert("chatVotesAtMost".into(), json!(*rng.pick(&others)));
    }
    Value::Object(section)
}

fn windows(rng: &mut Rng, start: i64) -> Value {
    let mut lines = Vec::new();
    for _ in 0..rng.below(3) {
        let days = *rng.pick(&["MON-FRI", "*", "SAT,SUN", "FRI-MON", "TUE,THU"]);
        let span = *rng.pick(&[
            "09:00-17:00",
            "22:00-06:00",
            "00:00-24:00",
            "02:15-02:45",
            "06:00-20:30",
        ]);
        lines.push(json!({"allow": format!("{days} {span}"), "timeZone": *rng.pick(&ZONES)}));
    }
    for n in 0..rng.below(3) {
        let from = start + rng.between(-DAY, 2 * DAY) / 900 * 900;
        let to = from + rng.between(1, 80) * 900;
        let text = format!("{}/{}", &written(from)[..16], &written(to)[..16]);
        let mut line = json!({"freeze": text, "reason": format!("freeze {n}")});
        if rng.chance(50) {
            line["timeZone"] = json!(*rng.pick(&ZONES[..3]));
        }
        lines.push(line);
    }
    json!(lines)
}

pub(super) fn images(rng: &mut Rng) -> Value {
    let shop = "registry.example.com/shop/*";
    let mut section = json!({"repositories": [match rng.below(6) {
        0 => "**",
        1 => "*.example.com/**",
        2 => "registry.example.com/**",
        _ => shop,
    }]});
    if rng.chance(15) {
        section["repositories"]
            .as_array_mut()
            .unwrap()
            .push(json!("nginx"));
    }
    if rng.chance(40) {
        section["tags"] = match rng.below(3) {
            0 => json!("v*"),
            1 => json!(["v*", "hotfix-?"]),
            _ => json!(["v1.?.0", "v1.?.0-*", "main-*"]),
        };
    }
    if rng.chance(25) {
        section["minimumAge"] = json!(*rng.pick(&["10m", "1h", "45m30s"]));
    }
    if rng.chance(40) {
        section["signedBy"] = match rng.below(3) {
            0 => json!(["release-key"]),
            1 => json!(["release-ci"]),
            _ => json!(["release-key", "release-ci"]),
        };
    }
    if rng.chance(30) {
        section["annotations"] =
            json!({"org.opencontainers.image.source": "https://git.example.com/shop/*"});
        if rng.chance(40) {
            section["annotations"]["team"] = json!("sho?");
        }
    }
    section
}

fn strategy(rng: &mut Rng) -> Value {
    let mut section = Map::new();
    let limits = rng.below(4);
    if limits == 0 || rng.chance(60) {
        section.insert(
            "allow".into(),
            if rng.chance(85) {
                json!(["canary"])
            } else {
                json!(["rolling"])
            },
        );
    }
    if limits % 2 == 1 {
        section.insert(
            "firstStepAtMost".into(),
            json!(*rng.pick(&["10%", "20%", "50%"])),
        );
    }
    if rng.chance(15) {
        let mut routers = rng.some(&["replicas", "service", "httpRoute", "ingressNginx"], 60);
        if routers.is_empty() {
            routers.push("replicas");
        }
        section.insert("routers".into(), json!(routers));
    }
    if limits >= 2 {
        section.insert(
            "maxStepIncrease".into(),
            json!(*rng.pick(&["30%", "50%", "80%"])),
        );
    }
    Value::Object(section)
}

/// Who holds a role. `by_group`: whether groups may.
pub(super) fn role(name: &str, rng: &mut Rng, people: &[String], by_group: bool) -> Value {
    if name == "board" {
        return json!({"via": super::BOARD});
    }
    let mut role = Map::new();
    let some = rng.some(people, 55);
    if !some.is_empty() {
        role.insert("people".into(), json!(some));
    }
    if by_group && rng.chance(50) {
        role.insert("groups".into(), json!([*rng.pick(&GROUPS)]));
    }
    if role.is_empty() {
        role.insert("people".into(), json!(people));
    }
    Value::Object(role)
}

/// Where one of the namespaces has sections of its own.
pub(super) fn special(rng: &mut Rng) -> &'static str {
    NAMESPACES[rng.below(NAMESPACES.len())]
}
