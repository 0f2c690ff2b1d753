//! Whom to ask, how often and how long.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;
use url::Url;

use crate::{Error, Result};

/// A load that was found harmless.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) address: SocketAddr,
    /// For the `host` header.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) path: String,
    rate: u32,
    seconds: u32,
    pub(crate) patience: Duration,
}

impl Plan {
    /// `rate` requests a second for so many seconds. The address is resolved once, and must be one of
    /// this machine or of a private network: load on somebody else's service is an attack.
    pub async fn new(url: &str, rate: u32, seconds: u32, patience: Duration) -> Result<Self> {
        let wrong = |why: String| Error::Target {
            url: url.to_owned(),
            why,
        };
        let parsed = Url::parse(url).map_err(|e| wrong(e.to_string()))?;
        if parsed.scheme() != "http" {
            return Err(wrong(format!("{} is not http", parsed.scheme())));
        }
        let name = parsed
            .host_str()
            .ok_or_else(|| wrong("it has no host".to_owned()))?;
        let port = parsed.port_or_known_default().unwrap_or(80);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let address = lookup_host((bare, port))
            .await
            .map_err(|e| wrong(e.to_string()))?
            .next()
            .ok_or_else(|| wrong("the name has no address".to_owned()))?;
        if !is_near(address.ip()) {
            return Err(wrong(format!("{} is a public address", address.ip())));
        }
        let query = parsed.query().map(|q| format!("?{q}")).unwrap_or_default();
        Ok(Self {
            address,
            host: format!("{name}:{port}"),
            path: format!("{}{query}", parsed.path()),
            rate: rate.max(1),
            seconds,
            patience,
        })
    }

    /// In all.
    pub(crate) fn requests(&self) -> u32 {
        self.rate.saturating_mul(self.seconds)
    }

    /// When the request of this number is sent, from the beginning.
    pub(crate) fn due(&self, number: u32) -> Duration {
        Duration::from_secs_f64(f64::from(number) / f64::from(self.rate))
    }

    /// All that can be open when every one runs into its limit, and some for the late.
    pub(crate) fn most_open(&self) -> usize {
        let seconds = usize::try_from(self.patience.as_secs()).unwrap_or(60) + 1;
        usize::try_from(self.rate).map_or(usize::MAX, |rate| rate * seconds + 100)
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Plan;

    async fn plan(url: &str) -> Result<Plan, String> {
        let plan = Plan::new(url, 200, 10, Duration::from_secs(5)).await;
        plan.map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn only_near_addresses_are_asked() {
        for url in [
            "http://127.0.0.1:8080/",
            "http://10.96.0.12/",
            "http://192.168.1.2:80/x?y=1",
            "http://[::1]:8080/",
        ] {
            assert!(plan(url).await.is_ok(), "{url}");
        }
        for (url, why) in [
            ("http://192.0.2.1/", "public"),
            ("http://8.8.8.8/", "public"),
            ("https://127.0.0.1/", "not http"),
            ("storefront", "relative"),
        ] {
            let error = plan(url).await.unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[tokio::test]
    async fn requests_are_evenly_spread() {
        let plan = plan("http://127.0.0.1:8080/a?b").await.unwrap();
        assert_eq!(plan.path, "/a?b");
        assert_eq!(plan.requests(), 2_000);
        assert_eq!(plan.due(1), Duration::from_millis(5));
        assert_eq!(plan.due(200), Duration::from_secs(1));
    }
}
