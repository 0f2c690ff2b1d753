//! The HTTP client: which addresses, redirects and body sizes are accepted.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Request, Response};
use url::{Host, Url};

use crate::address::{self, Blocked, CheckedResolver};
use crate::config::{ConfigError, RegistryConfig};
use crate::fault::quotable;

/// A TCP and TLS handshake takes less, or the host is down.
const CONNECT: Duration = Duration::from_secs(10);
/// Redirects on the same host; a registry that needs more runs in a circle.
const MOST_REDIRECTS: usize = 3;

/// Sends requests to registries.
pub(crate) struct Transport {
    /// Honours `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    proxied: Client,
    /// For loopback hosts: no proxy can reach ours.
    direct: Client,
    listed: Arc<BTreeSet<String>>,
}

/// A body that was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl Transport {
    /// Sets up the clients.
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self, ConfigError> {
        // reqwest panics without a provider.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let missing = "the process has no TLS provider; install rustls's ring provider first";
            return Err(ConfigError::Tls(missing.to_owned()));
        }
        let configured = config
            .hosts
            .iter()
            .flat_map(|(host, settings)| std::iter::once(host).chain(&settings.realm_hosts))
            .filter_map(|host| host_name(&format!("https://{host}/")));
        let listed: Arc<BTreeSet<String>> = Arc::new(configured.chain(proxies()).collect());
        let build = |builder: reqwest::ClientBuilder| {
            builder
                .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT)
                .redirect(Policy::custom(redirect))
                .referer(false)
                .dns_resolver(CheckedResolver {
                    listed: Arc::clone(&listed),
                })
                .build()
                .map_err(|error| ConfigError::Tls(innermost(&error)))
        };
        Ok(Self {
            proxied: build(Client::builder())?,
            direct: build(Client::builder().no_proxy())?,
            listed: Arc::clone(&listed),
        })
    }

    /// Sends a request; an error is a sentence without the address.
    pub(crate) async fn send(&self, request: Request) -> Result<Response, String> {
        let url = request.url();
        let name = url.host_str().unwrap_or_default();
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(ip) = literal {
            // The resolver never sees these.
            let listed = self.listed.contains(name);
            address::check(name, ip, listed).map_err(|blocked| blocked.to_string())?;
        }
        let loopback =
            name == "localhost" || literal.is_some_and(|ip: std::net::IpAddr| ip.is_loopback());
        let client = if loopback {
            &self.direct
        } else {
            &self.proxied
        };
        client
            .execute(request)
            .await
            .map_err(|error| describe(&error))
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(mut response: Response, limit: usize) -> Result<Bytes, BodyError> {
    let announced = response.content_length().unwrap_or_default();
    if announced > limit as u64 {
        return Err(BodyError::TooLarge(limit));
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(BodyError::TooLarge(limit));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => return Err(BodyError::Broken(innermost(&error))),
        }
    }
}

/// Follows a redirect on the same host (scheme and port included); any other is left as an answer.
fn redirect(attempt: Attempt<'_>) -> Action {
    let same = attempt
        .previous()
        .first()
        .is_some_and(|first| same_origin(first, attempt.url()));
    if same && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Whether both addresses are on one scheme, host and port.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() && one.origin().is_tuple()
}

/// The names of the proxies that the environment sets: these may be private.
fn proxies() -> impl Iterator<Item = String> {
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
        .into_iter()
        .flat_map(|name| [std::env::var(name), std::env::var(name.to_lowercase())])
        .filter_map(|value| {
            let value = value.ok()?;
            if value.contains("://") {
                host_name(&value)
            } else {
                host_name(&format!("http://{value}"))
            }
        })
}

fn host_name(url: &str) -> Option<String> {
    Some(Url::parse(url).ok()?.host_str()?.to_owned())
}

/// One sentence for why a request got no answer.
fn describe(error: &reqwest::Error) -> String {
    let mut source: Option<&dyn Error> = Some(error);
    while let Some(one) = source {
        if let Some(blocked) = one.downcast_ref::<Blocked>() {
            return blocked.to_string();
        }
        source = one.source();
    }
    let cause = innermost(error);
    if cause.contains("InvalidContentType") {
        return "the host does not speak TLS on this port; if plain HTTP is meant, set insecure: \
                true for it in the registry configuration"
            .to_owned();
    }
    if error.is_timeout() {
        return format!("no connection within {} s", CONNECT.as_secs());
    }
    if error.is_connect() {
        return format!("cannot connect: {cause}");
    }
    format!("the connection broke: {cause}")
}

/// The text of the first cause: the layers above it only repeat the address.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    quotable(&innermost.to_string())
}
