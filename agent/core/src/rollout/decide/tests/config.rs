//! Versions of configuration: fixed before people sign, copied before traffic moves, cleared up.

use expect_test::expect;
use serde_json::{Value, json};

use crate::pipeline::{ConfigSource, OutcomeKind, Revision};
use crate::rollout::fixture::*;
use crate::rollout::{Effect, Ending, ObjectKind, ObjectRef, ObjectSeen, Seen, State, looks_at};
use crate::template::template_hash;
use crate::workload::ConfigVersion;

fn source() -> ConfigSource {
    ConfigSource::ConfigMap("storefront-config".into())
}

fn version(n: u32) -> ConfigVersion {
    ConfigVersion::of(&source(), "target-1", "config-1", &n.to_string())
}

fn reference(name: &str) -> ObjectRef {
    ObjectRef::new(ObjectKind::ConfigMap, "shop", name)
}

fn see(c: &mut Case, name: &str, resource_version: &str, created_by: Option<&str>) {
    let found = ObjectSeen {
        uid: if name == "storefront-config" {
            "config-1"
        } else {
            "copy"
        }
        .into(),
        resource_version: resource_version.into(),
        created_by: created_by.map(str::to_owned),
        ..ObjectSeen::default()
    };
    let key = reference(name).to_string();
    c.seen.objects.insert(key, Seen::Present(found));
}

/// A template that reads this ConfigMap.
fn reading(mut template: Value, name: &str) -> Value {
    template["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": name}}]);
    template
}

/// The case with a ConfigMap of version 7 that goes with the image.
fn with_config(mut c: Case) -> Case {
    c.view.spec.target.config = vec![source()];
    let template = reading(c.target().template().clone(), "storefront-config");
    let hash = template_hash(&template);
    c.target().spec["template"] = template;
    if let Some(stable) = &mut c.environment().stable {
        stable.template_hash = hash;
    }
    see(&mut c, "storefront-config", "7", None);
    c
}

fn mk_signing() -> Case {
    let mut c = with_config(mk_planning());
    c.journal.proposal = Some(mk_proposal());
    c
}

#[test]
fn what_people_sign_contains_the_version() {
    let c = mk_signing();
    let asked = c.decide().journal;
    assert_eq!(asked.config, [version(7)]);
    let request = asked.approval.clone().unwrap();
    assert_eq!(
        request.changes[0],
        "config: ConfigMap storefront-config changes with it"
    );
    let copy = &version(7).copy;
    assert!(
        request.changes.iter().any(|l| l.contains(copy)),
        "{request:?}"
    );
    let wanted = reading(mk_template('b'), copy);
    assert_eq!(asked.candidate_template_hash, Some(template_hash(&wanted)));

    // Another version is another question.
    let mut c = c.then(20);
    see(&mut c, "storefront-config", "8", None);
    let again = c.decide().journal;
    assert_eq!(again.config, [version(8)]);
    assert_ne!(again.approval.unwrap().hash, request.hash);
}

