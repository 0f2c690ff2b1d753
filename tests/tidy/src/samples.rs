//! Examples in documents are parts of files that other tests read.

use crate::{markdown, tree};

/// A YAML block that begins with `# docs/samples/NAME` repeats lines of that file, in order and
/// without a gap inside a paragraph; a line with `…` alone stands for what is left out.
#[test]
fn examples_are_taken_from_the_samples() {
    let mut seen = 0;
    let mut found = Vec::new();
    for document in tree::ending(".md") {
        for block in markdown::blocks(&tree::read(&document)) {
            let Some(name) = block
                .lines
                .first()
                .and_then(|l| l.strip_prefix("# docs/samples/"))
            else {
                continue;
            };
            seen += 1;
            let sample = tree::read(&format!("docs/samples/{name}"));
            let sample: Vec<&str> = sample.lines().collect();
            let mut from = 0;
            for part in block.lines[1..].split(|line| line.trim() == "# …") {
                let place = sample[from..]
                    .windows(part.len().max(1))
                    .position(|w| w == part);
                match place {
                    Some(place) => from += place + part.len(),
                    None => found.push(format!("{document}: {name}: {:?}", part.first())),
                }
            }
        }
    }
    tree::none(&found, "these parts are not in the samples as they stand:");
    assert!(seen > 0, "the README shows samples");
}
