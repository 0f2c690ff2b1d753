//! Reads the `Link` header (RFC 8288): where the next page of a tag list is.

use http::HeaderMap;
use http::header::LINK;

/// A `Link` header that cannot be read. An error rather than "no next page": the list would be cut
/// short without a word (reliability.md R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadLink {
    #[error("a Link header that is not text")]
    NotText,
    #[error("a Link header that is not of the form <address>; rel=\"next\"")]
    Syntax,
    #[error("Link headers that name two different next pages")]
    Ambiguous,
}

/// The target of `rel="next"`, as sent; `None` where the page is the last.
pub(crate) fn next(headers: &HeaderMap) -> Result<Option<String>, BadLink> {
    let mut next = None;
    for value in headers.get_all(LINK) {
        for target in targets(value.to_str().map_err(|_| BadLink::NotText)?)? {
            if next.as_ref().is_some_and(|known| *known != target) {
                return Err(BadLink::Ambiguous);
            }
            next = Some(target);
        }
    }
    Ok(next)
}

/// The targets of all links in one header whose relations include `next`.
fn targets(header: &str) -> Result<Vec<String>, BadLink> {
    let mut found = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (target, after) = rest
            .strip_prefix('<')
            .and_then(|inner| inner.split_once('>'))
            .ok_or(BadLink::Syntax)?;
        let (is_next, after) = parameters(after)?;
        if is_next {
            found.push(target.to_owned());
        }
        rest = after.trim_start_matches([',', ' ', '\t']);
    }
    Ok(found)
}

/// Reads `; name=value` pairs up to the comma that ends this link. Answers whether the first `rel`
/// (the only one that counts) includes `next`, and what follows.
fn parameters(mut rest: &str) -> Result<(bool, &str), BadLink> {
    let mut relation = None;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest.starts_with(',') {
            return Ok((relation.unwrap_or(false), rest));
        }
        rest = rest.strip_prefix(';').ok_or(BadLink::Syntax)?.trim_start();
        let end = rest.find(['=', ';', ',']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let (value, after) = value(after.trim_start())?;
        if name.trim().eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(
                value
                    .split_whitespace()
                    .any(|one| one.eq_ignore_ascii_case("next")),
            );
        }
        rest = after;
    }
}

/// A quoted string, or everything up to the next separator.
fn value(text: &str) -> Result<(String, &str), BadLink> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Ok((value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok((value, characters.as_str())),
            '\\' => value.push(characters.next().ok_or(BadLink::Syntax)?),
            other => value.push(other),
        }
    }
    Err(BadLink::Syntax)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[&str]) -> Result<Option<String>, BadLink> {
        let headers = values
            .iter()
            .map(|value| (LINK, HeaderValue::from_str(value).unwrap()))
            .collect();
        next(&headers)
    }

    #[test]
    fn next_is_found_in_every_form_that_is_allowed() {
        let target = "/v2/a/tags/list?last=b,c;d&n=2";
        for header in [
            format!("<{target}>; rel=\"next\""),
            format!("<{target}>;rel=next"),
            format!("<{target}> ; title=\"a, b; \\\"c\\\"\" ; REL=\"last NEXT\""),
            format!("</first>; rel=first, <{target}>; rel=\"next\","),
            format!("<{target}>; crossorigin; rel=next; rel=prev"),
        ] {
            assert_eq!(of(&[&header]), Ok(Some(target.to_owned())), "{header}");
        }
        assert_eq!(
            of(&["<a>; rel=prev", "<b>; rel=next"]),
            Ok(Some("b".to_owned()))
        );
    }

    #[test]
    fn another_relation_is_not_the_next_page() {
        for header in [
            "",
            "<a>",
            "<a>; rel=prev",
            "<a>; rel=prev; rel=next",
            "<a>; rel=nextish",
        ] {
            assert_eq!(of(&[header]), Ok(None), "{header}");
        }
        assert_eq!(of(&[]), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_not_an_end() {
        for header in [
            "/v2/a; rel=next",
            "<a; rel=next",
            "<a> rel=next",
            "<a>; rel=\"next",
        ] {
            assert_eq!(of(&[header]), Err(BadLink::Syntax), "{header}");
        }
        assert_eq!(
            of(&["<a>; rel=next", "<b>; rel=next"]),
            Err(BadLink::Ambiguous)
        );
        let bytes = HeaderValue::from_bytes(b"<\xff>; rel=next").unwrap();
        assert_eq!(
            next(&std::iter::once((LINK, bytes)).collect()),
            Err(BadLink::NotText)
        );
    }

    proptest! {
        #[test]
        fn no_header_panics(text in ".{0,200}") {
            let _ = targets(&text);
        }

        #[test]
        fn no_header_of_the_right_letters_panics(text in r#"(<|>|;|,|=|"|\\|rel|next| |é){0,40}"#) {
            let _ = targets(&text);
        }

        #[test]
        fn a_target_comes_back_whole(target in "[!-~&&[^<>]]{0,80}") {
            prop_assert_eq!(of(&[&format!("<{target}>; rel=\"next\"")]), Ok(Some(target)));
        }
    }
}
