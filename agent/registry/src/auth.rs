//! What a registry is shown: basic credentials, or a token of its token service.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Request;
use serde::Deserialize;
use sluice_core::port::RegistryFault;
use tokio::time::Instant;
use url::Url;

use crate::challenge::{self, Challenge};
use crate::config::Secret;
use crate::credentials::{self, Credentials};
use crate::fault::{BROKEN, WAIT};
use crate::realm;
use crate::session::Session;
use crate::transport;

/// Token answers are a few kilobytes.
const MOST_TOKEN_BYTES: usize = 256 * 1024;
/// The token specification's lifetime where the answer names none.
const DEFAULT_LIFETIME: u64 = 60;
/// A token that says it lives longer is asked for again after a day.
const LONGEST_LIFETIME: u64 = 24 * 60 * 60;

/// What is sent in the `Authorization` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authorization {
    Basic(Credentials),
    Bearer(Secret),
}

/// What was found out about a repository's authentication, for the next call.
#[derive(Clone, Debug)]
pub(crate) enum Remembered {
    /// It wants basic credentials; they are looked up again each time.
    Basic,
    /// It gave this token, good until then.
    Bearer(Secret, Instant),
}

impl Authorization {
    pub(crate) fn header(&self) -> Result<HeaderValue, header::InvalidHeaderValue> {
        let text = match self {
            Self::Basic(credentials) => credentials.basic(),
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        let mut value = HeaderValue::from_str(&text)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// What an answer must not repeat into a message.
    pub(crate) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Basic(credentials) => credentials.secrets().into(),
            Self::Bearer(token) => vec![token.expose().to_owned()],
        }
    }
}

/// A token service's answer.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<u64>,
}

impl Session<'_> {
    /// What the last call found out, where it still holds.
    pub(crate) async fn remembered(&self) -> Result<Option<Authorization>, RegistryFault> {
        let remembered = self.memory().authorizations.get(&self.key()).cloned();
        match remembered {
            None => Ok(None),
            Some(Remembered::Basic) => Ok(self.credentials().await?.map(Authorization::Basic)),
            Some(Remembered::Bearer(token, until)) => {
                Ok((Instant::now() < until).then_some(Authorization::Bearer(token)))
            }
        }
    }

    /// Answers the challenge of a 401.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
    ) -> Result<Authorization, RegistryFault> {
        let credentials = self.credentials().await?;
        let (authorization, remembered) = match challenge::read(headers) {
            None => {
                return Err(self.ask.denied(
                    "the registry asks for an authentication that is neither basic nor bearer \
                     (401)",
                    "Check the registry's authentication settings",
                ));
            }
            Some(Challenge::Basic) => {
                let credentials = credentials.ok_or_else(|| self.no_credentials())?;
                (Authorization::Basic(credentials), Remembered::Basic)
            }
            Some(Challenge::Bearer { realm, service }) => {
                let (token, until) = self
                    .fetch_token(&realm, service.as_deref(), credentials)
                    .await?;
                (
                    Authorization::Bearer(token.clone()),
                    Remembered::Bearer(token, until),
                )
            }
        };
        self.memory().authorizations.put(self.key(), remembered);
        Ok(authorization)
    }

    async fn credentials(&self) -> Result<Option<Credentials>, RegistryFault> {
        credentials::find(self.config(), &self.repository)
            .await
            .map_err(|problem| {
                self.ask.denied(
                    problem,
                    "Mend the file, or the path in the registry configuration",
                )
            })
    }

    fn no_credentials(&self) -> RegistryFault {
        let host = self.repository.host();
        let cause = format!("{host} asks for credentials, and none are configured for it");
        self.ask.denied(
            cause,
            "Add username and password under hosts in the registry configuration, or an entry to \
             the dockerConfig file",
        )
    }

    /// Gets a token that may do in this repository what the call does and nothing else, whatever
    /// scope the challenge asks for.
    async fn fetch_token(
        &self,
        realm: &str,
        service: Option<&str>,
        credentials: Option<Credentials>,
    ) -> Result<(Secret, Instant), RegistryFault> {
        let host = self.repository.host();
        let realm_hosts = self
            .config()
            .host(host)
            .map_or(&[][..], |host| &host.realm_hosts);
        let mut url = realm::check(realm, host, &self.base, realm_hosts)
            .map_err(|problem| self.ask.denied(problem, "Nothing was changed"))?;
        let scope = format!(
            "repository:{}:{}",
            self.repository.path(),
            self.access.actions()
        );
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        url.query_pairs_mut().append_pair("scope", &scope);

        let authorization = credentials.map(Authorization::Basic);
        let sent = Instant::now();
        let asking = request(Method::GET, url.clone(), HeaderMap::new());
        let response = self.once(asking, authorization.as_ref()).await?;
        let status = response.status();
        if status != StatusCode::OK {
            let said = self.said(response).await;
            return Err(self.token_refused(&url, status, &said, authorization.is_some()));
        }
        let body = transport::read(response, MOST_TOKEN_BYTES)
            .await
            .map_err(|error| {
                self.ask
                    .unavailable(format!("from the token service, {error}"), WAIT)
            })?;
        // serde's message could quote the token.
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| {
            self.ask
                .unavailable("the token service's answer is not a token", BROKEN)
        })?;
        let token = answer
            .token
            .or(answer.access_token)
            .filter(|token| !token.expose().is_empty())
            .ok_or_else(|| {
                self.ask
                    .unavailable("the token service's answer has no token", BROKEN)
            })?;
        let lifetime = answer
            .expires_in
            .unwrap_or(DEFAULT_LIFETIME)
            .min(LONGEST_LIFETIME);
        // Given up a tenth early, so that it does not expire on its way.
        Ok((token, sent + Duration::from_secs(lifetime).mul_f64(0.9)))
    }

    fn token_refused(
        &self,
        url: &Url,
        status: StatusCode,
        said: &str,
        with_account: bool,
    ) -> RegistryFault {
        let service = realm::authority(url).unwrap_or_default();
        let cause = format!("the token service on {service} answered {status}{said}");
        match (status, with_account) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, false) => self.no_credentials(),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true) => self.ask.denied(
                format!("the configured account was refused: {cause}"),
                "Check user name and password in the registry configuration",
            ),
            (_, _) => self.ask.unavailable(cause, WAIT),
        }
    }
}

/// A request without a body.
pub(crate) fn request(method: Method, url: Url, headers: HeaderMap) -> Request {
    let mut request = Request::new(method, url);
    *request.headers_mut() = headers;
    request
}