#[test]
fn what_is_missing_or_read_by_nobody_is_told() {
    let mut c = mk_signing();
    c.view
        .spec
        .target
        .config
        .push(ConfigSource::Secret("keys".into()));
    c.seen
        .objects
        .insert("Secret shop/keys".into(), Seen::Absent);
    check(
        &c,
        expect![[r#"
        Planning: not ready to begin: Secret shop/keys does not exist
    "#]],
    );
    see(&mut c, "storefront-config", "7", None);
    c.seen.objects.insert(
        "Secret shop/keys".into(),
        Seen::Present(ObjectSeen::default()),
    );
    check(
        &c,
        expect![[r#"
        Planning: not ready to begin: no container of shop/storefront reads Secret keys, which is to go with it
    "#]],
    );
    c.seen
        .objects
        .insert("Secret shop/keys".into(), Seen::Unknown("timeout".into()));
    check(
        &c,
        expect![[r#"
        Planning: holds: Secret shop/keys: timeout
    "#]],
    );
}

/// Claimed, with the copy not made yet.
fn mk_preparing() -> Case {
    let mut c = mk_signing();
    c.journal = c.decide().journal;
    c.vote("alice", crate::approval::Decision::Approve, 2);
    c.vote("bob", crate::approval::Decision::Approve, 3);
    c.now = t(10);
    c.journal = c.decide().journal;
    assert_eq!(c.journal.phase, "Preparing", "{}", c.journal.message);
    c.target().claimed_by = Some(UID.into());
    let copy = version(7).copy;
    let looked = looks_at(&c.view, &c.journal);
    assert!(looked.contains(&reference(&copy)) && looked.contains(&reference("storefront-config")));
    c.seen
        .objects
        .insert(reference(&copy).to_string(), Seen::Absent);
    c
}

#[test]
fn exactly_what_was_signed_is_copied_before_anything_moves() {
    let mut c = mk_preparing();
    let d = c.decide();
    let [Effect::CopyConfig { from, to, .. }] = d.effects.as_slice() else {
        panic!("{}", c.show(&d));
    };
    assert_eq!(
        (from.name.as_str(), from.resource_version.as_str()),
        ("storefront-config", "7")
    );
    assert_eq!(*to, version(7).copy);
    // It is there: whichever Rollout made it.
    see(&mut c, &version(7).copy, "9", Some("another-rollout"));
    let d = c.decide();
    assert_eq!(d.journal.phase, "Progressing", "{}", c.show(&d));
    let Some(Effect::Create { manifest }) = d.effects.first() else {
        panic!("{}", c.show(&d));
    };
    let from = "/spec/template/spec/containers/0/envFrom/0/configMapRef/name";
    assert_eq!(*manifest.pointer(from).unwrap(), version(7).copy);
}

#[test]
fn what_changed_after_the_signature_is_not_rolled_out() {
    let mut c = mk_preparing();
    see(&mut c, "storefront-config", "8", None);
    let d = c.decide();
    assert!(
        !d.effects
            .iter()
            .any(|e| matches!(e, Effect::CopyConfig { .. })),
        "{}",
        c.show(&d)
    );
    assert!(
        d.journal
            .timeline
            .iter()
            .any(|m| m.text.contains("changed after it was signed for"))
    );
}

#[test]
fn anothers_object_with_the_name_of_a_copy_holds() {
    let mut c = mk_preparing();
    see(&mut c, &version(7).copy, "9", None);
    let d = c.decide();
    assert!(d.effects.is_empty(), "{}", c.show(&d));
    assert!(d.journal.message.contains("Sluice did not create it"));
}

/// The end of a Rollout that had the target.
fn mk_ending(kind: OutcomeKind, stable: Revision) -> Case {
    let mut c = with_config(mk_queued());
    c.environment().stable = Some(stable);
    c.journal.claimed = true;
    c.journal.since = Some(c.now);
    c.journal.config = vec![version(7)];
    c.set_state(State::Recording(Ending {
        kind,
        message: "over".into(),
        quarantine: None,
    }));
    c
}

fn with_copies(revision: Revision, n: u32) -> Revision {
    Revision {
        copies: vec![version(n).as_copy()],
        ..revision
    }
}

#[test]
fn the_copy_of_a_failed_release_goes_and_the_stable_one_stays() {
    let mut c = mk_ending(
        OutcomeKind::RolledBack,
        with_copies(mk_revision('a', "v1.0.0"), 6),
    );
    c.journal = c.decide().journal;
    assert_eq!(c.journal.stale, [version(7).as_copy()]);
    let status = std::mem::take(c.environment());
    *c.environment() = status.with_outcome(
        crate::pipeline::Outcome {
            rollout: c.view.name.clone(),
            digest: mk_digest('b'),
            tag: None,
            kind: OutcomeKind::RolledBack,
            drill: false,
            at: c.now,
        },
        None,
        None,
    );
    assert_eq!(looks_at(&c.view, &c.journal), [reference(&version(7).copy)]);
    see(&mut c, &version(7).copy, "9", Some(UID));
    let d = c.decide();
    let [Effect::Delete { object }] = d.effects.as_slice() else {
        panic!("{}", c.show(&d));
    };
    assert_eq!(object.name, version(7).copy);
    // One that cannot be removed does not hold the end for ever.
    let late = c.clone().at(100).decide();
    assert!(late.journal.state.ended());
    c.seen
        .objects
        .insert(reference(&version(7).copy).to_string(), Seen::Absent);
    assert!(c.decide().journal.state.ended());
}

#[test]
fn copies_that_a_kept_revision_reads_stay() {
    // The same configuration as before: the copy is the stable version's, too.
    let c = mk_ending(
        OutcomeKind::RolledBack,
        with_copies(mk_revision('a', "v1.0.0"), 7),
    );
    assert!(c.decide().journal.stale.is_empty());
    // What never had the target made no copies: another one that is under way may have.
    let mut c = mk_ending(OutcomeKind::Cancelled, mk_revision('a', "v1.0.0"));
    c.journal.claimed = false;
    assert!(c.decide().journal.stale.is_empty());
}

#[test]
fn the_oldest_revisions_copy_goes_with_it() {
    let mut c = mk_ending(
        OutcomeKind::Succeeded,
        with_copies(mk_revision('a', "v1.0.0"), 6),
    );
    let template = reading(mk_template('b'), &version(7).copy);
    c.journal.candidate_template_hash = Some(template_hash(&template));
    c.target().spec["template"] = template;
    let earlier = |n: u32| Revision {
        name: format!("storefront-{n}"),
        ..with_copies(mk_revision('c', "v0"), 100 + n)
    };
    c.environment().earlier = (1..crate::pipeline::REVISION_LIMIT)
        .map(|n| earlier(u32::try_from(n).unwrap()))
        .collect();
    let d = c.decide();
    assert_eq!(d.journal.stale, [version(109).as_copy()]);
    let promoted = d.effects.iter().find_map(|e| match e {
        Effect::RecordOutcome { promoted, .. } => promoted.clone(),
        _ => None,
    });
    assert_eq!(promoted.unwrap().copies, [version(7).as_copy()]);
}

#[test]
fn going_back_needs_no_copy() {
    let mut c = with_config(mk_return());
    c.seen.objects.clear();
    assert!(looks_at(&c.view, &c.journal).is_empty());
    let d = c.decide();
    assert!(
        d.journal.config.is_empty() && !d.journal.message.contains("Config"),
        "{}",
        c.show(&d)
    );
}
