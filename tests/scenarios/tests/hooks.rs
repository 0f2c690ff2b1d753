//! Jobs before and after a release: each in effect once, wherever the agent dies; and the record of a
//! release with a backup, a migration, three steps, an analysis and a rollback, which stands in the docs.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing JSON by key gives null, never a panic"
)]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_scenarios::{
    Crew, Life, PRODUCTION, REPOSITORY, Stage, Story, digest, on_virtual_time, oracle, quiet,
    sound, stuck, to_its_end,
};
use sluice_sim::{Behaviour, Fault, Ran, Resource, Rule, Run};

/// What the backup says.
const BACKUP: &str = r#"{"verified":true,"location":"s3://backups/shop/0007","bytes":73400320,"restore":"pg_restore --clean --dbname=shop s3://backups/shop/0007"}"#;

/// v1.1.0 and v1.2.0 as everywhere, and what they do in Jobs.
fn mk_stage(seed: u64, course: &Course) -> Stage {
    let stage = Stage::new(seed);
    let images = stage.cluster.images();
    let sick = Rule::at("/health")
        .in_namespace(PRODUCTION)
        .answers(200, json!({"status": "degraded"}));
    for (letter, behaviour) in [
        ('b', Behaviour::serving("v1.1.0")),
        ('c', Behaviour::serving("v1.2.0").rule(sick)),
    ] {
        let migrate = course.migrate.clone().with_argument("up");
        let behaviour = behaviour
            .run(migrate)
            .run(Run::succeeds().with_argument("down").message("42 to 41"));
        images.set(REPOSITORY, &digest(letter), behaviour);
    }
    let tool = Behaviour::serving("tool").run(
        Run::succeeds()
            .after(course.backup_takes)
            .message(BACKUP)
            .log(&["dumps 12 tables", "reads them back", "all is there"]),
    );
    images.set("registry.example.com/tools/pg", "sha256:tool", tool);
    let own = format!("{REPOSITORY}:v1.0.0");
    let tool = "registry.example.com/tools/pg@sha256:tool";
    for (name, image, args) in [
        ("storefront-backup", tool, json!(["dump"])),
        ("storefront-migrate", own.as_str(), json!(["migrate", "up"])),
        (
            "storefront-migrate-down",
            own.as_str(),
            json!(["migrate", "down"]),
        ),
        ("storefront-tidy", own.as_str(), json!(["tidy"])),
    ] {
        stage.cluster.apply(cron_job(name, image, &args)).unwrap();
    }
    let pipeline = stage
        .cluster
        .object(Resource::Pipelines, "delivery", "storefront");
    let mut pipeline = Value::clone(&pipeline.unwrap());
    let production = &mut pipeline["spec"]["environments"][1];
    production["before"] = json!([
        {"name": "backup", "cronJob": "storefront-backup", "timeout": "5m", "verified": true},
        {"name": "migrate", "cronJob": "storefront-migrate", "undo": "storefront-migrate-down",
         "timeout": "2m"},
    ]);
    production["afterwards"] = json!([{"name": "tidy", "cronJob": "storefront-tidy"}]);
    if !course.analysis.is_null() {
        production["analysis"] = course.analysis.clone();
    }
    stage.cluster.apply(pipeline).unwrap();
    stage
}

/// What a release meets beside its own behaviour.
struct Course {
    migrate: Run,
    backup_takes: Duration,
    analysis: Value,
}

/// Everything does what it should, and soon.
fn works() -> Course {
    Course {
        migrate: Run::succeeds().message("41 to 42"),
        backup_takes: Duration::from_secs(3),
        analysis: Value::Null,
    }
}

fn cron_job(name: &str, image: &str, args: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": name, "namespace": PRODUCTION},
        "spec": {
            "schedule": "0 0 1 1 *", "suspend": true,
            "jobTemplate": {"spec": {"template": {
                "metadata": {"labels": {"job": name}},
                "spec": {"restartPolicy": "Never", "containers": [
                    {"name": "run", "image": image, "args": args},
                ]},
            }}},
        },
    })
}

/// What a story came to.
struct Played {
    writes: u64,
    state: oracle::FinalState,
    /// Jobs that are there in the end.
    jobs: usize,
    /// Every container that ran for a hook, in this order.
    ran: Vec<String>,
    record: Value,
}

async fn play(course: Course, story: Story, faults: &[(u64, Fault)]) -> Result<Played, String> {
    let stage = mk_stage(1, &course);
    let plan = stage.cluster.faults(&stage.cluster.agent());
    for (write, fault) in faults {
        plan.at(*write, *fault);
    }
    let begin = stage.cluster.clock().now();
    stage.push("v1.0.0", 'a');
    let life = Life::new(&stage);
    let crew = Crew::approving();
    let play = async {
        to_its_end(&stage, story).await;
        quiet(&stage).await
    };
    tokio::select! {
        ended = play => ended?,
        () = life.go_on(&stage) => return Err("the agent's life ended".into()),
        () = crew.work(&stage) => return Err("the crew left".into()),
        why = stuck(&stage) => return Err(why),
    };
    sound(&stage, story, begin)?;
    let jobs = stage.cluster.objects(Resource::Jobs, PRODUCTION).len();
    let ran = stage.cluster.runs();
    let told = |run: &Ran| {
        let hook = run.environment.get("SLUICE_HOOK").cloned();
        format!("{} ({})", hook.unwrap_or_default(), run.arguments.join(" "))
    };
    let records = stage.sink.records();
    let of = |(record, _): &&(Value, u32)| record["environment"] == "production";
    Ok(Played {
        writes: plan.writes(),
        state: oracle::final_state(&stage.cluster),
        jobs,
        ran: ran.iter().map(told).collect(),
        record: records
            .iter()
            .find(of)
            .map(|(r, _)| r.clone())
            .unwrap_or_default(),
    })
}

