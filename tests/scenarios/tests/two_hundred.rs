//! Two hundred releases by four strategies, of which at least one of ten is bad in one of five ways.
//! No bad one is promoted, every good one is, and each is over within the time that the policy gives it.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "indexing JSON by key gives null, never a panic; tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_scenarios::{
    Crew, Life, POLICY, REPOSITORY, STAGING, Stage, beside, digest, on_virtual_time, until,
};
use sluice_sim::{Behaviour, Readiness, Resource, Rule};

const ROLLOUTS: usize = 200;
/// Side by side on one stage.
const AT_ONCE: usize = 5;
/// Of a hundred of those that are drawn, so many are bad on average.
const BAD: usize = 8;
const SEED: u32 = 2026;
const TOTAL_TIME: Duration = Duration::from_secs(3600);
const LIMITS: &str = "    limits: {totalTime: 1h, progressDeadline: 5m}\n";
const WAYS: [&str; 4] = ["ratio", "blue-green", "route", "rolling"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Good,
    NeverReady,
    CrashesLater,
    WrongHealth,
    BadMetrics,
    Slow,
}

impl Kind {
    const BAD: [Self; 5] = [
        Self::NeverReady,
        Self::CrashesLater,
        Self::WrongHealth,
        Self::BadMetrics,
        Self::Slow,
    ];

    /// The letter of its digest.
    fn letter(self) -> char {
        match self {
            Self::Good | Self::BadMetrics => 'b',
            Self::NeverReady => '1',
            Self::CrashesLater => '2',
            Self::WrongHealth => '3',
            Self::Slow => '4',
        }
    }
}

/// Numbers of a seed.
struct Draw(u32);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        // Numerical Recipes' generator; its high bits are the good ones.
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as usize % n
    }
}

#[derive(Clone, Copy)]
struct Release {
    n: usize,
    way: &'static str,
    kind: Kind,
}

/// Each kind of bad release once in each way, and the others as the seed draws them; in the order that
/// it draws.
fn drawn() -> Vec<Release> {
    let mut draw = Draw(SEED);
    let every = WAYS
        .iter()
        .flat_map(|way| Kind::BAD.map(|kind| (*way, kind)));
    let mut all: Vec<(&'static str, Kind)> = every.collect();
    while all.len() < ROLLOUTS {
        let way = WAYS[draw.below(4)];
        let bad = draw.below(100) < BAD;
        let which = Kind::BAD[draw.below(5)];
        all.push((way, if bad { which } else { Kind::Good }));
    }
    for last in (1..all.len()).rev() {
        all.swap(last, draw.below(last + 1));
    }
    let release = |(n, (way, kind))| Release { n, way, kind };
    all.into_iter().enumerate().map(release).collect()
}

fn images(stage: &Stage) {
    let sick = Rule::at("/health").answers(200, json!({"status": "degraded"}));
    let slow = Rule::at("/health").slow(Duration::from_secs(3));
    let after = Duration::from_secs(40);
    for (kind, behaviour) in [
        (
            Kind::NeverReady,
            Behaviour::serving("v2").readiness(Readiness::Never),
        ),
        (
            Kind::CrashesLater,
            Behaviour::serving("v2").crashes_after(after),
        ),
        (Kind::WrongHealth, Behaviour::serving("v2").rule(sick)),
        (Kind::Slow, Behaviour::serving("v2").rule(slow)),
    ] {
        let images = stage.cluster.images();
        images.set(REPOSITORY, &digest(kind.letter()), behaviour);
    }
}

fn strategy(way: &str, name: &str) -> Value {
    match way {
        "ratio" => json!({"plugin": "canary", "router": {"replicas": {}}}),
        "blue-green" => json!({"plugin": "blue-green", "router": {"service": {}}}),
        "route" => json!({"plugin": "canary", "router": {"httpRoute": {"name": name}}}),
        _ => json!({"plugin": "rolling", "router": {"replicas": {}}}),
    }
}

fn add(stage: &Stage, release: Release) {
    let name = format!("svc-{}", release.n);
    stage.add_service(&name, 4, &strategy(release.way, &name), &json!({}));
    let errors = match release.kind {
        Kind::BadMetrics => json!({"0": 200, "1": 200, "2": 200, "watch": 200}),
        _ => json!({}),
    };
    stage
        .cluster
        .modify(Resource::Pipelines, "delivery", &name, |pipeline| {
            let environment = &mut pipeline["spec"]["environments"][0];
            environment["analysis"] = json!([{
                "plugin": "numbers", "name": "errors", "settings": {"errors": errors},
                "every": "10s", "require": "< 1%",
            }]);
            environment["watch"] = json!({"for": "2m"});
        });
    if release.way == "route" {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "namespace": STAGING},
            "spec": {
                "parentRefs": [{"name": "public"}],
                "rules": [{"backendRefs": [{"name": name, "port": 8080}]}],
            },
        });
        stage.cluster.apply(route).unwrap();
    }
}

