//! Markdown as far as the rules need it: prose and blocks.

/// A fenced block.
pub(crate) struct Block {
    /// The word after the fence, such as `yaml`.
    pub(crate) language: String,
    /// Its lines.
    pub(crate) lines: Vec<String>,
}

/// The fenced blocks of a text.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            open = !open;
            if open {
                found.push(Block {
                    language: language.trim().to_owned(),
                    lines: Vec::new(),
                });
            }
        } else if open {
            found.last_mut().unwrap().lines.push(line.to_owned());
        }
    }
    assert!(!open, "a fence is not closed");
    found
}

/// The text with fenced blocks and `code` blanked out. Lines stay.
pub(crate) fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut open = false;
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        if fence {
            open = !open;
        } else if !open {
            // Every second part is between backticks.
            let kept: Vec<&str> = line.split('`').step_by(2).collect();
            out.push_str(&kept.join("` `"));
        }
        out.push('\n');
    }
    out
}

/// The anchors that a renderer makes of the headings.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut open = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            open = !open;
        }
        if !open && line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            found.push(kept.collect::<String>().replace(' ', "-"));
        }
    }
    found
}

#[test]
fn blocks_prose_and_anchors_are_told_apart() {
    let text =
        "# A `b`, c\nsee [x](y.md)\n```sh\n# no heading [p](q)\nmake x\n```\nand `[r](s)` end\n";
    assert_eq!(blocks(text)[0].language, "sh");
    assert_eq!(blocks(text)[0].lines, ["# no heading [p](q)", "make x"]);
    assert!(prose(text).contains("[x](y.md)"));
    assert!(!prose(text).contains("[p]") && !prose(text).contains("[r]"));
    assert_eq!(anchors(text), ["a-b-c"]);
}
