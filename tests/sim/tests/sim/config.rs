//! ConfigMaps and Secrets.

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice_sim::{AGENT, Cluster, Resource};

use crate::support::{any, manifest};

fn sealed(kind: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": kind,
        "metadata": { "name": "web", "namespace": "shop" },
        "data": { "a": "Yg==" },
        "immutable": true,
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_immutable_keeps_its_data_and_stays_so() {
    for kind in ["ConfigMap", "Secret"] {
        let cluster = Cluster::fast(1);
        let api = any(&cluster, AGENT, ("v1", kind));
        let made = api
            .create(&PostParams::default(), &manifest(sealed(kind)))
            .await;
        made.unwrap();
        for (change, field) in [
            (json!({ "data": { "a": "Yw==" } }), "data"),
            (json!({ "data": { "c": "Yg==" } }), "data"),
            (json!({ "data": null }), "data"),
            (json!({ "immutable": false }), "immutable"),
            (
                json!({ "immutable": null, "data": { "a": "Yw==" } }),
                "immutable",
            ),
        ] {
            let refused = api
                .patch("web", &PatchParams::default(), &Patch::Merge(&change))
                .await;
            let kube::Error::Api(status) = refused.unwrap_err() else {
                panic!("not an answer")
            };
            assert_eq!(status.code, 422, "{kind} {change}");
            let said = format!(
                "{kind} \"web\" is invalid: {field}: Forbidden: field is immutable when \
                 `immutable` is set"
            );
            assert_eq!(status.message, said);
        }
        let label = json!({ "metadata": { "labels": { "a": "b" } } });
        let labelled = api
            .patch("web", &PatchParams::default(), &Patch::Merge(&label))
            .await;
        labelled.unwrap();
        assert!(api.delete("web", &Default::default()).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_secret_is_given_as_text_is_stored_in_base64() {
    let cluster = Cluster::fast(1);
    cluster
        .apply(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": "web", "namespace": "shop" },
            "data": { "user": "YWxpY2U=", "password": "b2xk" },
            "stringData": { "password": "new" },
        }))
        .unwrap();
    let secret = cluster.object(Resource::Secrets, "shop", "web").unwrap();
    assert_eq!(
        secret["data"],
        json!({ "user": "YWxpY2U=", "password": "bmV3" })
    );
    assert!(secret.get("stringData").is_none());
    assert_eq!(secret["type"], "Opaque");
}
