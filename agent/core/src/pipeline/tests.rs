//! What is wrong with a Pipeline, all at once.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

mod guide;

fn mk_pipeline() -> Value {
    json!({
        "image": {"repository": "registry.example.com/shop/storefront",
                  "tags": {"semver": ">=1.0.0"}},
        "environments": [
            {"name": "staging",
             "target": {"namespace": "staging", "deployment": "web", "service": "web"},
             "triggers": [{"registry": {"every": "1m"}}],
             "strategy": {"plugin": "rolling"}},
            {"name": "production", "after": ["staging"],
             "target": {"namespace": "shop", "deployment": "web", "service": "web"},
             "triggers": [{"upstream": {}}, {"manual": {}}],
             "strategy": {"plugin": "canary", "router": {"replicas": {}}, "settings": {"a": 1}},
             "checks": [{"plugin": "http-smoke"}]},
        ],
        "notify": [{"plugin": "slack-notify", "settings": {"channel": "#deploys"}}],
    })
}

fn parse(json: &Value) -> PipelineSpec {
    serde_json::from_value(json.clone()).unwrap()
}

#[track_caller]
fn wrong(json: &Value, expected: Expect) {
    let text: String = parse(json)
        .problems()
        .iter()
        .map(|p| format!("{p}\n"))
        .collect();
    expected.assert_eq(&text);
}

#[test]
fn a_usual_one_is_fine_and_round_trips() {
    let spec = parse(&mk_pipeline());
    assert_eq!(spec.problems(), []);
    let again: PipelineSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
    assert_eq!(
        spec.environment("production").unwrap().checks[0].label(),
        "http-smoke"
    );
    assert_eq!(spec.environment("nowhere"), None);
}

#[test]
fn every_mistake_at_once() {
    let mut p = mk_pipeline();
    p["image"] =
        json!({"repository": "storefront:v1@", "tags": {"semver": "what", "mutable": "x"}});
    p["environments"][0]["name"] = "production".into();
    p["environments"][0]["triggers"] = json!([{"registry": {"every": "10ms"}}, {"upstream": {}},
        {"schedule": {"cron": "61 * * * *", "timeZone": "Europe/Berlin"}}]);
    p["environments"][1]["triggers"] = json!([]);
    p["environments"][1]["target"] = p["environments"][0]["target"].clone();
    p["environments"][1]["checks"] = json!([{"plugin": "http-smoke"}, {"plugin": "http-smoke"}]);
    wrong(
        &p,
        expect![[r#"
        spec.image.tags: more than one tag policy; keep one of semver, pattern or mutable
        spec.image.repository: not a repository without tag or digest; write it like registry.example.com/shop/storefront
        spec.environments[0].triggers: `upstream` needs an environment to come after; add after: [staging], or use the registry trigger
        spec.environments[0].triggers[0].registry.every: shorter than 1s; registries limit their callers: 1m is usual
        spec.environments[0].triggers[2].cron: `61` is not a minute: 0 to 59; write minute, hour, day of month, month, day of week: 0 9 * * MON-FRI
        spec.environments[1].name: `production` stands here twice
        spec.environments[1].target: another environment has the same workload
        spec.environments[1].after: `staging` is no other environment of this pipeline
        spec.environments[1].triggers: no trigger: nothing could ever start here; add {manual: {}}
        spec.environments[1].checks[1]: a check named `http-smoke` is already there; give each use of a plugin its own `name`
    "#]],
    );
    wrong(
        &json!({"image": p["image"], "environments": []}),
        expect![[r#"
        spec.image.tags: more than one tag policy; keep one of semver, pattern or mutable
        spec.image.repository: not a repository without tag or digest; write it like registry.example.com/shop/storefront
        spec.environments: names no environment
    "#]],
    );
}

#[test]
fn environments_that_wait_for_each_other() {
    let mut p = mk_pipeline();
    p["environments"][0]["after"] = json!(["production"]);
    wrong(
        &p,
        expect![[r#"
        spec.environments[0].after: leads back to `staging`: it would wait for itself
        spec.environments[1].after: leads back to `production`: it would wait for itself
    "#]],
    );
    p["environments"][0]["after"] = json!(["staging", "elsewhere"]);
    wrong(
        &p,
        expect![[r#"
        spec.environments[0].after: `staging` is no other environment of this pipeline
        spec.environments[0].after: `elsewhere` is no other environment of this pipeline
    "#]],
    );
}

#[test]
fn names_and_settings_have_a_size() {
    let mut p = mk_pipeline();
    p["environments"][0]["name"] = "x".repeat(10_000).into();
    p["environments"][1]["after"] = json!([]);
    p["environments"][1]["triggers"] = json!([{"manual": {}}]);
    p["environments"][1]["checks"][0]["name"] = "a\"b".into();
    p["environments"][1]["strategy"]["settings"]["table"] = "y".repeat(40_000).into();
    p["notify"][0]["plugin"] = "".into();
    wrong(
        &p,
        expect![[r#"
        spec.notify[0].plugin: `` is no usable name; write 1 to 63 letters, digits, dashes, dots or underscores
        spec.environments[0].name: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is no usable name; write 1 to 63 letters, digits, dashes, dots or underscores
        spec.environments[1].checks[0].name: `a"b` is no usable name; write 1 to 63 letters, digits, dashes, dots or underscores
        spec.environments[1]: has 40316 bytes with its settings; 32768 is the limit; keep test data in the plugin or behind an address
    "#]],
    );
}

#[test]
fn lists_have_a_length() {
    let mut p = mk_pipeline();
    let mut one = p["environments"][1].clone();
    one["checks"] = (0..17)
        .map(|n| json!({"plugin": "p", "name": format!("c{n}")}))
        .collect();
    p["environments"][1] = one;
    p["notify"] = (0..9).map(|_| json!({"plugin": "slack-notify"})).collect();
    wrong(
        &p,
        expect![[r#"
        spec.notify: has 9 entries; 8 is the limit
        spec.environments[1].checks: more than 16 checks
    "#]],
    );
}
