//! What `sluice policy` says.

use sluice_core::explain::{CaseResult, Change, Explanation, Line, Verdict};

/// Columns of a line of text. Past this a reader loses the next one.
const WIDTH: usize = 100;

/// The heading of an explanation: what was asked.
pub(crate) struct Asked {
    pub(crate) pipeline: String,
    pub(crate) environment: String,
    pub(crate) version: Option<String>,
    pub(crate) who: Option<String>,
    pub(crate) how: String,
    pub(crate) at: jiff::Timestamp,
    /// Where the facts are from, one sentence each.
    pub(crate) sources: Vec<String>,
}

/// The answer, and each rule's.
pub(crate) fn explanation(asked: &Asked, explanation: &Explanation) -> String {
    let version = asked.version.as_deref().unwrap_or("a version");
    let mut out = format!("{}: ", answer(explanation));
    out.push_str(&format!(
        "{} {version} to {}, {}",
        asked.pipeline, asked.environment, asked.how
    ));
    if let Some(who) = &asked.who {
        out.push_str(&format!(" by {who}"));
    }
    out.push_str(&format!(
        ", on {}\n\n",
        asked.at.strftime("%A %Y-%m-%d %H:%M UTC")
    ));
    let wide = explanation.lines.iter().map(|l| l.rule.len()).max();
    let wide = wide.unwrap_or_default();
    for line in &explanation.lines {
        out.push_str(&one(line, wide));
    }
    if !asked.sources.is_empty() {
        out.push('\n');
        for source in &asked.sources {
            out.push_str(&format!("{source}\n"));
        }
    }
    out
}

/// In a few words.
fn answer(explanation: &Explanation) -> String {
    let count = |verdict: Verdict| explanation.with(verdict).count();
    let of = |n: usize, one: &str, many: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    };
    match explanation.answer {
        Verdict::Ok => "yes".to_owned(),
        Verdict::No => format!(
            "no, {}",
            of(count(Verdict::No), "rule says no", "rules say no")
        ),
        Verdict::Needed | Verdict::Unknown => {
            let mut parts = Vec::new();
            if count(Verdict::Needed) > 0 {
                parts.push(format!("{} needed", count(Verdict::Needed)));
            }
            if count(Verdict::Unknown) > 0 {
                parts.push(format!("{} not known", count(Verdict::Unknown)));
            }
            format!("not yet, {}", parts.join(" and "))
        }
    }
}

fn one(line: &Line, wide: usize) -> String {
    let mark = match line.verdict {
        Verdict::Ok => "ok",
        Verdict::Unknown => "?",
        Verdict::Needed => "needs",
        Verdict::No => "NO",
    };
    let head = format!("  {mark:<5}  {:<wide$}  ", line.rule);
    let indent = " ".repeat(head.chars().count());
    let mut out = String::new();
    for (index, part) in wrapped(&line.text, WIDTH.saturating_sub(indent.len()))
        .iter()
        .enumerate()
    {
        let front = if index == 0 { &head } else { &indent };
        out.push_str(&format!("{front}{part}\n"));
    }
    for detail in &line.details {
        let parts = wrapped(detail, WIDTH.saturating_sub(indent.len() + 2));
        for (index, part) in parts.iter().enumerate() {
            let front = if index == 0 { "- " } else { "  " };
            out.push_str(&format!("{indent}{front}{part}\n"));
        }
    }
    out
}

/// Lines of words. A word that is longer stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// One line for each test, and why those that failed did.
pub(crate) fn cases(results: &[CaseResult]) -> String {
    let mut out = String::new();
    for result in results {
        let mark = if result.passed { "ok  " } else { "FAIL" };
        out.push_str(&format!("{mark}  {}\n", result.name));
        if !result.passed {
            out.push_str(&format!("      expected {}\n", result.expected));
            out.push_str(&format!("      found    {}\n", result.found));
            for why in &result.why {
                out.push_str(&format!("      - {why}\n"));
            }
        }
    }
    let failed = results.iter().filter(|r| !r.passed).count();
    out.push_str(&match (results.len(), failed) {
        (0, _) => "the policy has no tests: add some under `tests`".to_owned(),
        (1, 0) => "1 test passed".to_owned(),
        (n, 0) => format!("{n} tests passed"),
        (n, failed) => format!("{failed} of {n} tests failed"),
    });
    out
}

/// What another policy changes, a place at a time.
pub(crate) fn changes(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "no answer changes".to_owned();
    }
    let places: Vec<String> = changes.iter().map(change).collect();
    places.join("\n\n")
}

fn change(change: &Change) -> String {
    let who = change.pipeline.as_deref().unwrap_or("any pipeline");
    let mut out = format!(
        "{who} to {} (namespace {})",
        change.environment, change.namespace
    );
    for answer in &change.answers {
        out.push_str(&format!(
            "\n  {}: {} → {}",
            answer.asked,
            word(answer.old),
            word(answer.new)
        ));
    }
    for rule in &change.rules {
        let asked = match rule.asked.as_slice() {
            [] => String::new(),
            asked => format!("  ({})", asked.join("; ")),
        };
        out.push_str(&format!("\n  {}{asked}", rule.rule));
        for old in &rule.old {
            out.push_str(&format!("\n    - {old}"));
        }
        for new in &rule.new {
            out.push_str(&format!("\n    + {new}"));
        }
    }
    out
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "yes",
        Verdict::Unknown | Verdict::Needed => "not yet",
        Verdict::No => "no",
    }
}
