//! The client as the controller sees it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderValue;
use sluice_core::image::facts::{ImageFacts, SignatureProof};
use sluice_core::policy::Signer;
use sluice_core::port::{BoxFuture, Clock, Registry, RegistryFault};
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::auth::Remembered;
use crate::config::{ConfigError, RegistryConfig};
use crate::digest::Digest;
use crate::fault::{Ask, WAIT};
use crate::host::{Host, Hosts};
use crate::recent::Recent;
use crate::repository::Repository;
use crate::session::{Access, Session};
use crate::signature::Verifier;
use crate::sigstore::{Sigstore, TrustError, TrustRoot};
use crate::transport::Transport;
use crate::{describe, resolve, tags, verify};

/// Repositories, tags and digests remembered. 1,000 pipelines with a few tags each fit.
const REMEMBERED: usize = 4096;

/// How much one client asks for at most. The defaults are for production; tests lower them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A call ends after this time, with or without an answer; waiting for a slot counts.
    pub deadline: Duration,
    /// The same for one that moves a whole artifact, up or down: 32 MiB at 2 Mbit/s.
    pub transfer_deadline: Duration,
    /// Requests under way at once.
    pub requests: usize,
    /// Requests under way at once to one host.
    pub requests_per_host: usize,
    /// Tags of one repository. More is an error: a list is never cut.
    pub tags: usize,
    /// Pages of one tag list.
    pub pages: usize,
    /// Bytes of one page of a tag list.
    pub tags_page_bytes: usize,
    /// Bytes of a manifest; 4 MiB is what registries themselves accept.
    pub manifest_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            transfer_deadline: Duration::from_secs(130),
            requests: 8,
            requests_per_host: 4,
            tags: 100_000,
            pages: 1000,
            tags_page_bytes: 4 * 1024 * 1024,
            manifest_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What is remembered between calls; losing any of it costs a request.
pub(crate) struct Memory {
    pub(crate) authorizations: Recent<(Repository, Access), Remembered>,
    /// Digests whose manifest was read and hashed.
    pub(crate) verified: Recent<(Repository, Digest), ()>,
    /// Entity tags, for registries that state no digest.
    pub(crate) etags: Recent<(Repository, String), (HeaderValue, Digest)>,
}

/// Reads OCI registries over HTTP. Share one: it remembers who asked to be left alone.
pub struct OciRegistry {
    pub(crate) config: RegistryConfig,
    pub(crate) limits: Limits,
    pub(crate) transport: Transport,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Mutex<Memory>,
    pub(crate) verifier: Arc<dyn Verifier>,
    hosts: Hosts,
    slots: Semaphore,
}

impl OciRegistry {
    /// A client with the limits for production. The process must have a rustls provider.
    ///
    /// # Errors
    /// Where the configuration is not valid or TLS cannot be set up.
    pub fn new(config: RegistryConfig, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        Self::with_limits(config, clock, Limits::default())
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// As [`OciRegistry::new`].
    pub fn with_limits(
        config: RegistryConfig,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let trust = trust(&config)?;
        Ok(Self {
            verifier: Arc::new(Sigstore::new(trust)),
            transport: Transport::new(&config)?,
            clock,
            memory: Mutex::new(Memory {
                authorizations: Recent::new(REMEMBERED),
                verified: Recent::new(REMEMBERED),
                etags: Recent::new(REMEMBERED),
            }),
            hosts: Hosts::new(limits.requests_per_host),
            slots: Semaphore::new(limits.requests),
            config,
            limits,
        })
    }

    /// The same with another verifier of signatures.
    #[must_use]
    pub fn with_verifier(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.verifier = verifier;
        self
    }

    /// Waits for the slots that a call needs: the host's first, so that whoever waits for a slow
    /// host takes none of the slots that the others need.
    async fn open(
        &self,
        ask: Ask,
        repository: &str,
        access: Access,
    ) -> Result<Session<'_>, RegistryFault> {
        let not_a_name = || {
            ask.not_found(
                "this is not the name of a repository",
                "Write host/path in lower case without tag or digest, such as \
                 registry.example.com/shop/storefront",
            )
        };
        let repository = Repository::parse(repository).map_err(|_| not_a_name())?;
        let insecure = self
            .config
            .host(repository.host())
            .is_some_and(|host| host.insecure);
        let scheme = if insecure { "http" } else { "https" };
        let base = repository.base(scheme).map_err(|_| not_a_name())?;
        let host = self.hosts.get(repository.host()).ok_or_else(|| {
            ask.unavailable(
                "too many different registries are asked at the same time",
                WAIT,
            )
        })?;
        self.check_hold(&ask, &repository, &host)?;
        let closed = |error: AcquireError| ask.unavailable(error, WAIT);
        let host_slot = Arc::clone(&host.slots)
            .acquire_owned()
            .await
            .map_err(closed)?;
        let slot = self.slots.acquire().await.map_err(closed)?;
        Ok(Session {
            registry: self,
            ask,
            repository,
            access,
            base,
            host,
            secrets: Mutex::default(),
            _slots: (host_slot, slot),
        })
    }

