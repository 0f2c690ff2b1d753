//! Hashes that bind a decision to what it was made for, and names made from hashes.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// RFC 4648 base32 in lower case: every character may stand in a DNS label.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of a [`short_name_hash`]: 50 bits (reliability.md W4).
pub const SHORT_HASH_LEN: usize = 10;

/// Longest DNS-1123 label.
const LABEL_LIMIT: usize = 63;

/// JSON without spaces and with sorted keys: equal values give equal text, whatever wrote them.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        // Scalars have one spelling in serde_json.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            // Sorted here: the map keeps insertion order when any crate in the build asks for it.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
    }
}

/// Two lower-case hexadecimal characters for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of such a text, in whatever case. None where it is anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// SHA-256 as 64 lower-case hexadecimal characters.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of the canonical JSON of a value: what approvals and records are bound to.
pub fn sha256_of_json(value: &Value) -> String {
    sha256_hex(canonical_json(value).as_bytes())
}

/// Ten characters that name the combination of these parts (reliability.md W4, W5). Each part is
/// hashed with its length, so `("ab", "c")` and `("a", "bc")` differ.
pub fn short_name_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bits: u64 = 0;
    for byte in hasher.finalize().iter().take(8) {
        bits = (bits << 8) | u64::from(*byte);
    }
    (0..SHORT_HASH_LEN)
        .filter_map(|index| BASE32.get(((bits >> (59 - 5 * index)) & 31) as usize))
        .map(|letter| char::from(*letter))
        .collect()
}

/// A readable name of at most 63 characters that is a DNS-1123 label: the prefix, cut where it is
/// long, and a hash that keeps two cut prefixes apart.
pub fn child_name(prefix: &str, suffix_hash: &str) -> String {
    let suffix = label_part(suffix_hash, LABEL_LIMIT);
    let prefix = label_part(prefix, LABEL_LIMIT.saturating_sub(suffix.len() + 1));
    match (prefix.is_empty(), suffix.is_empty()) {
        (true, _) => suffix,
        (false, true) => prefix,
        (false, false) => format!("{prefix}-{suffix}"),
    }
}

/// Lower case; whatever a label may not hold becomes a dash; no dash at either end.
fn label_part(text: &str, limit: usize) -> String {
    let part: String = text
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .skip_while(|c| *c == '-')
        .take(limit)
        .collect();
    part.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn hexadecimal_reads_back_and_nothing_else_is_read() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("fF00"), Some(vec![255, 0]));
        for text in ["f", "+1", "0x", "g0", "é", "0 "] {
            assert_eq!(unhex(text), None, "{text}");
        }
    }

    #[test]
    fn canonical_json_sorts_at_every_depth() {
        let value = json!({"b": [1, {"y": null, "x": "ä\n\""}], "a": {"d": 1.5, "c": true}});
        assert_eq!(
            canonical_json(&value),
            r#"{"a":{"c":true,"d":1.5},"b":[1,{"x":"ä\n\"","y":null}]}"#
        );
    }

    #[test]
    fn sha256_of_known_texts() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(sha256_of_json(&json!({})), sha256_hex(b"{}"));
    }

    #[test]
    fn short_hash_is_base32_of_the_first_bits() {
        // No part at all: sha256 of nothing starts e3b0c44298fc1c, which is 4oymiquy7q in base32.
        assert_eq!(short_name_hash(&[]), "4oymiquy7q");
        assert_ne!(short_name_hash(&["ab", "c"]), short_name_hash(&["a", "bc"]));
        assert_ne!(short_name_hash(&["a"]), short_name_hash(&["a", ""]));
    }

    #[test]
    fn child_names_read_well() {
        assert_eq!(
            child_name("storefront-production", "abcdefgh23"),
            "storefront-production-abcdefgh23"
        );
        assert_eq!(
            child_name("Shop/Store_Front", "abcdefgh23"),
            "shop-store-front-abcdefgh23"
        );
        assert_eq!(child_name("", "abcdefgh23"), "abcdefgh23");
        assert_eq!(child_name("--", ""), "");
        let long = child_name(&"x".repeat(300), "abcdefgh23");
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("x-abcdefgh23"));
    }

    proptest! {
        #[test]
        fn child_names_are_labels(prefix in "\\PC{0,80}", parts in prop::collection::vec(".*", 0..4)) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let hash = short_name_hash(&parts);
            prop_assert_eq!(hash.len(), SHORT_HASH_LEN);
            let name = child_name(&prefix, &hash);
            prop_assert!(name.len() <= 63 && name.ends_with(&hash));
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            prop_assert!(!name.starts_with('-'));
        }

        #[test]
        fn canonical_json_is_still_the_value(text in ".*", n in any::<i64>(), flag in any::<bool>()) {
            let value = json!({&text: [n, flag, {"z": text, "a": null}]});
            let back: Value = serde_json::from_str(&canonical_json(&value)).unwrap();
            prop_assert_eq!(back, value);
        }
    }
}
