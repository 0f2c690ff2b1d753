//! Hints that a registry has something new (reliability.md H4): they bring a look forward and are nothing
//! else, however many come.

use std::time::Duration;

use sluice_scenarios::{
    Life, Process, REPOSITORY, Stage, on_virtual_time, remembered, status, until,
};

const MINUTES: Duration = Duration::from_secs(20 * 60);

#[test]
fn a_hint_brings_the_look_forward_and_a_flood_of_them_costs_one_in_five_seconds() {
    on_virtual_time(async {
        let stage = Stage::new(7);
        stage.push("v1.0.0", 'a');
        let life = Life::new(&stage);
        let Process { agent, client } = Process::start(&stage, life.policy(), None);
        let hints = agent.hints();
        let script = async {
            until(&stage, "the baseline is adopted", MINUTES, |s| {
                remembered(s, "production")["stable"].is_object()
            })
            .await;
            assert_eq!(
                hints.look("registry.example.com/shop/other"),
                0,
                "nobody watches it"
            );
            assert_eq!(hints.look("no repository:at@all"), 0);
            // Just looked at: the next look by itself is 54 s away at least.
            let lists = stage.registry.lists();
            until(&stage, "it is looked at", MINUTES, |s| {
                s.registry.lists() > lists
            })
            .await;
            stage.push("v1.1.0", 'b');
            assert_eq!(hints.look(REPOSITORY), 1);
            until(
                &stage,
                "it is proposed at once",
                Duration::from_secs(3),
                |s| status(s, "staging", "v1.1.0").is_object(),
            )
            .await;
            let lists = stage.registry.lists();
            for _ in 0..600 {
                for _ in 0..100 {
                    assert_eq!(hints.look(REPOSITORY), 1);
                }
                stage.pass(Duration::from_millis(50)).await;
            }
            let looks = stage.registry.lists() - lists;
            assert!((5..=7).contains(&looks), "{looks} looks in 30 s");
            // The last hint is not lost because others came just before it.
            let lists = stage.registry.lists();
            hints.look(REPOSITORY);
            let soon = Duration::from_secs(6);
            until(&stage, "it is looked at", soon, |s| {
                s.registry.lists() > lists
            })
            .await;
            // Where the registry gave no answer, a hint that anybody could forge undoes no wait.
            stage.registry.set_down(true);
            stage.pass(Duration::from_secs(300)).await;
            let lists = stage.registry.lists();
            for _ in 0..60 {
                hints.look(REPOSITORY);
                stage.pass(Duration::from_secs(1)).await;
            }
            let looks = stage.registry.lists() - lists;
            assert!(looks <= 3, "{looks} looks in a minute");
        };
        tokio::select! {
            () = script => {}
            ended = agent.run() => panic!("the agent ended: {ended:?}"),
        }
        // Its tasks end with the next turn of the runtime.
        stage.pass(Duration::from_secs(1)).await;
        assert!(!client.is_crashed());
        assert_eq!(
            hints.look(REPOSITORY),
            0,
            "the agent is gone, and hints keep nothing of it"
        );
    });
}
