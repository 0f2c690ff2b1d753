//! How often a good candidate is called bad, and how soon a bad one is noticed: whole histories,
//! drawn by lot. `cargo test -p sluice-core analysis -- --nocapture` shows the tables.

use super::{CountTest, Counts, SignTest};

use lots::Lots;
use naive::Naive;

mod lots;
mod naive;

const ALPHA: f64 = 0.01;
/// Looks of a history: a rollout of twenty minutes, looked at every ten seconds.
const LOOKS: u32 = 120;
const HISTORIES: u32 = 2_000;

#[expect(clippy::cast_precision_loss, reason = "simulated counts are small")]
fn float(n: u64) -> f64 {
    n as f64
}

/// Lines that are shown together: tests run side by side. Also where one of them fails.
struct Table(Vec<String>);

impl Table {
    fn new(title: String, columns: &str) -> Self {
        let rule = columns
            .split('|')
            .map(|c| if c.is_empty() { "" } else { "---" })
            .collect::<Vec<_>>()
            .join("|");
        Self(vec![title, columns.to_owned(), rule])
    }

    fn line(&mut self, line: String) {
        self.0.push(line);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        println!("{}\n", self.0.join("\n"));
    }
}

/// A world in which candidates live.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    /// Probability of an event at the stable version, by look.
    stable: fn(u32) -> f64,
    /// How much worse the candidate is allowed to be, and is.
    margin: f64,
    /// Share of the candidate, by look.
    share: fn(u32) -> f64,
}

impl World {
    const fn new(
        name: &'static str,
        stable: fn(u32) -> f64,
        margin: f64,
        share: fn(u32) -> f64,
    ) -> Self {
        Self {
            name,
            stable,
            margin,
            share,
        }
    }
}

/// Worlds in which no candidate is worse than the margin allows. In the last two the rate and the
/// shares change together, so that all requests added up make the candidate look worse.
const GOOD: [World; 14] = [
    World::new("0.1 %, 10:90", |_| 0.001, 0.0, |_| 0.1),
    World::new("0.1 %, 50:50", |_| 0.001, 0.0, |_| 0.5),
    World::new("1 %, 10:90", |_| 0.01, 0.0, |_| 0.1),
    World::new("1 %, 50:50", |_| 0.01, 0.0, |_| 0.5),
    World::new("5 %, 10:90", |_| 0.05, 0.0, |_| 0.1),
    World::new("5 %, 50:50", |_| 0.05, 0.0, |_| 0.5),
    World::new("0.1 % + 0.5, 10:90", |_| 0.001, 0.005, |_| 0.1),
    World::new("0.1 % + 0.5, 50:50", |_| 0.001, 0.005, |_| 0.5),
    World::new("1 % + 0.5, 10:90", |_| 0.01, 0.005, |_| 0.1),
    World::new("1 % + 0.5, 50:50", |_| 0.01, 0.005, |_| 0.5),
    World::new("5 % + 0.5, 10:90", |_| 0.05, 0.005, |_| 0.1),
    World::new("5 % + 0.5, 50:50", |_| 0.05, 0.005, |_| 0.5),
    World::new("1 to 3 %, 5 to 50 %", rising, 0.0, stepped),
    World::new("1 to 3 % + 0.5, 5 to 50 %", rising, 0.005, stepped),
];

/// 1 %, and 3 % from the middle on.
fn rising(look: u32) -> f64 {
    if look < LOOKS / 2 { 0.01 } else { 0.03 }
}

/// 5 %, and 50 % from the middle on.
fn stepped(look: u32) -> f64 {
    if look < LOOKS / 2 { 0.05 } else { 0.5 }
}

/// The counts of one window.
fn window(lots: &mut Lots, total: u64, share: f64, rates: (f64, f64)) -> (Counts, Counts) {
    let candidate = lots.successes(total, share);
    let stable = total - candidate;
    (
        Counts {
            events: lots.successes(stable, rates.0),
            total: stable,
        },
        Counts {
            events: lots.successes(candidate, rates.1),
            total: candidate,
        },
    )
}

fn percent(part: u32, whole: u32) -> f64 {
    f64::from(part) * 100.0 / f64::from(whole)
}

