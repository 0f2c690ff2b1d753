//! One call to one repository: sends requests with the right credentials, and turns what is no
//! answer into a fault.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Request, Response};
use sluice_core::port::RegistryFault;
use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};
use url::Url;

use crate::auth::{Authorization, request};
use crate::client::{Memory, OciRegistry};
use crate::config::RegistryConfig;
use crate::fault::{Ask, BROKEN, WAIT, said};
use crate::host::{Host, lock};
use crate::repository::Repository;
use crate::{retry_after, transport};

/// Error bodies are a few hundred bytes; more is not read.
const MOST_ERROR_BYTES: usize = 64 * 1024;
/// The pause after a 429 that names none.
const DEFAULT_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);

/// What a call may do with the repository: a token for reading writes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    Pull,
    Push,
}

impl Access {
    /// The actions of a token's scope.
    pub(crate) fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }

    fn needs(self) -> &'static str {
        match self {
            Self::Pull => {
                "Check that the account in the registry configuration may pull this repository"
            }
            Self::Push => {
                "Check that the account in the registry configuration may push to this repository"
            }
        }
    }
}

/// One call. It holds a slot of its host and one of the whole agent until it ends, and has at most
/// one request under way at any time: so the slots bound the requests.
pub(crate) struct Session<'a> {
    pub(crate) registry: &'a OciRegistry,
    pub(crate) ask: Ask,
    pub(crate) repository: Repository,
    pub(crate) access: Access,
    /// The address of the registry's API, ending in `/v2/`.
    pub(crate) base: Url,
    pub(crate) host: Arc<Host>,
    /// What was sent to authenticate itself: no message may repeat it.
    pub(crate) secrets: Mutex<Vec<String>>,
    pub(crate) _slots: (OwnedSemaphorePermit, SemaphorePermit<'a>),
}

impl Session<'_> {
    pub(crate) fn config(&self) -> &RegistryConfig {
        &self.registry.config
    }

    /// What the client remembers between calls. Never held over an await.
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.registry.memory)
    }

    /// Under which what is found out about authentication is remembered.
    pub(crate) fn key(&self) -> (Repository, Access) {
        (self.repository.clone(), self.access)
    }

    /// The address of a resource of the repository, such as `tags/list`.
    pub(crate) fn address(&self, resource: &str) -> Result<Url, RegistryFault> {
        self.base
            .join(&format!("{}/{resource}", self.repository.path()))
            .map_err(|error| self.ask.not_found(error, "Check the repository's name"))
    }

    /// Sends a request, answering at most one challenge. Answers every response but 401, 429 and a
    /// 503 that asks for a pause.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Response, RegistryFault> {
        self.send_with(method, url, headers, Bytes::new()).await
    }

    /// The same with a body.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, RegistryFault> {
        let with_body = || {
            let mut request = request(method.clone(), url.clone(), headers.clone());
            if !body.is_empty() {
                *request.body_mut() = Some(body.clone().into());
            }
            request
        };
        let known = self.remembered().await?;
        let response = self.once(with_body(), known.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        self.memory().authorizations.remove(&self.key());
        let fresh = self.authorize(response.headers()).await?;
        if known.as_ref() == Some(&fresh) {
            // The same again would only count as one more failed login.
            return Err(self.refusal(response).await);
        }
        let response = self.once(with_body(), Some(&fresh)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.memory().authorizations.remove(&self.key());
            return Err(self.refusal(response).await);
        }
        Ok(response)
    }

    /// Sends one request, unless the host asked to be left alone, and notes where it asks so now.
    pub(crate) async fn once(
        &self,
        mut request: Request,
        authorization: Option<&Authorization>,
    ) -> Result<Response, RegistryFault> {
        self.registry
            .check_hold(&self.ask, &self.repository, &self.host)?;
        if let Some(authorization) = authorization {
            let value = authorization.header().map_err(|_| {
                self.ask.denied(
                    "the credentials contain characters that no request can carry",
                    "Check user name and password in the registry configuration",
                )
            })?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
            lock(&self.secrets).extend(authorization.secrets());
        }
        let response = self.registry.transport.send(request).await;
        let response = response.map_err(|cause| self.ask.unavailable(cause, WAIT))?;
        let status = response.status();
        let asked = retry_after::read(response.headers(), self.registry.clock.now());
        let pause = match status {
            StatusCode::TOO_MANY_REQUESTS => Some(asked.unwrap_or(DEFAULT_PAUSE)),
            StatusCode::SERVICE_UNAVAILABLE => asked,
            _ => None,
        };
        let Some(pause) = pause else {
            return Ok(response);
        };
        self.host.hold(pause);
        let host = self.repository.host();
        let seconds = u32::try_from(pause.as_secs()).unwrap_or(u32::MAX);
        tracing::warn!(host, seconds, "the registry asks for a pause ({status})");
        let said = self.said(response).await;
        let cause =
            format!("{host} answered {status} and asks for {seconds} s without requests{said}");
        Err(self.ask.rate_limited(cause, seconds))
    }

    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn body(
        &self,
        response: Response,
        limit: usize,
    ) -> Result<Bytes, RegistryFault> {
        transport::read(response, limit)
            .await
            .map_err(|error| self.ask.unavailable(error, BROKEN))
    }

    /// The registry's own explanation of a refusal, in brackets; empty without one.
    pub(crate) async fn said(&self, response: Response) -> String {
        let body = transport::read(response, MOST_ERROR_BYTES)
            .await
            .unwrap_or_default();
        said(&body, &lock(&self.secrets))
    }

    /// The fault that a response which is no answer stands for.
    pub(crate) async fn refusal(&self, response: Response) -> RegistryFault {
        let status = response.status();
        let host = self.repository.host();
        if status.is_redirection() {
            let target = response
                .headers()
                .get(header::LOCATION)
                .and_then(|location| self.base.join(location.to_str().ok()?).ok())
                .and_then(|target| crate::realm::authority(&target))
                .unwrap_or_else(|| "nowhere".to_owned());
            return self.ask.unavailable(
                format!("{host} redirects to {target} ({status}), which is not followed"),
                "Redirects to other hosts are never followed; name the repository under the host \
                 that serves it",
            );
        }
        let cause = format!("{host} answered {status}{}", self.said(response).await);
        match status {
            StatusCode::NOT_FOUND => self.ask.not_found(
                cause,
                "Check the name, and that the image was pushed; some registries answer so too \
                 where the account may not see the repository",
            ),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                self.ask.denied(cause, self.access.needs())
            }
            other if other.is_server_error() => self.ask.unavailable(cause, WAIT),
            _ => self.ask.unavailable(cause, BROKEN),
        }
    }
}
