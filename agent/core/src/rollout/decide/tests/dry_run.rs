//! A dry run looks at everything and changes nothing (requirement A8).

use expect_test::expect;

use crate::rollout::fixture::*;
use crate::rollout::{Effect, SiblingStage};

fn dry() -> Case {
    let mut c = mk_planning();
    c.view.spec.dry_run = true;
    c.answer("plan-1", crate::plugin::PluginAnswer::Plan(mk_proposal()));
    c
}

#[test]
fn it_ends_with_the_plan_and_who_would_have_to_agree() {
    check(
        &dry(),
        expect![[r#"
            Planned: nothing was changed; the plan is 10 % for 2m, 50 % for 5m, 100 %; at least 7m; devops-lead and tech-lead would have to approve
              + planned: nothing was changed; the plan is 10 % for 2m, 50 % for 5m, 100 %; at least 7m; devops-lead and tech-lead would have to approve
              never looks again
        "#]],
    );
}

#[test]
fn it_says_what_it_would_wait_for() {
    let mut c = dry();
    c.policy = mk_policy_with("windows: [{allow: 'SAT 09:00-10:00', timeZone: UTC}]");
    c.seen.siblings = vec![mk_sibling("another", 0, SiblingStage::Begun)];
    check(
        &c,
        expect![[r#"
            Planned: nothing was changed; the plan is 10 % for 2m, 50 % for 5m, 100 %; at least 7m; devops-lead and tech-lead would have to approve; now it would wait: the change window is closed: outside the windows SAT 09:00-10:00 UTC; next change at 2026-10-17 09:00:00 UTC; now it would wait: waits for another (what another deploys), which has the target now
              + planned: nothing was changed; the plan is 10 % for 2m, 50 % for 5m, 100 %; at least 7m; devops-lead and tech-lead would have to approve; now it would wait: the change window is closed: outside the windows SAT 09:00-10:00 UTC; next change at 2026-10-17 09:00:00 UTC; now it would wait: waits for another (what another deploys), which has the target now
              never looks again
        "#]],
    );
}

#[test]
fn it_writes_nothing_whatever_it_finds() {
    for policy in ["", "rules: [{deny: 'true', message: never}]"] {
        let mut c = dry();
        c.policy = mk_policy_with(policy);
        for _ in 0..6 {
            let d = c.decide();
            let writes = d
                .effects
                .iter()
                .filter(|e| !matches!(e, Effect::Ask { .. }));
            assert_eq!(writes.count(), 0, "{:?}", d.effects);
            c = c.then(1);
        }
        assert!(c.journal.state.ended());
        assert!(c.journal.approval.is_some() || !policy.is_empty());
    }
}
