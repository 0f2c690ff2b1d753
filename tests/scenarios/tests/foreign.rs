//! Others write the target in the middle of a canary: a person, GitOps, an autoscaler. Sluice holds
//! and explains, or leaves them what is theirs; it never fights (reliability.md W10, attack 35).

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]

use std::time::Duration;

use serde_json::{Value, json};
use sluice_scenarios::{
    Crew, Life, PRODUCTION, REPOSITORY, Stage, beside, digest, on_virtual_time, remembered, status,
    until,
};
use sluice_sim::{Resource, WriteRecord};

const HOUR: Duration = Duration::from_secs(3600);
/// Shorter than the progress deadline, after which a hold becomes a rollback.
const A_WHILE: Duration = Duration::from_secs(5 * 60);

/// Plays a script with v1.0.0 adopted everywhere, v1.1.0 pushed, and both leads approving.
fn play(script: impl AsyncFnOnce(&Stage)) {
    on_virtual_time(async {
        let stage = Stage::new(7);
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        beside(&stage, &life, &Crew::approving(), async {
            until(&stage, "the baseline is adopted", HOUR, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            stage.push("v1.1.0", 'b');
            script(&stage).await;
        })
        .await;
    });
}

fn why_is(code: &'static str) -> impl Fn(&Stage) -> bool {
    move |stage| status(stage, "production", "v1.1.0")["why"]["code"] == code
}

fn phase_is(phase: &'static str) -> impl Fn(&Stage) -> bool {
    move |stage| status(stage, "production", "v1.1.0")["phase"] == phase
}

fn target(stage: &Stage) -> Value {
    let found = stage
        .cluster
        .object(Resource::Deployments, PRODUCTION, "storefront");
    found.map(|d| Value::clone(&d)).unwrap_or_default()
}

/// Somebody changes the target; the write log does not show it.
fn change(stage: &Stage, at: &str, value: &Value) -> bool {
    stage
        .cluster
        .modify(Resource::Deployments, PRODUCTION, "storefront", |d| {
            if let Some(place) = d.pointer_mut(at) {
                place.clone_from(value);
            }
        })
}

/// What the agent asked of the target, carried out or refused, after a write.
fn writes_on_target(stage: &Stage, after: u64) -> Vec<WriteRecord> {
    let agent = stage.cluster.agent();
    let mut writes = stage.cluster.writes_after(after);
    writes.retain(|w| {
        w.user == agent
            && w.resource == Resource::Deployments
            && w.namespace == PRODUCTION
            && w.name == "storefront"
    });
    writes
}

/// Somebody changes the target while the canary is watched; Sluice holds with this reason, writes
/// nothing there, and goes on when it is put back.
fn held_and_not_fought(at: &'static str, value: Value, code: &'static str) {
    play(async |stage| {
        until(stage, "the canary is watched", HOUR, why_is("Holds")).await;
        let before = target(stage).pointer(at).cloned().unwrap_or_default();
        assert!(change(stage, at, &value));
        let seq = stage.cluster.last_write();
        until(stage, "it holds", Duration::from_secs(60), why_is(code)).await;
        stage.pass(A_WHILE).await;
        let writes = writes_on_target(stage, seq);
        assert!(writes.is_empty(), "{writes:#?}");
        assert!(why_is(code)(stage), "it still holds");
        assert!(change(stage, at, &before));
        until(stage, "it goes on", HOUR, phase_is("Succeeded")).await;
        assert_eq!(target(stage)["spec"]["replicas"], 10);
    });
}

#[test]
fn a_person_who_scales_the_target_is_not_fought() {
    held_and_not_fought("/spec/replicas", json!(20), "Rescaled");
}

#[test]
fn a_person_who_sets_another_image_is_not_fought() {
    let image = json!(format!("{REPOSITORY}@{}", digest('c')));
    held_and_not_fought("/spec/template/spec/containers/0/image", image, "Drifted");
}

#[test]
fn gitops_that_puts_back_its_number_of_pods_ends_in_a_rollback_and_never_a_fight() {
    play(async |stage| {
        let gitops = async {
            loop {
                stage.pass(Duration::from_secs(5)).await;
                change(stage, "/spec/replicas", &json!(10));
            }
        };
        let script = async {
            until(stage, "it holds", HOUR, why_is("Rescaled")).await;
            until(stage, "it goes back", HOUR, phase_is("RolledBack")).await;
            stage.pass(Duration::from_secs(600)).await;
        };
        tokio::select! {
            () = gitops => {}
            () = script => {}
        }
        let writes = writes_on_target(stage, 0);
        assert!(!writes.is_empty(), "it did begin");
        for first in &writes {
            let minute = writes
                .iter()
                .filter(|w| w.at >= first.at && w.at.duration_since(first.at).as_secs() < 60);
            let minute: Vec<_> = minute.map(|w| (w.at, w.code, &w.body)).collect();
            assert!(minute.len() <= 3, "{minute:#?}");
        }
        assert_eq!(target(stage)["spec"]["replicas"], 10);
        let canaries = stage.cluster.objects(Resource::Deployments, PRODUCTION);
        assert_eq!(canaries.len(), 1, "no canary is left");
        assert!(
            remembered(stage, "production")["quarantined"].is_null(),
            "others' doing is no verdict on the release"
        );
    });
}

#[test]
fn an_autoscaler_keeps_its_number_of_pods_through_the_whole_story() {
    play(async |stage| {
        let autoscaler = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "storefront", "namespace": PRODUCTION},
            "spec": {
                "scaleTargetRef":
                    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "storefront"},
                "minReplicas": 10, "maxReplicas": 14,
            },
        });
        stage.cluster.apply(autoscaler).unwrap();
        let mut wanted = [12, 14, 13, 10, 11].into_iter().cycle();
        let scales = async {
            loop {
                stage.pass(Duration::from_secs(15)).await;
                change(stage, "/spec/replicas", &json!(wanted.next()));
            }
        };
        tokio::select! {
            () = scales => {}
            () = until(stage, "it succeeds", HOUR, phase_is("Succeeded")) => {}
        }
        let writes = writes_on_target(stage, 0);
        assert!(
            writes
                .iter()
                .any(|w| w.body["spec"]["template"].is_object())
        );
        for w in &writes {
            assert!(w.body.pointer("/spec/replicas").is_none(), "{}", w.body);
            let count = |s: &Option<sluice_sim::Summary>| s.as_ref().and_then(|s| s.replicas);
            assert_eq!(count(&w.before), count(&w.after), "{}", w.body);
        }
    });
}
