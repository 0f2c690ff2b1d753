//! The example that the documentation shows is the one that compiles and runs here.

mod health {
    include!("../examples/health.rs");

    use serde_json::json;
    use sluice_sdk::testing::{Reply, Script};

    #[test]
    fn the_example_catches_a_lying_health_page() {
        for (status, outcome) in [("ok", Outcome::Pass), ("failing", Outcome::Fail)] {
            let played = Script::new()
                .settings(json!({"path": "/health"}))
                .call(
                    "GET",
                    "/health",
                    Reply::json(200, &json!({"status": status})),
                )
                .smoke_test(health);
            assert_eq!(played.report().outcome, outcome);
        }
    }
}

const EXAMPLE: &str = include_str!("../examples/health.rs");

#[test]
fn a_smoke_test_is_at_most_fifteen_lines() {
    assert!(
        EXAMPLE.lines().count() <= 15,
        "{} lines",
        EXAMPLE.lines().count()
    );
}

#[test]
fn the_guide_shows_this_example() {
    let guide = include_str!("../../docs/plugin-authors.md");
    assert!(
        guide.contains(EXAMPLE.trim()),
        "docs/plugin-authors.md shows another example"
    );
}
