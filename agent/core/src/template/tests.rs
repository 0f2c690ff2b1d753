use proptest::prelude::*;
use serde_json::json;

use super::*;

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [
        {"name": "web", "image": "registry.example.com/shop/web:v1"},
        {"name": "proxy", "image": "registry.example.com/mesh/proxy:v9"}]}})
}

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn the_digest_goes_only_into_the_release_container() {
    let out = with_image(&template(), None, "registry.example.com/shop/web", DIGEST).unwrap();
    assert_eq!(
        images(&out),
        [
            format!("registry.example.com/shop/web@{DIGEST}"),
            "registry.example.com/mesh/proxy:v9".into()
        ]
    );
}

#[test]
fn a_template_without_the_image_says_what_it_has() {
    let err = with_image(&template(), None, "registry.example.com/other", DIGEST).unwrap_err();
    assert!(err.contains("registry.example.com/mesh/proxy:v9"), "{err}");
    let err = with_image(&template(), Some("sidecar"), "x", DIGEST).unwrap_err();
    assert!(err.contains("`sidecar`"), "{err}");
}

/// RFC 7396, the reference algorithm of its section 2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (k, v) in patch {
        if v.is_null() {
            map.remove(k);
        } else {
            merge(map.entry(k.clone()).or_insert(Value::Null), v);
        }
    }
}

fn arb() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..9i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn applying_the_difference_gives_the_other(a in arb(), b in arb()) {
        let mut out = a.clone();
        merge(&mut out, &merge_diff(&a, &b));
        prop_assert_eq!(out, b);
    }
}
