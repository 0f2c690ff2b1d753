//! Keys and certificates as text. rcgen's own feature for it is off in this workspace.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line, as RFC 7468 has them.
const WIDTH: usize = 64;

/// The text of this kind, such as `CERTIFICATE`.
pub(super) fn encode(kind: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {kind}-----");
    for (place, character) in STANDARD.encode(der).chars().enumerate() {
        if place % WIDTH == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push_str(&format!("\n-----END {kind}-----\n"));
    out
}

/// The bytes of a text that holds one thing; none where it is not such a text.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    STANDARD.decode(body.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_lines_are_short() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encode("THING", &bytes);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.starts_with("-----BEGIN THING-----\nAAEC"), "{text}");
        assert!(text.ends_with("\n-----END THING-----\n"), "{text}");
        assert_eq!(decode(&text), Some(bytes));
        assert_eq!(decode("nothing of the sort"), None);
    }
}
