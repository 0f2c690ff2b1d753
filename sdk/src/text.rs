//! Text from strangers, made fit for a message.

/// Longest excerpt of a body in a message: enough to recognise an error page, short enough for a
/// chat.
pub const EXCERPT_CHARS: usize = 200;

/// Longest line of a report.
pub const MESSAGE_CHARS: usize = 1_000;

/// Cuts `text` to `limit` characters, marks the cut, and turns control characters (line ends,
/// terminal escapes) and runs of white space into one space.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut written = 0;
    let mut gap = false;
    for c in text.chars() {
        if c.is_control() || c.is_whitespace() {
            gap = written > 0;
            continue;
        }
        let needed = if gap { 2 } else { 1 };
        if written + needed > limit {
            out.push('…');
            return out;
        }
        if gap {
            out.push(' ');
            gap = false;
        }
        out.push(c);
        written += needed;
    }
    out
}

/// Longest id of somebody else's in a path, in bytes.
pub const ID_BYTES: usize = 128;

/// Whether a stranger's id can stand in a path as it is: letters, digits, `-`, `_`, `.` and `~`, no dot
/// first, at most [`ID_BYTES`].
#[must_use]
pub fn is_path_id(text: &str) -> bool {
    (1..=ID_BYTES).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_stays() {
        assert_eq!(excerpt("hello world", 20), "hello world");
        assert_eq!(excerpt("", 20), "");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(excerpt("äöüäöü", 3), "äöü…");
        assert_eq!(excerpt("ab cd", 3), "ab…");
        assert_eq!(excerpt("ab cd", 4), "ab c…");
    }

    #[test]
    fn control_characters_cannot_forge_lines() {
        assert_eq!(excerpt("a\r\nb\u{1b}[31mc  d\n", 50), "a b [31mc d");
    }
}
