//! Rust source as code alone: what stands in comments and strings is no use of a thing.

use regex::Regex;

use crate::tree;

/// The text with comments, strings and characters blanked out. Lines and columns stay.
pub(crate) fn code_only(text: &str) -> String {
    let source: Vec<char> = text.chars().collect();
    let mut out = source.clone();
    let mut at = 0;
    while at < source.len() {
        let end = skipped(&source, at);
        for (place, character) in out.iter_mut().enumerate().take(end).skip(at) {
            if source[place] != '\n' {
                *character = ' ';
            }
        }
        at = end.max(at + 1);
    }
    out.into_iter().collect()
}

/// Where the comment or literal that starts here ends; `at` where none does.
fn skipped(source: &[char], at: usize) -> usize {
    let ahead = |n: usize| source.get(at + n).copied().unwrap_or(' ');
    match (source[at], ahead(1)) {
        ('/', '/') => find(source, at, |s| s[0] == '\n'),
        ('/', '*') => block_comment(source, at),
        ('"', _) => match hashes_before(source, at) {
            Some(hashes) => {
                let end: Vec<char> = std::iter::once('"').chain(vec!['#'; hashes]).collect();
                find(source, at + 1, |s| s.starts_with(&end)) + end.len()
            }
            None => quoted(source, at, '"'),
        },
        ('\'', '\\') => quoted(source, at, '\''),
        ('\'', _) if ahead(2) == '\'' => at + 3,
        _ => at,
    }
    .min(source.len())
}

fn find(source: &[char], from: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (from..source.len())
        .find(|place| stop(&source[*place..]))
        .unwrap_or(source.len())
}

fn block_comment(source: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut place = at;
    while place < source.len() {
        if source[place..].starts_with(&['/', '*']) {
            depth += 1;
            place += 2;
        } else if source[place..].starts_with(&['*', '/']) {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            place += 1;
        }
    }
    place
}

/// The number of `#` between an `r` and this quote, where it opens a raw string.
fn hashes_before(source: &[char], quote: usize) -> Option<usize> {
    let hashes = source[..quote]
        .iter()
        .rev()
        .take_while(|c| **c == '#')
        .count();
    let letter = quote.checked_sub(hashes + 1)?;
    let before = letter.checked_sub(1).map_or(' ', |place| source[place]);
    let is_raw =
        source[letter] == 'r' && (!before.is_alphanumeric() || matches!(before, 'b' | 'c'));
    is_raw.then_some(hashes)
}

fn quoted(source: &[char], at: usize, quote: char) -> usize {
    let mut place = at + 1;
    while place < source.len() && source[place] != quote {
        place += if source[place] == '\\' { 2 } else { 1 };
    }
    place + 1
}

/// The code of a file that ships: without comments, literals and `#[cfg(test)]` items. `None` for
/// a file of tests.
pub(crate) fn shipped(path: &str) -> Option<String> {
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    (!is_test).then(|| without_tests(&code_only(&tree::read(path))))
}

fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(from) = out.find("#[cfg(test)]") {
        let mut depth = 0_i32;
        let mut end = out.len();
        for (offset, character) in out[from..].char_indices() {
            depth += i32::from(character == '{') - i32::from(character == '}');
            if depth == 0 && matches!(character, ';' | '}') {
                end = from + offset + 1;
                break;
            }
        }
        let blank: String = out[from..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(from..end, &blank);
    }
    out
}

/// Each place where the pattern stands in the code, as `path:line: words`.
pub(crate) fn places(path: &str, code: &str, pattern: &Regex) -> Vec<String> {
    pattern
        .find_iter(code)
        .map(|found| {
            let line = code[..found.start()].matches('\n').count() + 1;
            format!("{path}:{line}: {}", found.as_str().trim())
        })
        .collect()
}

#[test]
fn comments_and_literals_are_blanked_and_lifetimes_stay() {
    for (text, words) in [
        ("a // tokio\nb", "a b"),
        ("a /* x /* y */ z */ b", "a b"),
        (r#"f("kube \" x") + 1"#, "f( ) + 1"),
        ("r#\"a\"b\"# c", "r# c"),
        (r#"br"\" x"#, "br x"),
        ("'a' 'b: &'c str", "'b: &'c str"),
        (r"'\'' x '\\' y", "x y"),
        ("a \"open", "a"),
    ] {
        let blanked = code_only(text);
        assert_eq!(
            blanked.split_whitespace().collect::<Vec<_>>().join(" "),
            words,
            "{text}"
        );
        assert_eq!(blanked.chars().count(), text.chars().count(), "{text}");
    }
}

#[test]
fn tests_do_not_ship() {
    let code = "a; #[cfg(test)] mod tests; b; #[cfg(test)]\nmod t { fn x() { } } c";
    let left = without_tests(code);
    assert_eq!(
        left.split_whitespace().collect::<Vec<_>>(),
        ["a;", "b;", "c"]
    );
    assert_eq!(left.len(), code.len());
}