    /// An error where the host asked to be left alone for longer.
    pub(crate) fn check_hold(
        &self,
        ask: &Ask,
        repository: &Repository,
        host: &Host,
    ) -> Result<(), RegistryFault> {
        let Some(left) = host.held() else {
            return Ok(());
        };
        // Rounded up: whoever waits so long does not come too early.
        let seconds = u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        let name = repository.host();
        let cause =
            format!("{name} asked for a pause that lasts {seconds} s more; it was not asked");
        Err(ask.rate_limited(cause, seconds))
    }

    /// Runs one call within the deadline. The message says how much of it went by before a slot was
    /// free: whether the registry is slow or we ask too much.
    async fn call<'a, T, F>(
        &'a self,
        ask: Ask,
        repository: &'a str,
        work: impl FnOnce(Session<'a>) -> F + Send,
    ) -> Result<T, RegistryFault>
    where
        F: Future<Output = Result<T, RegistryFault>> + Send,
    {
        let limit = self.limits.deadline;
        self.call_within(limit, Access::Pull, ask, repository, work)
            .await
    }

    /// The same with another deadline, for reading or for writing.
    pub(crate) async fn call_within<'a, T, E, F>(
        &'a self,
        limit: Duration,
        access: Access,
        ask: Ask,
        repository: &'a str,
        work: impl FnOnce(Session<'a>) -> F + Send,
    ) -> Result<T, E>
    where
        E: From<RegistryFault>,
        F: Future<Output = Result<T, E>> + Send,
    {
        let begin = Instant::now();
        let opened = timeout_at(begin + limit, self.open(ask.clone(), repository, access)).await;
        let waited = begin.elapsed().min(limit);
        if let Ok(session) = opened
            && let Ok(answer) = timeout_at(begin + limit, work(session?)).await
        {
            return answer;
        }
        let cause = format!("no whole answer within {} s", limit.as_secs_f32());
        if waited < limit / 10 {
            return Err(ask.unavailable(cause, WAIT).into());
        }
        let cause = format!(
            "{cause}, of which {:.1} s went by in waiting for other requests to registries to end",
            waited.as_secs_f32()
        );
        Err(ask
            .unavailable(
                cause,
                "Sluice asks again by itself; if it stays so, poll less often",
            )
            .into())
    }
}

impl Registry for OciRegistry {
    fn tags<'a>(
        &'a self,
        repository: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, RegistryFault>> {
        Box::pin(
            self.call(Ask::tags(repository), repository, |session| async move {
                tags::list(&session).await
            }),
        )
    }

    fn resolve<'a>(
        &'a self,
        repository: &'a str,
        tag: &'a str,
    ) -> BoxFuture<'a, Result<String, RegistryFault>> {
        Box::pin(self.call(
            Ask::resolve(repository, tag),
            repository,
            move |session| async move {
                resolve::resolve(&session, tag)
                    .await
                    .map(|digest| digest.as_str().to_owned())
            },
        ))
    }

    fn describe<'a>(
        &'a self,
        repository: &'a str,
        digest: &'a str,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<ImageFacts, RegistryFault>> {
        Box::pin(self.call(
            Ask::describe(repository, digest),
            repository,
            move |session| async move { describe::describe(&session, digest, keys).await },
        ))
    }

    fn verify<'a>(
        &'a self,
        repository: &'a str,
        digest: &'a str,
        signers: &'a BTreeMap<String, Signer>,
    ) -> BoxFuture<'a, Result<Vec<SignatureProof>, RegistryFault>> {
        Box::pin(self.call(
            Ask::verify(repository, digest),
            repository,
            move |session| async move { verify::verify(&session, digest, signers).await },
        ))
    }
}

/// The trust root that the configuration names, or the built-in one.
fn trust(config: &RegistryConfig) -> Result<TrustRoot, ConfigError> {
    let (name, root) = match &config.trust.root {
        Some(path) => (path.display().to_string(), TrustRoot::from_file(path)),
        None => ("that is built in".to_owned(), TrustRoot::public_good()),
    };
    root.map_err(|error: TrustError| ConfigError::Trust(format!("{name} {error}")))
}
