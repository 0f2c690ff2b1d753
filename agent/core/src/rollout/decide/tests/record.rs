//! The end: what outlives the Rollout is written to the Pipeline first, and once.

use expect_test::expect;

use crate::pipeline::{Outcome, OutcomeKind};
use crate::rollout::fixture::*;
use crate::rollout::{Ending, Seen, State};

fn recording(kind: OutcomeKind, quarantine: Option<&str>) -> Case {
    let mut c = mk_holding(2);
    c.set_state(State::Recording(Ending {
        kind,
        message: "it is over".into(),
        quarantine: quarantine.map(str::to_owned),
    }));
    c
}

#[test]
fn success_saves_the_template_before_it_becomes_the_stable_one() {
    check(
        &recording(OutcomeKind::Succeeded, None),
        expect![[r#"
        Recording Succeeded: writes the outcome to the pipeline
          because it is over
          save-revision shop/storefront-upcclmh5ig template-b
          record storefront-production-abcdefgh23 Succeeded
            stable is v1.1.0
    "#]],
    );
}

#[test]
fn a_bad_candidate_is_quarantined_with_the_evidence() {
    check(
        &recording(OutcomeKind::RolledBack, Some("http-smoke failed in step 1")),
        expect![[r#"
        Recording RolledBack: writes the outcome to the pipeline
          because it is over
          record storefront-production-abcdefgh23 RolledBack
            quarantines v1.1.0: http-smoke failed in step 1
    "#]],
    );
}

#[test]
fn what_was_aborted_is_not() {
    check(
        &recording(OutcomeKind::RolledBack, None),
        expect![[r#"
        Recording RolledBack: writes the outcome to the pipeline
          because it is over
          record storefront-production-abcdefgh23 RolledBack
    "#]],
    );
}

#[test]
fn it_ends_when_the_pipeline_knows() {
    let mut c = recording(OutcomeKind::RolledBack, None);
    let rollout = c.view.name.clone();
    c.environment().history.push(Outcome {
        rollout,
        digest: mk_digest('b'),
        tag: None,
        kind: OutcomeKind::RolledBack,
        drill: false,
        at: t(20),
    });
    check(
        &c,
        expect![[r#"
        RolledBack: it is over
          + rolled-back: it is over
          never looks again
    "#]],
    );
    let ended = c.clone().then(60);
    check(
        &ended,
        expect![[r#"
        RolledBack: it is over
          never looks again
    "#]],
    );
    assert_eq!(
        ended.decide().journal,
        ended.journal,
        "nothing is written any more"
    );
    // Whatever happens to the world afterwards.
    let mut after = ended
        .clone()
        .request(crate::rollout::Action::Rollback, "alice");
    after.seen.target = Seen::Absent;
    after.seen.siblings = vec![mk_sibling(
        "newer",
        500,
        crate::rollout::SiblingStage::Queued,
    )];
    assert_eq!(after.decide().journal, ended.journal);
}

#[test]
fn a_pipeline_that_is_gone_needs_no_record() {
    let mut c = recording(OutcomeKind::Succeeded, None);
    c.seen.environment = Seen::Absent;
    assert_eq!(c.decide().journal.phase, "Succeeded");
}

#[test]
fn every_end_is_told_once() {
    for kind in [
        OutcomeKind::Succeeded,
        OutcomeKind::RolledBack,
        OutcomeKind::Refused,
        OutcomeKind::Rejected,
        OutcomeKind::Expired,
        OutcomeKind::Superseded,
        OutcomeKind::Cancelled,
        OutcomeKind::Failed,
    ] {
        let mut c = recording(kind, None);
        c.seen.environment = Seen::Absent;
        let d = c.decide();
        assert_eq!(d.journal.outbox.len(), c.journal.outbox.len() + 1);
        assert_eq!(d.journal.phase, kind.phase());
        assert_eq!(d.journal.ended_at, Some(c.now));
    }
}
