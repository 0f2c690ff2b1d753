//! How each scenario ends on the simulator. `make e2e` plays the same on a real cluster and compares.

use sluice_scenarios::both::{Scenario, on_the_simulator};

fn ends(scenario: Scenario, expected: &expect_test::Expect) {
    let ending = on_the_simulator(scenario);
    assert!(ending.is_ok(), "{}: {ending:?}", scenario.name());
    let ending = ending.unwrap_or_default();
    let mut text = String::new();
    for (what, lines) in [
        ("rollout", &ending.rollouts),
        ("deployment", &ending.deployments),
        ("stable", &ending.stable),
    ] {
        for (name, is) in lines {
            text.push_str(&format!("{what} {name}: {is}\n"));
        }
    }
    for (environment, tags) in &ending.quarantined {
        text.push_str(&format!(
            "quarantined in {environment}: {}\n",
            tags.join(", ")
        ));
    }
    expected.assert_eq(&text);
}

#[test]
fn good() {
    ends(
        Scenario::Good,
        &expect_test::expect![[r#"
        rollout production v1.1.0: Succeeded
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.1.0 x10 ready 10
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.1.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn sick_in_production() {
    ends(
        Scenario::SickInProduction,
        &expect_test::expect![[r#"
        rollout production v1.2.0: RolledBack
        rollout staging v1.2.0: Succeeded
        deployment shop target: v1.0.0 x10 ready 10
        deployment staging target: v1.2.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.2.0
        quarantined in production: v1.2.0
    "#]],
    );
}

#[test]
fn never_ready() {
    ends(
        Scenario::NeverReady,
        &expect_test::expect![[r#"
        rollout staging v1.3.0: RolledBack
        deployment shop target: v1.0.0 x10 ready 10
        deployment staging target: v1.0.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.0.0
        quarantined in staging: v1.3.0
    "#]],
    );
}

#[test]
fn rejected() {
    ends(
        Scenario::Rejected,
        &expect_test::expect![[r#"
        rollout production v1.1.0: Rejected
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.0.0 x10 ready 10
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn image_set_by_hand() {
    ends(
        Scenario::ImageSetByHand,
        &expect_test::expect![[r#"
        rollout production v1.1.0: RolledBack
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.0.0 x10 ready 10
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn scaled_by_hand() {
    ends(
        Scenario::ScaledByHand,
        &expect_test::expect![[r#"
        rollout production v1.1.0: Succeeded
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.1.0 x10 ready 10
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.1.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn autoscaled() {
    ends(
        Scenario::Autoscaled,
        &expect_test::expect![[r#"
        rollout production v1.1.0: Succeeded
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.1.0 x12 ready 12
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.1.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn aborted() {
    ends(
        Scenario::Aborted,
        &expect_test::expect![[r#"
        rollout production v1.1.0: RolledBack
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.0.0 x10 ready 10
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn target_deleted() {
    ends(
        Scenario::TargetDeleted,
        &expect_test::expect![[r#"
        rollout production v1.1.0: Failed
        rollout staging v1.1.0: Succeeded
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.1.0
    "#]],
    );
}

#[test]
fn went_back() {
    ends(
        Scenario::WentBack,
        &expect_test::expect![[r#"
        rollout production v1.0.0: Succeeded
        rollout production v1.1.0: Succeeded
        rollout staging v1.1.0: Succeeded
        deployment shop target: v1.0.0 x10 ready 10
        deployment staging target: v1.1.0 x3 ready 3
        stable production: v1.0.0
        stable staging: v1.1.0
        quarantined in production: v1.1.0
    "#]],
    );
}
