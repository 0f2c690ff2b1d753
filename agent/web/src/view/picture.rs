//! The share of the new version over time, as shapes for an inline picture: numbers and classes, no
//! style of its own. The same figures stand below it as a table.

use jiff::Timestamp;
use sluice_core::duration::HumanDuration;
use sluice_core::plan::curve::{Curve, Span, curve};
use sluice_core::rollout::{Journal, RolloutSpec};
use sluice_core::router::{ALL_TRAFFIC, percent};

/// Size of the drawing, in its own units; letters are at most twelve of them high.
const WIDTH: u32 = 400;
const HEIGHT: u32 = 52;
/// Where the drawing begins below its labels.
const TOP: u32 = 16;
/// Room of a span: a label of a share.
const LEAST: u32 = 54;
/// Room of a letter.
const LETTER: u32 = 7;

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) bars: Vec<Bar>,
    /// Labels with their places from the left.
    pub(crate) shares: Vec<(u32, String)>,
    pub(crate) times: Vec<(u32, String)>,
    /// Where the present is.
    pub(crate) now: Option<u32>,
    /// All of it in one sentence.
    pub(crate) said: String,
    pub(crate) rows: Vec<Row>,
    /// The curve, for programs.
    pub(crate) curve: Curve,
}

/// A time with one share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) class: &'static str,
}

/// The same in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) share: String,
    pub(crate) done: bool,
}

impl Picture {
    pub(crate) fn new(spec: &RolloutSpec, journal: &Journal, now: Timestamp) -> Option<Self> {
        let curve = curve(spec, journal, now)?;
        let places = curve.places(WIDTH, LEAST);
        let ends = places.iter().skip(1);
        let spans: Vec<(&Span, u32, u32)> = curve
            .spans
            .iter()
            .zip(places.iter().zip(ends))
            .map(|(span, (from, to))| (span, *from, *to))
            .collect();
        let bars = spans.iter().enumerate().map(|(i, (span, from, to))| {
            let height = height(span.share_bp);
            Bar {
                x: *from,
                y: TOP + HEIGHT - height,
                width: to.saturating_sub(*from),
                height,
                class: if i < curve.done { "done" } else { "ahead" },
            }
        });
        let under_way = curve.now_ms.filter(|_| curve.done < curve.spans.len());
        let here = places
            .get(curve.done)
            .copied()
            .filter(|_| under_way.is_some());
        let mut shares = Labels::default();
        let mut last = None;
        for (span, from, _) in &spans {
            if last.replace(span.share_bp) != Some(span.share_bp) {
                shares.put(*from, percent(span.share_bp));
            }
        }
        let mut times = Labels::default();
        if let Some(at) = here {
            times.put(at, "now".to_owned());
        }
        for (span, from, _) in &spans {
            times.put(*from, since(span.from_ms));
        }
        let end = curve.end_ms();
        if curve.spans.iter().all(|span| span.from_ms != end) {
            let end = since(end);
            times.put(WIDTH.saturating_sub(length(&end)), end);
        }
        let row = |(i, (span, _, _)): (usize, &(&Span, u32, u32))| Row {
            from: since(span.from_ms),
            to: since(span.to_ms),
            share: percent(span.share_bp),
            done: i < curve.done,
        };
        Some(Self {
            bars: bars.collect(),
            shares: shares.0,
            times: times.0,
            now: here,
            said: said(&curve),
            rows: spans.iter().enumerate().map(row).collect(),
            curve,
        })
    }
}

/// One line of labels; who comes first keeps the place.
#[derive(Default)]
struct Labels(Vec<(u32, String)>);

impl Labels {
    fn put(&mut self, at: u32, text: String) {
        let end = at + length(&text);
        let free = |other: &(u32, String)| other.0 >= end || other.0 + length(&other.1) <= at;
        if self.0.iter().all(free) {
            self.0.push((at, text));
        }
    }
}

fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count())
        .unwrap_or(0)
        .saturating_mul(LETTER)
        + LETTER
}

/// A share that is there can be seen; none is a line.
fn height(share_bp: u16) -> u32 {
    let height = u32::from(share_bp) * HEIGHT / u32::from(ALL_TRAFFIC);
    height.max(if share_bp > 0 { 3 } else { 1 })
}

fn since(ms: u64) -> String {
    HumanDuration::from_secs(ms / 1000).to_string()
}

fn said(curve: &Curve) -> String {
    let span = |span: &Span| format!("{} from {}", percent(span.share_bp), since(span.from_ms));
    // What goes on as it was is no change.
    let mut last = None;
    let mut changes = |spans: &[Span]| -> Vec<String> {
        let new = |s: &&Span| last.replace(s.share_bp) != Some(s.share_bp);
        spans.iter().filter(new).map(span).collect()
    };
    let (done, ahead) = curve.spans.split_at(curve.done.min(curve.spans.len()));
    let (done, ahead) = (changes(done), changes(ahead));
    let mut out = Vec::new();
    if !done.is_empty() {
        out.push(format!("it had {}", done.join(", ")));
    }
    if !ahead.is_empty() {
        out.push(format!("to come at the earliest: {}", ahead.join(", ")));
    }
    format!("{}.", out.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap_and_the_first_stays() {
        let mut labels = Labels::default();
        labels.put(100, "now".to_owned());
        labels.put(110, "2m".to_owned());
        labels.put(121, "3m".to_owned());
        labels.put(0, "0s".to_owned());
        labels.put(128, "5m".to_owned());
        let texts: Vec<&str> = labels.0.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["now", "0s", "5m"]);
    }

    #[test]
    fn whatever_has_traffic_can_be_seen() {
        assert_eq!(height(0), 1);
        assert_eq!(height(1), 3);
        assert_eq!(height(10_000), HEIGHT);
    }
}