/// How each of these ends, and how long it took from the wish on.
async fn played(releases: &[Release]) -> Vec<(Release, String, Duration)> {
    let mut stage = Stage::new(releases[0].n as u64);
    // Only staging's own is left: nothing here waits for people.
    let open = POLICY.replace(
        "    checks: {require: [http-smoke]}\n  production:",
        &format!("    checks: {{require: [http-smoke]}}\n{LIMITS}  production:"),
    );
    stage.policy = Arc::new(Policy::parse(&open).unwrap());
    images(&stage);
    for release in releases {
        add(&stage, *release);
    }
    stage.push("v1.0.0", 'a');
    let life = Life::new(&stage);
    let mut ended: BTreeMap<usize, (String, Duration)> = BTreeMap::new();
    beside(&stage, &life, &Crew::absent(), async {
        until(&stage, "every baseline is adopted", TOTAL_TIME, |s| {
            releases.iter().all(|r| {
                let name = format!("svc-{}", r.n);
                let found = s.cluster.object(Resource::Pipelines, "delivery", &name);
                found.is_some_and(|p| p["status"]["environments"]["staging"]["stable"].is_object())
            })
        })
        .await;
        let begin = stage.cluster.clock().elapsed();
        for release in releases {
            let spec = json!({"action": "deploy", "pipeline": format!("svc-{}", release.n),
                              "environment": "staging", "digest": digest(release.kind.letter())});
            let name = format!("ask-{}", release.n);
            Crew::ask(&stage, "alice@example.com", &name, spec).await;
        }
        while ended.len() < releases.len() {
            stage.pass(Duration::from_secs(5)).await;
            let took = stage.cluster.clock().elapsed().saturating_sub(begin);
            assert!(took < 2 * TOTAL_TIME, "some never end");
            for rollout in stage.cluster.objects(Resource::Rollouts, "delivery") {
                let state = &rollout["status"]["state"]["phase"];
                let of = rollout["spec"]["pipeline"].as_str().unwrap_or_default();
                let n = of.trim_start_matches("svc-").parse().unwrap_or(usize::MAX);
                if state == "Ended" && !ended.contains_key(&n) {
                    let phase = rollout["status"]["phase"].as_str().unwrap_or_default();
                    ended.insert(n, (phase.to_owned(), took));
                }
            }
        }
    })
    .await;
    let of = |r: &Release| {
        let (phase, took) = ended[&r.n].clone();
        (*r, phase, took)
    };
    releases.iter().map(of).collect()
}

#[test]
fn of_two_hundred_releases_no_bad_one_is_promoted_and_every_good_one_is() {
    let started = Instant::now();
    let releases = drawn();
    let bad = releases.iter().filter(|r| r.kind != Kind::Good).count();
    assert!(bad * 10 >= releases.len(), "only {bad} are bad");
    let halves: Vec<&[Release]> = releases.chunks(AT_ONCE).collect();
    let (one, two) = halves.split_at(halves.len() / 2);
    let all = |stages: &[&[Release]]| -> Vec<_> {
        stages
            .iter()
            .flat_map(|stage| on_virtual_time(played(stage)))
            .collect()
    };
    let ended: Vec<(Release, String, Duration)> = std::thread::scope(|scope| {
        let first = scope.spawn(|| all(one));
        let mut ended = all(two);
        ended.extend(first.join().unwrap());
        ended
    });
    let mut table: BTreeMap<(Kind, &str), (usize, usize, Duration)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (release, phase, took) in &ended {
        let entry = table.entry((release.kind, release.way)).or_default();
        let promoted = phase == "Succeeded";
        entry.0 += usize::from(promoted);
        entry.1 += usize::from(phase == "RolledBack");
        entry.2 = entry.2.max(*took);
        let wanted = if release.kind == Kind::Good {
            "Succeeded"
        } else {
            "RolledBack"
        };
        if phase != wanted || *took > TOTAL_TIME {
            let Release { n, way, kind } = release;
            wrong.push(format!(
                "svc-{n}, {kind:?} by {way}: {phase} after {took:?}"
            ));
        }
    }
    let mut text = format!(
        "{} releases, {bad} bad, {} wrong endings; {:.0} s\n",
        ended.len(),
        wrong.len(),
        started.elapsed().as_secs_f64()
    );
    text.push_str("| release | by | promoted | rolled back | longest |\n|---|---|---|---|---|\n");
    for ((kind, way), (promoted, back, longest)) in &table {
        text.push_str(&format!(
            "| {kind:?} | {way} | {promoted} | {back} | {} s |\n",
            longest.as_secs()
        ));
    }
    let _ = write!(std::io::stderr(), "{text}");
    assert_eq!(ended.len(), releases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
