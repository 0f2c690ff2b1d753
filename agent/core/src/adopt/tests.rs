//! What may become the baseline.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::rollout::fixture::*;
use crate::tags::TagPolicy;

fn image() -> ImageSpec {
    ImageSpec {
        repository: REPOSITORY.into(),
        tags: TagPolicy::default(),
    }
}

/// Serves by tag; each pod says which digest it runs.
fn mk_tagged() -> WorkloadSeen {
    let mut w = mk_workload("storefront", "target-1", 'a', 2);
    w.spec["template"]["spec"]["containers"][0]["image"] = json!(format!("{REPOSITORY}:v1.0.0"));
    w
}

fn runs(container: &str, image_id: String) -> Running {
    Running {
        container: container.into(),
        image_id,
    }
}

fn pods(letters: &[char]) -> Vec<Vec<Running>> {
    let proxy = "registry.example.com/mesh/proxy@sha256:".to_owned() + &"5".repeat(64);
    letters
        .iter()
        .map(|l| {
            vec![
                runs("proxy", proxy.clone()),
                runs("web", format!("{REPOSITORY}@{}", mk_digest(*l))),
            ]
        })
        .collect()
}

#[track_caller]
fn refused(w: &WorkloadSeen, running: &[Vec<Running>], expected: Expect) {
    match adopt(w, running, &mk_view().spec.target, &image(), t(0)) {
        Err(why) => expected.assert_eq(&why),
        Ok(r) => panic!("{r:?}"),
    }
}

#[test]
fn a_healthy_target_is_taken_as_it_is() {
    let target = mk_view().spec.target;
    let w = mk_tagged();
    let r = adopt(&w, &pods(&['a', 'a']), &target, &image(), t(0)).unwrap();
    assert_eq!(r.digest, mk_digest('a'));
    assert_eq!(r.tag.as_deref(), Some("v1.0.0"));
    assert_eq!(r.template_hash, template_hash(w.template()));
    assert_eq!((r.promoted_by, r.target_uid.as_str()), (None, "target-1"));
    // Docker's way to write an image id.
    let docker = format!("docker-pullable://{REPOSITORY}@{}", mk_digest('a'));
    // The node knew the same image under another name before.
    let mirror = format!("mirror.example.com/cache@{}", mk_digest('a'));
    for id in [docker, mirror] {
        let pods = vec![vec![runs("web", id)]];
        assert_eq!(
            adopt(&w, &pods, &target, &image(), t(0)).unwrap().digest,
            mk_digest('a')
        );
    }
    // Loaded into the node without a registry: nobody knows where to pull it again.
    let local = vec![vec![runs("web", mk_digest('a'))]];
    refused(
        &w,
        &local,
        expect!["no pod reports the digest of registry.example.com/shop/storefront yet"],
    );
}

#[test]
fn a_pinned_template_speaks_for_itself() {
    let w = mk_workload("storefront", "target-1", 'a', 2);
    let r = adopt(&w, &[], &mk_view().spec.target, &image(), t(0)).unwrap();
    assert_eq!((r.digest, r.tag), (mk_digest('a'), None));
}

#[test]
fn what_is_not_surely_healthy_is_not_taken() {
    let healthy = mk_tagged();
    let mut zero = healthy.clone();
    zero.replicas = 0;
    refused(
        &zero,
        &[],
        expect!["shop/storefront is scaled to zero: nothing serves"],
    );
    let mut sick = healthy.clone();
    sick.ready = 1;
    refused(
        &sick,
        &pods(&['a']),
        expect!["shop/storefront is not healthy yet: not all of its pods are available"],
    );
    let mut rolling = healthy.clone();
    rolling.generation = 2;
    refused(
        &rolling,
        &pods(&['a', 'b']),
        expect!["shop/storefront is not healthy yet: not all of its pods are available"],
    );
    refused(
        &healthy,
        &pods(&['a', 'b']),
        expect!["the pods run 2 different digests of one tag"],
    );
    refused(
        &healthy,
        &[],
        expect!["no pod reports the digest of registry.example.com/shop/storefront yet"],
    );
}

#[test]
fn a_target_without_the_image_says_what_it_has() {
    let mut w = mk_tagged();
    w.spec["template"]["spec"]["containers"][0]["image"] = json!("registry.example.com/other:v1");
    refused(
        &w,
        &pods(&['a']),
        expect![
            "no container of shop/storefront uses registry.example.com/shop/storefront; its images are registry.example.com/other:v1, registry.example.com/mesh/proxy:v9"
        ],
    );
}
