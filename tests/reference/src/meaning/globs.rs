//! Patterns of repositories, tags and annotations.

use serde_json::Value;

/// Whether a text fits a pattern: `*` is any run of characters but what `stops` it, `**` any run at
/// all, `?` one character where `one` says so.
fn fits(pattern: &[char], text: &[char], stop: Option<char>, one: bool) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', '*', rest @ ..] if stop.is_some() => {
            (0..=text.len()).any(|skipped| fits(rest, &text[skipped..], stop, one))
        }
        ['*', rest @ ..] => {
            let run = text.iter().take_while(|c| Some(**c) != stop).count();
            (0..=run).any(|skipped| fits(rest, &text[skipped..], stop, one))
        }
        ['?', rest @ ..] if one => !text.is_empty() && fits(rest, &text[1..], stop, one),
        [letter, rest @ ..] => text.first() == Some(letter) && fits(rest, &text[1..], stop, one),
    }
}

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// A name as the container runtime completes it.
fn complete(name: &str) -> String {
    match name.split_once('/') {
        None => format!("docker.io/library/{name}"),
        Some((first, _)) if first.contains(['.', ':', '*']) || first == "localhost" => name.into(),
        Some(_) => format!("docker.io/{name}"),
    }
}

/// The registry is literal but for a leading `*.`; in the path `*` stays within one part.
pub(super) fn repository_fits(pattern: &str, repository: &str) -> bool {
    if pattern == "**" {
        return true;
    }
    let (pattern, repository) = (complete(pattern), complete(repository));
    let (registry, path) = pattern.split_once('/').unwrap();
    let (of, rest) = repository.split_once('/').unwrap();
    let same = match registry.strip_prefix("*.") {
        Some(domain) => of.ends_with(&format!(".{domain}")),
        None => registry == of,
    };
    same && fits(&letters(path), &letters(rest), Some('/'), false)
}

/// `*` is any run of characters, `?` is one.
pub(super) fn tag_fits(pattern: &str, tag: &str) -> bool {
    fits(&letters(pattern), &letters(tag), None, true)
}

/// A list, or one text where one is usual.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(list) => list.iter().map(|item| item.as_str().unwrap()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_documents_say() {
        let shop = "registry.example.com/shop/*";
        assert!(repository_fits(shop, "registry.example.com/shop/cart"));
        assert!(!repository_fits(shop, "registry.example.com/shop/cart/db"));
        assert!(!repository_fits(
            shop,
            "registry.example.com.evil.example/shop/cart"
        ));
        let deep = "*.example.com/**";
        assert!(repository_fits(deep, "eu.example.com/shop/cart/db"));
        assert!(!repository_fits(deep, "example.com/shop"));
        assert!(!repository_fits(deep, "evilexample.com/shop"));
        assert!(repository_fits("nginx", "docker.io/library/nginx"));
        assert!(repository_fits("**", "anything"));
        assert!(tag_fits("v*", "v1.2.3") && !tag_fits("v*", "1.2.3"));
        assert!(tag_fits("v1.?", "v1.2") && !tag_fits("v1.?", "v1.23"));
    }
}
