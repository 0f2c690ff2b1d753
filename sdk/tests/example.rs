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

mod board {
    include!("../examples/board.rs");

    use sluice_sdk::testing::{Reply, Script};

    #[test]
    fn the_example_asks_once_and_keeps_what_it_is_answered() {
        let played = Script::new()
            .settings(json!({"path": "/requests"}))
            .attribute("approval-request", r#"{"service": "storefront"}"#)
            .call_on("board", "POST", "/requests", Reply::text(201, "CHG-7"))
            .approval(ask);
        assert_eq!(played.answer(), &Status::Pending("CHG-7".into()));
    }
}

const EXAMPLES: [&str; 2] = [EXAMPLE, include_str!("../examples/board.rs")];
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
fn the_guide_shows_these_examples() {
    let guide = include_str!("../../docs/plugin-authors.md");
    for example in EXAMPLES {
        assert!(
            guide.contains(example.trim()),
            "docs/plugin-authors.md shows another example"
        );
    }
}
