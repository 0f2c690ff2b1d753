//! Who writes a Pipeline needs the agent's rights on its targets.

use serde_json::{Value, json};

use super::Table;
use super::actor::{Actor, PIPELINE, merge};
use super::stage::Stage;

/// A Pipeline with one environment.
pub(super) fn pipeline(namespace: &str) -> Value {
    json!({"spec": {
        "image": {"repository": "registry.example.com/x", "tags": {"semver": ">=1.0.0"}},
        "environments": [environment("staging", namespace)],
    }})
}

fn environment(name: &str, namespace: &str) -> Value {
    json!({
        "name": name, "strategy": {"plugin": "canary"}, "triggers": [{"manual": {}}],
        "target": {"namespace": namespace, "deployment": "storefront", "service": "storefront"},
    })
}

/// The Pipeline with something more in its environment.
fn with(namespace: &str, more: Value) -> Value {
    let mut body = pipeline(namespace);
    if let Some(environment) = body.pointer_mut("/spec/environments/0") {
        merge(environment, more);
    }
    body
}

/// What an environment may name beside a Deployment, and the right that its author needs for it.
fn features() -> [(&'static str, &'static str, Value); 9] {
    let hook = json!([{"name": "migrate", "cronJob": "migrate"}]);
    let router = |router: Value| json!({"strategy": {"router": router}});
    let target = |target: Value| json!({"target": target});
    [
        (
            "a StatefulSet",
            "may not patch statefulsets",
            target(json!({"deployment": null, "statefulSet": "storefront"})),
        ),
        (
            "a DaemonSet",
            "may not patch daemonsets",
            target(json!({"deployment": null, "daemonSet": "storefront"})),
        ),
        (
            "blue-green by the Service",
            "may not patch services",
            router(json!({"service": {}})),
        ),
        (
            "an HTTPRoute",
            "may not patch httproutes",
            router(json!({"httpRoute": {"name": "storefront"}})),
        ),
        (
            "an Ingress",
            "may not create ingresses",
            router(json!({"ingressNginx": {"ingress": "storefront"}})),
        ),
        // Two policies refuse hooks, and either may answer.
        ("a hook before", "may not", json!({"before": hook.clone()})),
        ("a hook after", "may not", json!({"afterwards": hook})),
        (
            "a ConfigMap",
            "may not get configmaps",
            target(json!({"config": [{"configMap": "storefront"}]})),
        ),
        (
            "a Secret",
            "may not get secrets",
            target(json!({"config": [{"secret": "storefront"}]})),
        ),
    ]
}

/// Sixteen environments of which each uses as much as one can.
fn everything(namespace: &str) -> Value {
    let environments: Vec<Value> = (0..16)
        .map(|n| {
            let mut one = environment(&format!("e{n}"), namespace);
            let hook = |name: &str| json!({"name": name, "cronJob": "migrate", "undo": "back"});
            let hooks = |side: &str| (0..4).map(|n| hook(&format!("{side}{n}"))).collect::<Vec<_>>();
            merge(
                &mut one,
                json!({
                    "strategy": {"router": if n % 2 == 0 {
                        json!({"httpRoute": {"name": "storefront"}})
                    } else {
                        json!({"ingressNginx": {"ingress": "storefront"}})
                    }},
                    "target": {
                        "with": (0..7).map(|n| json!({"deployment": format!("w{n}")})).collect::<Vec<_>>(),
                        "config": (0..4).flat_map(|n| [
                            json!({"configMap": format!("c{n}")}), json!({"secret": format!("s{n}")}),
                        ]).collect::<Vec<_>>(),
                    },
                    "before": hooks("before"), "afterwards": hooks("after"),
                }),
            );
            one
        })
        .collect();
    json!({"spec": {
        "image": {"repository": "registry.example.com/x", "tags": {"semver": ">=1.0.0"}},
        "environments": environments,
    }})
}

fn sixteen(last: &str, namespace: &str) -> Value {
    let mut all: Vec<Value> = (1..16)
        .map(|n| environment(&format!("e{n}"), namespace))
        .collect();
    all.push(environment("last", last));
    json!({"spec": {"environments": all}})
}

pub(super) async fn prove(stage: &Stage, table: &mut Table) {
    let (home, target) = (&stage.pipelines, &stage.target);
    let name = "guard-proof-b";
    table.refused(
        "environment staging: \"bob@example.com\" may not patch deployments",
        "bob writes a Pipeline whose target he may not patch",
        stage
            .bob
            .create(PIPELINE, home, "guard-proof-c", pipeline(target))
            .await,
    );
    table.refused(
        "environment staging: \"dave@example.com\" may not get services",
        "dave writes a Pipeline whose Service he may not read",
        stage
            .dave
            .create(PIPELINE, home, "guard-proof-c", pipeline(target))
            .await,
    );
    table.refused(
        // Two policies refuse this, and either may answer.
        "kube-system/storefront",
        "alice names a target in another namespace",
        stage
            .alice
            .merge(PIPELINE, home, name, pipeline("kube-system"))
            .await,
    );
    table.refused(
        "environment last: \"alice@example.com\" may not",
        "alice hides such a target behind fifteen that she may patch",
        stage
            .alice
            .merge(PIPELINE, home, name, sixteen("kube-system", target))
            .await,
    );
    table.done(
        "alice writes a Pipeline with sixteen environments",
        stage
            .alice
            .merge(PIPELINE, home, name, sixteen(target, target))
            .await,
    );
    table.done(
        "bob changes a label of a Pipeline, and no target",
        stage
            .bob
            .merge(
                PIPELINE,
                home,
                name,
                json!({"metadata": {"labels": {"team": "shop"}}}),
            )
            .await,
    );
    table.refused(
        "may not patch deployments",
        "bob changes the spec of a Pipeline of alice",
        stage
            .bob
            .merge(
                PIPELINE,
                home,
                name,
                json!({"spec": {"image": {"repository": "registry.example.com/evil"}}}),
            )
            .await,
    );
    let try_it = async |who: &Actor, body: Value| {
        who.create_with(PIPELINE, home, "guard-proof-c", body, true)
            .await
    };
    for (what, refusal, more) in features() {
        table.refused(
            refusal,
            &format!("alice names {what}, and lacks the right"),
            try_it(&stage.alice, with(target, more.clone())).await,
        );
        table.done(
            &format!("an administrator names {what}"),
            try_it(&stage.carol, with(target, more)).await,
        );
    }
    let group = json!({"target": {"with": [{"deployment": "storefront-worker"}]}});
    table.refused(
        "may not patch deployments in",
        "erin leads a group with a Deployment that she may not patch",
        try_it(&stage.erin, with(target, group.clone())).await,
    );
    table.done(
        "erin writes a Pipeline for the one Deployment that she may patch",
        try_it(&stage.erin, pipeline(target)).await,
    );
    table.done(
        "alice leads a group",
        try_it(&stage.alice, with(target, group)).await,
    );
    table.done(
        "an administrator uses everything in sixteen environments",
        try_it(&stage.carol, everything(target)).await,
    );
}
