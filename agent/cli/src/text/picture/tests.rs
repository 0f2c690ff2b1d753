//! The picture as a whole, so that a tired person can be asked whether they understand it.

use sluice_core::plan::curve::{Curve, Span, curve};

use super::*;
use crate::text::tests::story::{canary, journal, now, rolled_back, waiting};

fn of(rollout: &sluice_cluster::crd::Rollout) -> Curve {
    curve(&rollout.spec.body, &journal(rollout), now()).unwrap()
}

fn drawn(curve: &Curve, style: Style) -> String {
    picture(curve, style).join("\n")
}

#[test]
fn before_under_way_and_after() {
    let mut back = rolled_back();
    let status = back.status.as_mut().unwrap();
    status.started_at = Some("2026-01-05T09:06:30Z".parse().unwrap());
    status.ended_at = Some("2026-01-05T09:08:10Z".parse().unwrap());
    let all = [waiting(), canary(), back].map(|rollout| {
        let seen = of(&rollout);
        format!(
            "{}\n\n{}\n",
            drawn(&seen, Style::Blocks),
            drawn(&seen, Style::Ascii)
        )
    });
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn no_line_is_too_long_and_ascii_is_ascii() {
    let spans = (0..40_u16).map(|n| Span {
        from_ms: u64::from(n) * 3_723_000,
        to_ms: (u64::from(n) + 1) * 3_723_000,
        share_bp: n * 250,
        step: Some(u32::from(n)),
    });
    let mut curve = Curve {
        spans: spans.collect(),
        done: 0,
        now_ms: None,
        back: false,
    };
    for done in 0..=40 {
        curve.done = done;
        curve.now_ms = curve.spans.get(done).map(|span| span.from_ms);
        for style in [Style::Blocks, Style::Ascii] {
            for line in picture(&curve, style) {
                assert!(line.chars().count() <= 70, "{line}");
                assert!(style == Style::Blocks || line.is_ascii(), "{line}");
            }
        }
        assert!(spark(&curve, Style::Ascii).is_ascii());
    }
}

#[test]
fn a_terminal_that_can_little_gets_ascii() {
    let style = |set: &'static [(&str, &str)]| {
        let all = move |name: &str| {
            let found = set.iter().find(|(n, _)| *n == name)?;
            Some(found.1.to_owned())
        };
        Style::of(all)
    };
    assert_eq!(style(&[]), Style::Blocks);
    assert_eq!(style(&[("TERM", "xterm"), ("NO_COLOR", "")]), Style::Blocks);
    assert_eq!(style(&[("TERM", "dumb")]), Style::Ascii);
    assert_eq!(style(&[("NO_COLOR", "1")]), Style::Ascii);
}
