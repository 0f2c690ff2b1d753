//! Text that comes from a guest or a server, made fit for a log, a terminal and a web page.
//!
//! Attack 19 (plugins.md section 10): control bytes and bidirectional overrides can forge lines in a
//! log or colour a terminal. Everything that leaves a guest as text passes here once.

/// Longest single line that a plugin may put into a report or an error, in bytes.
pub(crate) const LINE: usize = 1024;

/// `text` without control and direction characters, in one line, at most `limit` bytes. Text that
/// was cut ends in `…`.
pub(crate) fn line(text: &str, limit: usize) -> String {
    clean(text, limit, false)
}

/// Like [`line`], but keeps line feeds.
pub(crate) fn block(text: &str, limit: usize) -> String {
    clean(text, limit, true)
}

fn clean(text: &str, limit: usize, keep_line_feeds: bool) -> String {
    const CUT: char = '…';
    let mut out = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        let character = match character {
            '\n' if keep_line_feeds => '\n',
            '\n' | '\r' | '\t' => ' ',
            other if is_forging(other) => continue,
            other => other,
        };
        if out.len() + character.len_utf8() > limit {
            while out.len() + CUT.len_utf8() > limit && out.pop().is_some() {}
            if limit >= CUT.len_utf8() {
                out.push(CUT);
            }
            break;
        }
        out.push(character);
    }
    out
}

/// Control characters, bidirectional controls, invisible joiners, Unicode line breaks, tags.
fn is_forging(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_direction_marks_vanish() {
        assert_eq!(line("ok\u{1b}[2K\r\nPASS\u{202e}", 100), "ok[2K  PASS");
        assert_eq!(block("a\nb\u{7}", 100), "a\nb");
    }

    #[test]
    fn a_cut_is_visible_and_within_the_limit() {
        assert_eq!(line("abcdefghij", 6), "abc…");
        assert_eq!(line("äöü", 5), "ä…");
        assert_eq!(line("abc", 0), "");
    }

    proptest! {
        #[test]
        fn never_longer_and_never_forging(text in any::<String>(), limit in 0usize..64) {
            let out = line(&text, limit);
            prop_assert!(out.len() <= limit);
            prop_assert!(!out.chars().any(is_forging));
            prop_assert_eq!(line(&out, limit), out.clone());
        }
    }
}
