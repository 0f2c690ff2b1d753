//! Where a request came from: the names by which the page may be reached, and whether a change was
//! sent by the page itself (reliability.md I4, attack 21).

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use url::Url;

use crate::app::WebConfig;
use crate::problem::Problem;

/// The names of loopback, where no others are set.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The host and port that the client asked for.
fn authority(parts: &Parts) -> Option<String> {
    let mut named = parts.headers.get_all(header::HOST).iter();
    let host = named.next()?.to_str().ok()?;
    // Two Host headers are a smuggling attempt, not a choice.
    if named.next().is_some() {
        return None;
    }
    Some(host.to_ascii_lowercase())
}

/// Whether the client used one of our names. A foreign name that resolves to this machine is DNS
/// rebinding.
pub(crate) fn check_host(config: &WebConfig, parts: &Parts) -> Result<(), Problem> {
    let host = authority(parts);
    let known = host.as_deref().is_some_and(|host| {
        if config.hosts.is_empty() {
            // A colon inside brackets belongs to the address.
            let name = match host.rsplit_once(':') {
                Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
                Some(_) | None => host,
            };
            LOOPBACK.contains(&name)
        } else {
            config
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(host))
        }
    });
    if known {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-host",
        "this page is not served under that host name",
        if config.hosts.is_empty() {
            "use localhost, or add the name to the agent's web hosts".to_owned()
        } else {
            format!(
                "use {}, or add the name to the agent's web hosts",
                config.hosts.join(" or ")
            )
        },
    ))
}

/// The address under which the client reached us: what tokens for us are made for, and where an
/// identity provider sends people back to. Only after [`check_host`].
pub(crate) fn base(config: &WebConfig, parts: &Parts) -> Option<String> {
    let scheme = if config.secure_cookies {
        "https"
    } else {
        "http"
    };
    authority(parts).map(|host| format!("{scheme}://{host}"))
}

/// Whether a change may come from where it came from. A browser names the origin of every POST; a
/// program that brings its own token need not, as no browser adds that token by itself.
pub(crate) fn check_origin(
    config: &WebConfig,
    parts: &Parts,
    brings_token: bool,
) -> Result<(), Problem> {
    let mut origins = parts.headers.get_all(header::ORIGIN).iter();
    let ours = match (origins.next(), origins.next()) {
        (None, _) => brings_token,
        (Some(origin), None) => origin
            .to_str()
            .ok()
            .is_some_and(|origin| same_origin(config, origin, authority(parts).as_deref())),
        (Some(_), Some(_)) => false,
    };
    if ours && !from_another_site(&parts.headers) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "foreign-origin",
        "the request was not sent by this page",
        "open the page itself and press the button there",
    ))
}

fn same_origin(config: &WebConfig, origin: &str, host: Option<&str>) -> bool {
    let (Ok(origin), Some(host)) = (Url::parse(origin), host) else {
        return false;
    };
    let scheme = origin.scheme();
    // Behind a proxy that ends TLS the browser says https while we speak http.
    if scheme != "https" && (config.secure_cookies || scheme != "http") {
        return false;
    }
    // Parsed with the same scheme, so that a default port is the same as none.
    Url::parse(&format!("{scheme}://{host}/")).is_ok_and(|ours| ours.origin() == origin.origin())
}

/// Browsers that know `Sec-Fetch-Site` say so themselves.
fn from_another_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn config(hosts: &[&str], secure: bool) -> WebConfig {
        WebConfig {
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            secure_cookies: secure,
            ..WebConfig::default()
        }
    }

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_our_names_are_served() {
        let loopback = config(&[], false);
        for good in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:1",
            "[::1]:8080",
            "LOCALHOST:80",
        ] {
            assert!(
                check_host(&loopback, &parts(&[("host", good)])).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "[::1",
        ] {
            assert!(
                check_host(&loopback, &parts(&[("host", bad)])).is_err(),
                "{bad}"
            );
        }
        assert!(check_host(&loopback, &parts(&[])).is_err());
        let two = parts(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(check_host(&loopback, &two).is_err());
        let named = config(&["sluice.example.com"], true);
        assert!(check_host(&named, &parts(&[("host", "Sluice.example.com")])).is_ok());
        assert!(check_host(&named, &parts(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn a_change_comes_from_the_page_itself() {
        let plain = config(&[], false);
        let ok =
            |headers: &[(&str, &str)], token| check_origin(&plain, &parts(headers), token).is_ok();
        let host = ("host", "localhost:8080");
        assert!(ok(&[host, ("origin", "http://localhost:8080")], false));
        assert!(ok(&[host, ("origin", "https://localhost:8080")], false));
        assert!(ok(
            &[("host", "localhost"), ("origin", "http://localhost:80")],
            false
        ));
        assert!(
            ok(&[host], true),
            "a program with its own token names no origin"
        );
        for (bad, token) in [
            (None, false),
            (Some("null"), false),
            (Some("http://localhost:9999"), false),
            (Some("http://evil.example"), false),
            (Some("http://evil.example"), true),
            (Some("ftp://localhost:8080"), false),
            (Some("http://localhost:8080.evil.example"), false),
        ] {
            let mut headers = vec![host];
            headers.extend(bad.map(|o| ("origin", o)));
            assert!(!ok(&headers, token), "{bad:?}");
        }
        let good = ("origin", "http://localhost:8080");
        assert!(!ok(&[host, good, ("sec-fetch-site", "cross-site")], false));
        assert!(!ok(&[host, good, good], false));
    }

    #[test]
    fn with_secure_cookies_plain_http_is_foreign() {
        let secure = config(&["sluice.example.com"], true);
        let from = |origin| {
            check_origin(
                &secure,
                &parts(&[("host", "sluice.example.com"), ("origin", origin)]),
                false,
            )
        };
        assert!(from("https://sluice.example.com").is_ok());
        assert!(from("http://sluice.example.com").is_err());
    }
}