#[test]
fn a_release_with_a_backup_and_a_migration() {
    let played = on_virtual_time(play(works(), Story::Good, &[])).unwrap();
    assert_eq!(played.state.rollouts["production v1.1.0"], "Succeeded");
    assert_eq!(
        played.ran,
        ["backup (dump)", "migrate (migrate up)", "tidy (tidy)"]
    );
    let hooks = &played.record["hooks"];
    assert_eq!(hooks[0]["verified"], true);
    assert_eq!(hooks[0]["result"]["bytes"], 73_400_320);
    assert_eq!(
        hooks[0]["log"],
        "dumps 12 tables\nreads them back\nall is there\n"
    );
    assert_eq!(hooks[1]["result"], "41 to 42");
    assert_eq!(
        played.record["restoreCommand"],
        "pg_restore --clean --dbname=shop s3://backups/shop/0007"
    );
}

#[test]
fn numbers_that_turn_bad_at_the_end_take_everything_back_and_the_record_stands_in_the_docs() {
    let course = Course {
        backup_takes: Duration::from_secs(40),
        // Of a thousand requests: three errors with the canary, thirty once it has all the traffic.
        analysis: json!([{
            "plugin": "numbers", "name": "errors", "every": "10s", "count": 3, "require": "< 1%",
            "settings": {"errors": {"0": 3, "1": 3, "2": 30}},
        }]),
        ..works()
    };
    let played = on_virtual_time(play(course, Story::Good, &[])).unwrap();
    assert_eq!(played.state.rollouts["production v1.1.0"], "RolledBack");
    assert_eq!(
        played.ran,
        [
            "backup (dump)",
            "migrate (migrate up)",
            "migrate (migrate down)"
        ]
    );
    let record = sorted(&played.record);
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/samples/record.json"
    );
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        std::fs::write(path, format!("{record:#}\n")).unwrap();
    }
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (record, sample) = (without_instants(&record), without_instants(&sample));
    assert!(
        record == sample,
        "docs/samples/record.json is not what the story leaves any more: UPDATE=1 cargo test -p \
         sluice-scenarios --test hooks\n{record:#}"
    );
}

/// What stays the same whatever a turn of the loop takes: no instants, and no seconds between them.
fn without_instants(value: &Value) -> Value {
    match value {
        Value::Number(n) if n.is_f64() => json!("seconds"),
        Value::String(text) if text.contains("2026-01-0") => {
            json!(text.replace(|c: char| c.is_ascii_digit() || c == '.', ""))
        }
        Value::Array(list) => list.iter().map(without_instants).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), without_instants(v)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn a_migration_that_fails_moves_no_traffic() {
    for (migrate, told) in [
        (Run::fails(3).message("no such table"), "exit code 3"),
        (Run::hangs(), "DeadlineExceeded"),
        (Run::cannot_be_pulled(), "ImagePull"),
    ] {
        let played =
            on_virtual_time(play(Course { migrate, ..works() }, Story::Good, &[])).unwrap();
        assert_eq!(played.state.rollouts["production v1.1.0"], "RolledBack");
        assert!(played.state.quarantined["production"].is_empty());
        let message = played.record["hooks"][1]["message"].as_str().unwrap();
        assert!(message.contains(told), "{message}");
        assert_eq!(played.ran.last().unwrap(), "migrate (migrate down)");
        assert!(played.record["checks"].as_array().unwrap().is_empty());
    }
}

/// These faults, in turns, at every write of a story; and a death before and after each.
fn faults(story: Story, kinds: &[Fault]) {
    let calm = on_virtual_time(play(works(), story, &[])).unwrap();
    assert_eq!(calm.ran.len(), 3);
    let (mut runs, mut failures) = (0, Vec::new());
    for write in 1..=calm.writes {
        let turn = usize::try_from(write).unwrap() % Fault::ALL.len();
        for fault in kinds.iter().copied().chain([Fault::ALL[turn]]) {
            runs += 1;
            let played = on_virtual_time(play(works(), story, &[(write, fault)]));
            let why = match played {
                Ok(p) if p.state != calm.state => format!("ends as {:?}", p.state),
                Ok(p) if p.ran != calm.ran => format!("hooks ran: {:?}", p.ran),
                Ok(p) if p.jobs != calm.jobs => format!("{} Jobs", p.jobs),
                Ok(_) => continue,
                Err(why) => why,
            };
            failures.push(format!("{fault:?} at write {write}: {why}"));
        }
    }
    // Past the harness's capture: the number of runs is shown also when all is well.
    let _ = writeln!(
        std::io::stderr(),
        "hooks in the {story:?} story: {} writes, {runs} runs with one fault each, {} failures",
        calm.writes,
        failures.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_hook_is_in_effect_once_with_a_fault_at_any_write_of_the_good_story() {
    faults(Story::Good, &[]);
}

#[test]
fn each_hook_is_in_effect_once_when_the_agent_dies_at_any_write_of_the_bad_story() {
    faults(Story::Bad, &[Fault::CrashBefore, Fault::CrashAfter]);
}

/// With its keys in order, whatever the order that they were stored in.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(k, _)| (*k).clone());
            let entries = entries.into_iter();
            entries.map(|(k, v)| (k.clone(), sorted(v))).collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
