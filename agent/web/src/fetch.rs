//! Reads small documents of identity providers: by https, from nowhere but the address that was
//! asked for, and never more or longer than is sensible (reliability.md I5, H6).

use std::error::Error as _;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::Value;
use url::{Host, Url};

/// A provider that takes longer has a problem; somebody waits before a page.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest document. Key sets have a few kilobytes.
const LIMIT: usize = 256 * 1024;

/// An HTTP client for documents of identity providers. Made when it is first needed: most agents
/// never ask any.
pub(crate) struct Fetch {
    client: OnceLock<Result<Client, String>>,
    authorities: Vec<Certificate>,
    allow_loopback: bool,
}

impl Fetch {
    /// The authorities are trusted beside those of the machine; loopback without TLS is for tests.
    pub(crate) fn new(authorities: Vec<Certificate>, allow_loopback: bool) -> Self {
        Self {
            client: OnceLock::new(),
            authorities,
            allow_loopback,
        }
    }

    fn client(&self) -> Result<&Client, String> {
        let build = || {
            Client::builder()
                .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
                .timeout(TIMEOUT)
                .redirect(Policy::none())
                .referer(false)
                .tls_certs_merge(self.authorities.clone())
                .build()
                .map_err(|e| innermost(&e))
        };
        self.client
            .get_or_init(build)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Whether this address may be asked.
    pub(crate) fn check(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|_| "it is not an address".to_owned())?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(v4)) => v4.is_loopback(),
            Some(Host::Ipv6(v6)) => v6.is_loopback(),
            None => false,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address must not hold a password".to_owned());
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if loopback && self.allow_loopback => Ok(url),
            _ => Err("only https is used".to_owned()),
        }
    }

    /// Reads a JSON document.
    pub(crate) async fn json(&self, url: &str) -> Result<Value, String> {
        let url = self.check(url)?;
        let (status, document) = self.send(self.client()?.get(url)).await?;
        if status != 200 {
            return Err(format!("it answered {status}"));
        }
        document
    }

    /// Sends a form; answers with the status and the document that came back.
    pub(crate) async fn form(
        &self,
        url: &str,
        login: Option<(&str, &str)>,
        fields: &[(&str, &str)],
    ) -> Result<(u16, Value), String> {
        let url = self.check(url)?;
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut request = self
            .client()?
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(body);
        if let Some((user, password)) = login {
            request = request.basic_auth(user, Some(password));
        }
        let (status, document) = self.send(request).await?;
        Ok((status, document?))
    }

    async fn send(&self, request: RequestBuilder) -> Result<(u16, Result<Value, String>), String> {
        let mut response = request.send().await.map_err(|e| describe(&e))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| describe(&e))? {
            body.extend_from_slice(&chunk);
            if body.len() > LIMIT {
                return Err(format!("its answer is longer than {} KiB", LIMIT / 1024));
            }
        }
        let document =
            serde_json::from_slice(&body).map_err(|_| "its answer is not JSON".to_owned());
        Ok((response.status().as_u16(), document))
    }
}

fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    innermost(error)
}

/// The cause of the causes, without the address that the outer ones repeat.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.source().is_none() {
        return "the request failed".to_owned();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_where_it_is_allowed() {
        let strict = Fetch::new(Vec::new(), false);
        let loose = Fetch::new(Vec::new(), true);
        for fine in ["https://id.example.com", "https://127.0.0.1:1/x"] {
            assert!(strict.check(fine).is_ok(), "{fine}");
        }
        for bad in [
            "http://id.example.com",
            "http://127.0.0.1:8080/x",
            "file:///etc/passwd",
            "https://a:b@id.example.com",
            "id.example.com",
            "",
        ] {
            assert!(strict.check(bad).is_err(), "{bad}");
        }
        assert!(loose.check("http://127.0.0.1:8080/x").is_ok());
        assert!(loose.check("http://localhost:8080/x").is_ok());
        assert!(loose.check("http://localhost.example.com/x").is_err());
    }
}
