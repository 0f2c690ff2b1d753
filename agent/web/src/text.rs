//! Short texts that people and machines send along with a wish.

use axum::http::StatusCode;
use sluice_core::image::{Digest, is_tag};

use crate::problem::Problem;

/// Characters of a reason: what a journal keeps of a text.
pub(crate) const REASON_LIMIT: usize = 500;

/// The reason, without what could garble a terminal.
pub(crate) fn reason(given: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(text) = given else {
        return Ok(None);
    };
    if text.chars().count() > REASON_LIMIT {
        return Err(unusable(
            "reason-too-long",
            &format!("the reason is longer than {REASON_LIMIT} characters"),
            "say it shorter",
        ));
    }
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    Ok(Some(text.chars().map(plain).collect()))
}

/// One of tag and digest, well formed.
pub(crate) fn version(
    tag: Option<&str>,
    digest: Option<&str>,
) -> Result<(Option<String>, Option<String>), Problem> {
    let one = "send a tag, or a digest, and not both";
    match (tag, digest) {
        (Some(tag), None) if is_tag(tag) => Ok((Some(tag.to_owned()), None)),
        (Some(_), None) => Err(unusable("bad-tag", "no registry has such a tag", one)),
        (None, Some(digest)) => match digest.parse::<Digest>() {
            Ok(digest) => Ok((None, Some(digest.as_str().to_owned()))),
            Err(why) => Err(unusable("bad-digest", &why, one)),
        },
        (Some(_), Some(_)) => Err(unusable(
            "two-versions",
            "tag and digest name two versions",
            one,
        )),
        (None, None) => Err(unusable("no-version", "no version is named", one)),
    }
}

pub(crate) fn unusable(code: &'static str, message: &str, advice: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_tag_or_a_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(version(Some("v1"), None).unwrap().0.as_deref(), Some("v1"));
        assert_eq!(
            version(None, Some(&digest)).unwrap().1,
            Some(digest.clone())
        );
        for (tag, digest, code) in [
            (None, None, "no-version"),
            (Some("v1"), Some(digest.as_str()), "two-versions"),
            (Some("-v1"), None, "bad-tag"),
            (Some("v 1"), None, "bad-tag"),
            (None, Some("sha256:x"), "bad-digest"),
        ] {
            assert_eq!(version(tag, digest).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(reason(Some("a\nb\u{1b}[31m")).unwrap().unwrap(), "a b [31m");
        assert!(reason(Some(&"ä".repeat(500))).is_ok());
        assert!(reason(Some(&"ä".repeat(501))).is_err());
    }
}