/// The promise: however often one looks, at most a share alpha of good candidates is called bad. A
/// test for a single look, in its place, breaks it many times over.
#[test]
fn good_candidates_are_rarely_called_bad() {
    let mut table = Table::new(
        format!("good candidates called bad at any of {LOOKS} looks, of {HISTORIES}"),
        "| world | alpha 1 % | alpha 5 % | z-test of 1 %, repeated |",
    );
    for (seed, world) in (1..).zip(GOOD) {
        let mut lots = Lots::new(seed);
        let (mut ever, mut ever_at_five, mut naive_ever) = (0, 0, 0);
        for _ in 0..HISTORIES {
            let (mut test, mut naive) = (CountTest::default(), Naive::default());
            let (mut hit, mut hit_at_five, mut naive_hit) = (false, false, false);
            for look in 0..LOOKS {
                let rate = (world.stable)(look);
                let total = lots.between(20, 400);
                let rates = (rate, rate + world.margin);
                let (stable, candidate) = window(&mut lots, total, (world.share)(look), rates);
                test.look(stable, candidate, world.margin);
                naive.look(stable, candidate);
                hit |= test.rejects(ALPHA);
                hit_at_five |= test.rejects(0.05);
                naive_hit |= naive.rejects(world.margin);
            }
            ever += u32::from(hit);
            ever_at_five += u32::from(hit_at_five);
            naive_ever += u32::from(naive_hit);
        }
        table.line(format!(
            "| {} | {:.2} % | {:.2} % | {:.1} % |",
            world.name,
            percent(ever, HISTORIES),
            percent(ever_at_five, HISTORIES),
            percent(naive_ever, HISTORIES)
        ));
        assert!(percent(ever, HISTORIES) <= 1.0, "{}: {ever}", world.name);
        assert!(
            percent(ever_at_five, HISTORIES) <= 5.0,
            "{}: {ever_at_five}",
            world.name
        );
        assert!(
            percent(naive_ever, HISTORIES) > 2.0,
            "{}: {naive_ever}",
            world.name
        );
    }
}

/// Requests of both versions until a bad candidate is called bad, sorted.
fn needed(bad: (f64, f64), share: f64, size: u64, good_before: u32) -> Vec<u64> {
    let mut lots = Lots::new(5);
    let mut all: Vec<u64> = (0..400)
        .map(|_| {
            let mut test = CountTest::default();
            for _ in 0..good_before {
                let (stable, candidate) = window(&mut lots, size, share, (bad.0, bad.0));
                test.look(stable, candidate, 0.0);
            }
            let mut requests = 0;
            while !test.rejects(ALPHA) && requests < 1_000_000 {
                let total = lots.between(size / 2, size + size / 2);
                let (stable, candidate) = window(&mut lots, total, share, bad);
                test.look(stable, candidate, 0.0);
                requests += total;
            }
            requests
        })
        .collect();
    all.sort_unstable();
    all
}

/// The power: figures that may only get better.
#[test]
fn bad_candidates_are_noticed_soon() {
    let mut table = Table::new(
        "requests of both versions until a bad candidate is called bad, alpha 1 %".to_owned(),
        "| rates, share | in a window | half of them by | nine in ten by |",
    );
    for (name, bad, share, size, good_before, (median, most)) in [
        (
            "1 % → 5 %, 10:90",
            (0.01, 0.05),
            0.1,
            200,
            0,
            (2_300, 4_500),
        ),
        (
            "1 % → 5 %, 50:50",
            (0.01, 0.05),
            0.5,
            200,
            0,
            (1_200, 2_200),
        ),
        (
            "0.1 % → 1 %, 10:90",
            (0.001, 0.01),
            0.1,
            1_000,
            0,
            (8_500, 17_000),
        ),
        (
            "1 % → 2 %, 10:90",
            (0.01, 0.02),
            0.1,
            1_000,
            0,
            (20_000, 40_000),
        ),
        ("1 % → 30 %, 10:90", (0.01, 0.3), 0.1, 200, 0, (400, 600)),
        ("1 % → 100 %, 10:90", (0.01, 1.0), 0.1, 200, 0, (300, 300)),
        (
            "1 % → 5 %, 10:90, 20000 a window",
            (0.01, 0.05),
            0.1,
            20_000,
            0,
            (30_000, 30_000),
        ),
        (
            "1 % → 5 %, 10:90, after 20000 good",
            (0.01, 0.05),
            0.1,
            200,
            100,
            (4_000, 6_500),
        ),
    ] {
        let all = needed(bad, share, size, good_before);
        let (half, nine) = (all[all.len() / 2], all[all.len() * 9 / 10]);
        table.line(format!("| {name} | {size} | {half} | {nine} |"));
        assert!(half <= median && nine <= most, "{name}: {half} {nine}");
    }
}

#[test]
fn values_are_compared_as_carefully() {
    let mut table = Table::new(
        format!("called bad by the value at any of {LOOKS} looks, of {HISTORIES}, alpha 1 %"),
        "| windows in which the candidate is above | called bad | half of them by |",
    );
    for (above, bad) in [
        (0.4, false),
        (0.5, false),
        (0.75, true),
        (0.9, true),
        (1.0, true),
    ] {
        let mut lots = Lots::new(11);
        let mut found: Vec<u32> = Vec::new();
        for _ in 0..HISTORIES {
            let mut test = SignTest::default();
            let hit = (1..=LOOKS).find(|_| {
                test.look(lots.happens(above));
                test.rejects(ALPHA)
            });
            found.extend(hit);
        }
        found.sort_unstable();
        let share = found.len() as f64 * 100.0 / f64::from(HISTORIES);
        let half = found
            .get(HISTORIES as usize / 2)
            .map_or("never".into(), u32::to_string);
        table.line(format!(
            "| {:.0} % | {share:.2} % | {half} |",
            above * 100.0
        ));
        if bad {
            assert!(share > 90.0, "{above}: {share}");
        } else {
            assert!(share <= 1.0, "{above}: {share}");
        }
    }
}
