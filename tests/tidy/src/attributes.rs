//! Exceptions to lints say why; tests are run; nothing is left for later.

use regex::Regex;

use crate::{code, tree};

/// `allow` says nothing when its reason is gone, so `expect` is the rule. The exceptions:
const MAY_ALLOW: [(&str, &str); 1] = [(
    "plugins/slack-notify/tests/slack_checker.rs",
    "several crates compile it; each uses a part",
)];

/// This file names what it looks for.
const OURSELVES: &str = "tests/tidy/src/attributes.rs";

#[test]
fn every_exception_to_a_lint_expects_it_and_says_why() {
    let exception = Regex::new(r"#!?\[(?:cfg_attr\([^\]]*,\s*)?(allow|expect)\([^\]]*\]").unwrap();
    let mut found = Vec::new();
    for path in tree::ending(".rs") {
        let code = code::code_only(&tree::read(&path));
        for place in exception.captures_iter(&code) {
            let line = code[..place.get(0).unwrap().start()].matches('\n').count() + 1;
            if !place[0].contains("reason =") {
                found.push(format!("{path}:{line}: no reason"));
            }
            if &place[1] == "allow" && !MAY_ALLOW.iter().any(|(file, _)| *file == path) {
                found.push(format!("{path}:{line}: allow; write expect"));
            }
        }
    }
    tree::none(&found, "#[expect(lint, reason = \"…\")]:");
}

#[test]
fn every_test_is_run_and_nothing_is_left_for_later() {
    let left = Regex::new(r"#\[ignore|\b(todo|unimplemented|dbg)!|\bcfg\(any\(\)\)").unwrap();
    let note = Regex::new(r"\b(TODO|FIXME|XXX|HACK)\b").unwrap();
    let mut found = Vec::new();
    for path in tree::ending(".rs")
        .into_iter()
        .filter(|path| path != OURSELVES)
    {
        let text = tree::read(&path);
        found.extend(code::places(&path, &code::code_only(&text), &left));
        found.extend(code::places(&path, &text, &note));
    }
    tree::none(&found, "finish it, or open an issue:");
}
