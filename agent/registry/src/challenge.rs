//! Reads `WWW-Authenticate`: what the registry wants to be shown.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use http_auth::ChallengeParser;

/// Headers and challenges that are looked at; a registry sends one or two.
const MOST: usize = 8;

/// What a registry wants to be shown. Bearer is preferred where it offers both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A token of the service at `realm`.
    Bearer {
        /// The address of the token endpoint, as sent.
        realm: String,
        /// The name of the service that the token is for.
        service: Option<String>,
    },
    /// User name and password.
    Basic,
}

/// The challenge to answer, or `None` where no known one is offered.
pub(crate) fn read(headers: &HeaderMap) -> Option<Challenge> {
    let offered: Vec<Challenge> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .take(MOST)
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect();
    let bearer = offered
        .iter()
        .find(|offer| matches!(offer, Challenge::Bearer { .. }));
    bearer.or_else(|| offered.first()).cloned()
}

/// The known challenges in one header; what follows a syntax error is not read.
fn parse(header: &str) -> Vec<Challenge> {
    ChallengeParser::new(header)
        .map_while(Result::ok)
        .take(MOST)
        .filter_map(|challenge| {
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                return Some(Challenge::Basic);
            }
            let parameter = |name: &str| {
                let mut found = challenge
                    .params
                    .iter()
                    .filter(|(key, _)| key.eq_ignore_ascii_case(name));
                let value = found.next().map(|(_, value)| value.to_unescaped());
                // Said twice, a parameter says nothing.
                value.filter(|_| found.next().is_none())
            };
            (challenge.scheme.eq_ignore_ascii_case("bearer"))
                .then(|| {
                    Some(Challenge::Bearer {
                        realm: parameter("realm")?,
                        service: parameter("service"),
                    })
                })
                .flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        })
    }

    #[test]
    fn bearer_is_preferred_however_it_is_offered() {
        let realm = "https://auth.example.com/token";
        let one = format!("bearer Realm=\"{realm}\", service=\"reg\",scope=\"repository:a:pull\"");
        assert_eq!(read(&headers(&[&one])), bearer(realm, Some("reg")));
        assert_eq!(
            read(&headers(&["Basic realm=\"x\"", &one])),
            bearer(realm, Some("reg"))
        );
        let both = format!("Basic realm=\"x\", Bearer realm=\"{realm}\"");
        assert_eq!(read(&headers(&[&both])), bearer(realm, None));
        assert_eq!(
            read(&headers(&["BASIC realm=\"x\""])),
            Some(Challenge::Basic)
        );
    }

    #[test]
    fn what_cannot_be_answered_is_none() {
        for value in [
            "",
            "Bearer",
            "Bearer service=\"x\"",
            "Negotiate",
            "=",
            "Bearer realm",
        ] {
            assert_eq!(read(&headers(&[value])), None, "{value}");
        }
        let twice = "Bearer realm=\"https://a.example\",realm=\"https://b.example\"";
        assert_eq!(read(&headers(&[twice])), None);
    }

    proptest! {
        #[test]
        fn no_header_panics(text in ".{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_header_of_the_right_letters_panics(text in r#"(Basic|Bearer|realm|=|"|\\|,| |x){0,40}"#) {
            prop_assert!(parse(&text).len() <= MOST);
        }

        #[test]
        fn a_realm_comes_back_whole(realm in "[!-~&&[^\"\\\\]]{1,60}") {
            let header = format!("Bearer realm=\"{realm}\",service=\"s\"");
            prop_assert_eq!(read(&headers(&[&header])), bearer(&realm, Some("s")));
        }
    }
}
