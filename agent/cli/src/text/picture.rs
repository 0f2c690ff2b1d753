//! The share of the new version over time, as a small picture of characters.
//!
//! Two rows of blocks, above them the shares, below them a line that is solid where it was done and
//! dotted where it is to come, and the times. Steps have the room that their labels need: the line is
//! not to scale, and its times say so.

use sluice_core::duration::HumanDuration;
use sluice_core::plan::curve::{Curve, Span};
use sluice_core::router::percent;

/// Columns of the picture; with the indent of a section it fits into 72.
const WIDTH: u32 = 66;
/// Columns that a label may reach: one of the last span may stand out a little.
const MOST: usize = 70;
/// Columns that a span has at least: `33.33 %` and a blank.
const LEAST: u32 = 8;
/// Columns of the picture in one row.
const SPARK: u32 = 20;
/// Steps of height of one character.
const ROW: u32 = 8;

/// Which characters can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Blocks and lines of Unicode.
    Blocks,
    /// ASCII alone.
    Ascii,
}

impl Style {
    /// By what the environment says of the terminal.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let dumb = variable("TERM").is_some_and(|term| term == "dumb");
        if dumb || variable("NO_COLOR").is_some_and(|set| !set.is_empty()) {
            Self::Ascii
        } else {
            Self::Blocks
        }
    }

    /// A character that is filled so many eighths from below.
    fn filled(self, eighths: u32) -> char {
        let ramp: [char; 9] = match self {
            Self::Blocks => [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Self::Ascii => [' ', '_', '_', '-', '-', '=', '=', '#', '#'],
        };
        let at = usize::try_from(eighths.min(ROW)).unwrap_or(0);
        ramp.get(at).copied().unwrap_or(' ')
    }

    /// The line below: done, to come, now.
    fn line(self) -> (char, char, char) {
        match self {
            Self::Blocks => ('━', '┄', '▲'),
            Self::Ascii => ('=', '.', '^'),
        }
    }
}

/// The lines of the picture.
pub(crate) fn picture(curve: &Curve, style: Style) -> Vec<String> {
    let places = curve.places(WIDTH, LEAST);
    let starts = || curve.spans.iter().zip(places.iter().copied());
    let now = curve.now_ms.filter(|_| curve.done < curve.spans.len());
    let here = places.get(curve.done).copied().filter(|_| now.is_some());
    let mut shares = Row::default();
    let mut last = None;
    for (span, at) in starts() {
        if last != Some(span.share_bp) {
            shares.put(at, &percent(span.share_bp));
        }
        last = Some(span.share_bp);
    }
    let mut times = Row::default();
    if let Some(at) = here {
        times.put(at, "now");
    }
    for (span, at) in starts() {
        times.put(at, &since(span.from_ms));
    }
    let end = Some(curve.end_ms()).filter(|end| curve.spans.iter().all(|s| s.from_ms != *end));
    let end = end.map_or_else(String::new, since);
    let length = u32::try_from(end.chars().count()).unwrap_or(0);
    times.put(WIDTH.saturating_sub(length), &end);
    let (done, ahead, mark) = style.line();
    let mut line: String = (0..WIDTH)
        .map(|column| {
            let done_to = places.get(curve.done).copied().unwrap_or(0);
            match column {
                c if here.map(|at| at.min(WIDTH - 1)) == Some(c) => mark,
                c if c < done_to => done,
                _ => ahead,
            }
        })
        .collect();
    if curve.done >= curve.spans.len() {
        line = (0..WIDTH).map(|_| done).collect();
    }
    let row = |from: u32| -> String {
        let column = |column: u32| {
            let span = span_at(&curve.spans, &places, column);
            style.filled(span.map_or(0, height).saturating_sub(from).min(ROW))
        };
        (0..WIDTH).map(column).collect()
    };
    [shares.text, row(ROW), row(0), line, times.text]
        .iter()
        .map(|text| text.trim_end().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

/// The same in one row of a few columns, for a line that passes: what is to come stands behind a bar.
pub(crate) fn spark(curve: &Curve, style: Style) -> String {
    let places = curve.places(SPARK, 1);
    let here = places.get(curve.done).copied();
    let mut out = String::from("[");
    for column in 0..SPARK {
        if here == Some(column) && curve.done < curve.spans.len() {
            out.push('|');
        }
        let span = span_at(&curve.spans, &places, column);
        out.push(style.filled(span.map_or(0, |span| height(span).div_ceil(2))));
    }
    out.push(']');
    out
}

/// The span that a column shows.
fn span_at<'a>(spans: &'a [Span], places: &[u32], column: u32) -> Option<&'a Span> {
    let after = places.iter().skip(1).position(|end| column < *end)?;
    spans.get(after)
}

/// Height of a share in eighths of a row. Whatever is there can be seen.
fn height(span: &Span) -> u32 {
    let full = 2 * ROW;
    let share = u32::from(span.share_bp);
    (share * full).div_ceil(u32::from(sluice_core::router::ALL_TRAFFIC))
}

/// Whole seconds are enough.
fn since(ms: u64) -> String {
    HumanDuration::from_secs(ms / 1000).to_string()
}

/// A row of labels that do not overlap: who comes first stays.
#[derive(Default)]
struct Row {
    text: String,
}

impl Row {
    fn put(&mut self, at: u32, label: &str) {
        if label.is_empty() || at > WIDTH {
            return;
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let mut cells: Vec<char> = self.text.chars().collect();
        let end = at.saturating_add(label.chars().count());
        if end > MOST {
            return;
        }
        cells.resize(cells.len().max(end + 1), ' ');
        // A blank on either side keeps two labels apart.
        let room = cells
            .iter()
            .skip(at.saturating_sub(1))
            .take(end + 1 - at.saturating_sub(1));
        if room.into_iter().any(|cell| *cell != ' ') {
            return;
        }
        for (cell, c) in cells.iter_mut().skip(at).zip(label.chars()) {
            *cell = c;
        }
        self.text = cells.into_iter().collect();
    }
}

#[cfg(test)]
mod tests;
