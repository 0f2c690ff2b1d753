//! Scheme, host and port of a target, in exactly one spelling.
//!
//! Attack 9 (plugins.md section 10): `2130706433`, `0x7f.1`, `slack.com.`, `user@host`, full-width
//! digits. Instead of listing tricks, an address is accepted only if it is already written the way
//! the URL parser would write it.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// Clear or encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Where a target is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
}

impl Origin {
    /// Reads `https://slack.com:443`. The error says how to write it.
    pub(crate) fn parse(text: &str) -> Result<Origin, String> {
        let shown = crate::text::line(text, 200);
        let url = Url::parse(text).map_err(|error| format!("\"{shown}\" is no URL: {error}"))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(format!("\"{shown}\": scheme {other} is not http or https")),
        };
        let host = match url.host() {
            Some(host) => host.to_owned(),
            None => return Err(format!("\"{shown}\" names no host")),
        };
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(format!("\"{shown}\": 0 is no port"));
        }
        let origin = Origin { scheme, host, port };
        if origin.host_text().ends_with('.') {
            return Err(format!(
                "\"{shown}\": write the host without the dot at its end"
            ));
        }
        let written = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
        let short = format!("{}://{}", scheme.name(), origin.host_text());
        let is_short = written == short && port == scheme.default_port();
        if written != origin.to_string() && !is_short {
            return Err(format!("\"{shown}\": write it as \"{origin}\""));
        }
        Ok(origin)
    }

    /// The host as it stands in a `Host` header: IPv6 in brackets.
    pub(crate) fn host_text(&self) -> String {
        self.host.to_string()
    }

    /// `host` or `host:port`, as a browser would send it.
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host_text()
        } else {
            format!("{}:{}", self.host_text(), self.port)
        }
    }

    /// The address, where the host is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(v4) => Some(IpAddr::V4(*v4)),
            Host::Ipv6(v6) => Some(IpAddr::V6(*v6)),
        }
    }

    /// Whether this names the agent's own machine without asking DNS.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address().is_some_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name(), self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling_only() {
        for (text, canonical) in [
            ("https://slack.com:443", "https://slack.com:443"),
            ("https://slack.com", "https://slack.com:443"),
            ("https://slack.com/", "https://slack.com:443"),
            ("HTTPS://Slack.com", "https://slack.com:443"),
            ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("http://[fd12::1]:80", "http://[fd12::1]:80"),
            (
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example:443",
            ),
        ] {
            assert_eq!(
                Origin::parse(text).unwrap().to_string(),
                canonical,
                "{text}"
            );
        }
    }

    #[test]
    fn tricks_are_refused() {
        for text in [
            "http://2130706433",
            "http://0x7f000001",
            "http://0177.0.0.1",
            "http://127.1",
            "http://[::ffff:127.0.0.1]",
            "http://[0:0:0:0:0:0:0:1]",
            "http://slack.com.",
            "http://slack.com@evil.example",
            "http://user:pw@slack.com",
            "http://slack.com#@evil.example",
            "http://slack.com/path",
            "http://slack.com?x",
            "http://slack.com\\@evil.example",
            "http:slack.com",
            "http:///slack.com",
            "http://slack%2ecom",
            "http://bücher.example",
            "http://１２７.0.0.1",
            "http://slack.com:0080",
            "http://slack.com:0",
            "http://slack.com:65536",
            "http://slack.com:+80",
            " http://slack.com",
            "http://sla\tck.com",
            "ftp://slack.com",
            "file:///etc/passwd",
            "slack.com",
            "",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_its_own_spelling(text in "https?://[a-z0-9.:@/\\[\\]%#-]{0,24}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(&origin.to_string()), Ok(origin.clone()));
                prop_assert!(!origin.host_text().contains(['@', '/', '#', '%']));
            }
        }
    }
}
