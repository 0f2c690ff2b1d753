//! Slack's markup. Text from strangers must stay text: no mention, no link, no forged line.

/// Escapes the three characters that Slack gives a meaning, and turns control characters into
/// spaces. Cuts so that the escaped text has at most `limit` characters, never within an escape.
#[must_use]
pub fn escape(text: &str, limit: usize) -> String {
    limited(text, limit, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

/// Text for a `plain_text` object, which Slack does not parse: control characters other than line
/// ends go, the rest stays, cut to `limit` characters.
#[must_use]
pub fn plain(text: &str, limit: usize) -> String {
    let text = text.replace("\r\n", "\n");
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count + 1 >= limit && text.chars().count() > limit {
            out.push('…');
            break;
        }
        out.push(if c.is_control() && c != '\n' { ' ' } else { c });
    }
    out
}

/// A link, if the address is an http(s) one that cannot end the markup early.
#[must_use]
pub fn link(label: &str, address: &str) -> Option<String> {
    let web = address.starts_with("https://") || address.starts_with("http://");
    let safe = |c: char| !c.is_control() && !c.is_whitespace() && !"<>|\"".contains(c);
    if !web || address.len() > MAX_ADDRESS || !address.chars().all(safe) {
        return None;
    }
    // `|` would end the address, and escaping does not help within a label.
    let label = escape(&label.replace('|', "/"), MAX_LABEL);
    let address = address.replace('&', "&amp;");
    Some(format!("<{address}|{label}>"))
}

/// Longest address of a link, in bytes.
const MAX_ADDRESS: usize = 1_000;
/// Longest label of a link, in characters.
const MAX_LABEL: usize = 75;

fn limited(text: &str, limit: usize, escape: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    let mut written = 0;
    // Where the text is cut should it turn out too long: the last place with room for the mark.
    let mut cut = 0;
    for c in text.chars() {
        let piece = escape(c);
        let length = piece.map_or(1, str::len);
        if written + length > limit {
            out.truncate(cut);
            if limit > 0 {
                out.push('…');
            }
            return out;
        }
        match piece {
            Some(piece) => out.push_str(piece),
            None => out.push(if c.is_control() { ' ' } else { c }),
        }
        written += length;
        if written < limit {
            cut = out.len();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mention_in_foreign_text_is_text() {
        assert_eq!(
            escape("<!channel> & <@U1>", 100),
            "&lt;!channel&gt; &amp; &lt;@U1&gt;"
        );
        assert_eq!(escape("a\r\nb\u{1b}[1m", 100), "a  b [1m");
    }

    #[test]
    fn a_cut_leaves_no_half_escape() {
        assert_eq!(escape("ab<cd", 5), "ab…");
        assert_eq!(escape("ab<", 6), "ab&lt;");
        assert_eq!(escape("<", 3), "…");
        assert_eq!(escape("abc", 3), "abc");
        assert_eq!(escape("abcd", 3), "ab…");
        assert_eq!(escape("abcd", 0), "");
    }

    #[test]
    fn plain_text_keeps_its_lines_and_loses_control_characters() {
        assert_eq!(plain("a <b> & c\r\nd\u{7}", 100), "a <b> & c\nd ");
        assert_eq!(plain("abcd", 3), "ab…");
        assert_eq!(plain("abc", 3), "abc");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(
            link("a|b<c>", "https://x.example.com/?a=1&b=2").as_deref(),
            Some("<https://x.example.com/?a=1&amp;b=2|a/b&lt;c&gt;>")
        );
        for address in [
            "javascript:alert(1)",
            "ftp://x",
            "https://x>y",
            "https://x|y",
            "https://x y",
            "https://x\ny",
            "!channel",
        ] {
            assert_eq!(link("x", address), None, "{address}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded_and_inert(text in "[<>&a-c\\n…|!@]{0,60}", limit in 0_usize..40) {
            let escaped = escape(&text, limit);
            prop_assert!(escaped.chars().count() <= limit, "{escaped}");
            prop_assert!(!escaped.contains(['<', '>', '\n']));
            for (at, _) in escaped.match_indices('&') {
                let rest = &escaped[at..];
                prop_assert!(["&amp;", "&lt;", "&gt;"].iter().any(|e| rest.starts_with(e)), "{escaped}");
            }
            prop_assert!(plain(&text, limit.max(1)).chars().count() <= limit.max(1));
        }
    }
}
