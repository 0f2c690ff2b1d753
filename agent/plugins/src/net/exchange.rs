//! The choke point: every request of every plugin passes `Outbound::fetch`.
//!
//! Order (plugins.md section 5): match a named target → headers → quota → resolve once → filter all
//! addresses → connect to one of them → verify TLS → expand secrets → send → read under caps →
//! redact → audit. One deadline covers all of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::connect::Network;
use super::fault::NetFault;
use super::headers::{MAX_HEADER_BYTES, request_headers, response_headers};
use super::origin::{Origin, Scheme};
use super::redact::Redactor;
use super::target::{Admitted, Target, is_rollout_target};
use super::template;
use super::wire::{Body, Door, Exchange, SeenOutcome, Wire, wait};
use crate::grant::{PermissionCell, Permissions};
use crate::secret::{SecretSource, SecretValue};

/// Largest request and response body.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
/// Most notes of one call: after these the author knows.
const MAX_NOTES: usize = 8;
/// Most response headers.
const MAX_RESPONSE_HEADERS: usize = 100;

/// A request as a guest makes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) method: String,
    pub(crate) path_and_query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: Option<u32>,
}

/// A response as a guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) truncated: bool,
}

/// The network of one call. Clones share what the call has used and learned.
#[derive(Clone)]
pub(crate) struct Outbound {
    pub(crate) plugin: String,
    pub(crate) network: Arc<Network>,
    pub(crate) secrets: Arc<dyn SecretSource>,
    pub(crate) permissions: PermissionCell,
    /// Where `candidate`, `stable` and `service` are in this call.
    pub(crate) bound: Arc<BTreeMap<String, Origin>>,
    pub(crate) used: Arc<AtomicU32>,
    pub(crate) wire: Wire,
    pub(crate) redactor: Redactor,
    pub(crate) notes: Notes,
    /// When the call itself ends.
    pub(crate) deadline: Instant,
}

/// What the author of a plugin should know about its requests and an interface cannot say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    /// What was noted, once.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One target as it stands at the moment of a request.
pub(crate) struct Found {
    pub(crate) target: Target,
    pub(crate) origin: Origin,
    permissions: Arc<Permissions>,
}

/// A request that passed every check and was counted, ready for the wire.
struct Ready {
    target: String,
    found: Found,
    admitted: Admitted,
    headers: HeaderMap,
    /// Headers that mention secrets, by name, unexpanded.
    templates: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

impl Outbound {
    /// Sends one request.
    pub(crate) async fn fetch(&self, asked: Asked) -> Result<Answered, NetFault> {
        let begun = Instant::now();
        let deadline = self.deadline_of(asked.timeout_ms);
        let name = crate::text::line(&asked.target, 64);
        let outcome = match self.ready(asked) {
            Ok(ready) => self.exchange(ready, deadline).await,
            Err(fault) => Err(fault),
        };
        let result = match &outcome {
            Ok(answered) => answered.status.to_string(),
            Err(fault) => format!("{fault:?}"),
        };
        tracing::info!(
            target: "sluice::plugin::network",
            plugin = %self.plugin,
            to = %name,
            result = %self.redactor.text(&result),
            elapsed_ms = begun.elapsed().as_millis() as u64,
            "request of a plugin"
        );
        outcome
    }

    /// Every check that needs no network. The same live, recorded and replayed.
    fn ready(&self, asked: Asked) -> Result<Ready, NetFault> {
        let found = self.find(&asked.target)?;
        let admitted = found.target.admit(
            &asked.target,
            &found.origin,
            &asked.method,
            &asked.path_and_query,
        )?;
        let headers = request_headers(&asked.headers)?;
        let templates = secret_headers(&asked.target, &found, &headers)?;
        if asked.body.len() > MAX_BODY_BYTES {
            return Err(NetFault::TooLarge(MAX_BODY_BYTES as u64));
        }
        self.count(&found)?;
        Ok(Ready {
            target: asked.target,
            found,
            admitted,
            headers,
            templates,
            body: asked.body,
        })
    }

    async fn exchange(&self, ready: Ready, deadline: Instant) -> Result<Answered, NetFault> {
        match self.wire.clone() {
            Wire::Live => self.live_within(ready, deadline).await,
            Wire::Record(tape) => {
                let mut exchange = ready.on_tape();
                let outcome = self.live_within(ready, deadline).await;
                exchange.outcome = SeenOutcome::of_answer(&outcome);
                tape.record(exchange);
                outcome
            }
            Wire::Replay(tape) => {
                // A server that is slower than the plugin's own patience is a time-out here too.
                let delay = tape.delay();
                let outcome = tape.play(ready.on_tape());
                wait(delay, deadline).await?;
                outcome.answer(is_rollout_target(&ready.target))
            }
        }
    }

    async fn live_within(&self, ready: Ready, deadline: Instant) -> Result<Answered, NetFault> {
        match tokio::time::timeout_at(deadline, self.live(ready)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(NetFault::Timeout),
        }
    }

    async fn live(&self, ready: Ready) -> Result<Answered, NetFault> {
        let reach = ready.found.target.reach;
        let tcp = self.network.tcp(&ready.found.origin, reach).await?;
        let of_the_rollout = is_rollout_target(&ready.target);
        match ready.found.origin.scheme {
            Scheme::Http => {
                let request = self.request(ready).await?;
                self.send(tcp, request, of_the_rollout).await
            }
            Scheme::Https => {
                let tls = self.network.tls(&ready.found.origin, tcp).await?;
                let request = self.request(ready).await?;
                self.send(tls, request, of_the_rollout).await
            }
        }
    }

    /// The granted target at this origin, for a guest that knows servers by address. Where several
    /// are there, the first that takes the request; else the first.
    ///
    /// # Errors
    /// No target is at this origin, or the second door is closed by now.
    pub(crate) fn target_at(
        &self,
        origin: &Origin,
        method: &str,
        path_and_query: &str,
    ) -> Result<String, NetFault> {
        let permissions = self.permissions.now();
        if !permissions.wasi_http {
            return Err(NetFault::NotGranted(format!(
                "wasi:http; to allow it, add wasi-http: true to the grants of plugin {}",
                self.plugin
            )));
        }
        let there: Vec<(&String, &Target)> = permissions
            .targets
            .iter()
            .filter(|(name, target)| {
                target.origin.as_ref().or_else(|| self.bound.get(*name)) == Some(origin)
            })
            .collect();
        there
            .iter()
            .find(|(name, target)| target.admit(name, origin, method, path_and_query).is_ok())
            .or(there.first())
            .map(|(name, _)| (*name).clone())
            .ok_or_else(|| {
                NetFault::NotGranted(format!(
                    "{origin}; to allow it, add a target with this url to grants.http of plugin {}",
                    self.plugin
                ))
            })
    }

    /// The target of that name, with the grant as it stands now.
    pub(crate) fn find(&self, name: &str) -> Result<Found, NetFault> {
        let permissions = self.permissions.now();
        let shown = crate::text::line(name, 64);
        let Some(target) = permissions.targets.get(name).cloned() else {
            return Err(NetFault::NotGranted(format!(
                "target \"{shown}\"; to allow it, add it to grants.http of plugin {}",
                self.plugin
            )));
        };
        let Some(origin) = target
            .origin
            .clone()
            .or_else(|| self.bound.get(name).cloned())
        else {
            return Err(NetFault::Resolve(format!(
                "this call has no ready \"{shown}\""
            )));
        };
        Ok(Found {
            target,
            origin,
            permissions,
        })
    }

    /// The names of the granted secrets that hold a value. Names only: values stay in the host.
    pub(crate) async fn usable_secrets(&self) -> String {
        let permissions = self.permissions.now();
        let mut names = Vec::new();
        for (name, at) in &permissions.secrets {
            if self.secrets.read(at).await.is_ok() {
                names.push(name.as_str());
            }
        }
        names.join(",")
    }

    /// Keeps a fault for the plugin's log.
    pub(crate) fn note(&self, fault: &NetFault) {
        let mut notes = self.notes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MAX_NOTES {
            notes.push(format!("wasi:http: {}", fault.words()));
        }
    }

    /// Takes one request from the budget.
    pub(crate) fn count(&self, found: &Found) -> Result<(), NetFault> {
        let most = found.permissions.limits.requests;
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < most).then(|| used + 1)
            })
            .map(drop)
            .map_err(|_| NetFault::Quota)
    }

    /// Requests so far.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// The smaller of the guest's wish and what is left of the call.
    pub(crate) fn deadline_of(&self, timeout_ms: Option<u32>) -> Instant {
        match timeout_ms {
            Some(wish) => {
                (Instant::now() + Duration::from_millis(u64::from(wish))).min(self.deadline)
            }
            None => self.deadline,
        }
    }

    async fn request(&self, ready: Ready) -> Result<Request<Full<Bytes>>, NetFault> {
        let Ready {
            target: _,
            found,
            admitted,
            mut headers,
            templates,
            body,
        } = ready;
        let secrets = self.read_secrets(&found, &templates).await?;
        for (name, values) in &templates {
            headers.remove(name.as_str());
            for value in values {
                let name = header::HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| NetFault::Other("a header name changed".to_owned()))?;
                headers.append(name, template::expand(value, &secrets, &body)?);
            }
        }
        let host = HeaderValue::from_str(&found.origin.authority())
            .map_err(|_| NetFault::Other("the host cannot be put into a header".to_owned()))?;
        headers.insert(header::HOST, host);
        headers
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "sluice/",
                env!("CARGO_PKG_VERSION")
            )));
        let uri: Uri = admitted
            .path_and_query
            .parse()
            .map_err(|_| NetFault::Other("the path is malformed".to_owned()))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = admitted.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Reads every secret that this target is granted, so that an echo of any of them is hidden,
    /// even of one that an earlier call sent. Only those that the request uses have to be there.
    pub(super) async fn read_secrets(
        &self,
        found: &Found,
        templates: &BTreeMap<String, Vec<String>>,
    ) -> Result<BTreeMap<String, SecretValue>, NetFault> {
        let mut needed = Vec::new();
        for value in templates.values().flatten() {
            needed.extend(template::names(value)?);
        }
        let mut values = BTreeMap::new();
        for name in &found.target.secrets {
            let Some(at) = found.permissions.secrets.get(name) else {
                continue;
            };
            match self.secrets.read(at).await {
                Ok(value) => {
                    self.redactor.learn(name, value.clone());
                    values.insert(name.clone(), value);
                }
                Err(fault) if needed.contains(&name.as_str()) => {
                    return Err(NetFault::Other(format!("secret \"{name}\": {fault}")));
                }
                Err(_) => {}
            }
        }
        Ok(values)
    }

    async fn send<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
        of_the_rollout: bool,
    ) -> Result<Answered, NetFault>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut sender, connection) = http1::Builder::new()
            .max_header_size(MAX_HEADER_BYTES)
            .max_headers(MAX_RESPONSE_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| protocol(&error))?;
        // Drives the one connection; ends with this function, however it ends.
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| protocol(&error))?;
        let (head, body) = response.into_parts();
        let headers = response_headers(&head.headers, of_the_rollout)
            .into_iter()
            // A server may also make a name of what it was sent; names come in small letters.
            .filter(|(name, _)| !self.redactor.stands_in(name))
            .map(|(name, value)| (name, self.redactor.text(&value)))
            .collect();
        let longest = self.redactor.longest();
        let (body, more) = read_body(body, MAX_BODY_BYTES + longest).await?;
        let mut body = self.redactor.bytes(body);
        let truncated = more || body.len() > MAX_BODY_BYTES;
        if more {
            // A secret that lies across the cut must not leave its first half behind.
            body.truncate(body.len().saturating_sub(longest));
        }
        body.truncate(MAX_BODY_BYTES);
        Ok(Answered {
            status: head.status.as_u16(),
            headers,
            body,
            truncated,
        })
    }
}

impl Ready {
    /// The request as a tape holds it. The outcome is still to come.
    fn on_tape(&self) -> Exchange {
        let mut headers: Vec<(String, String)> = self
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        // Stable: values of one name keep their order.
        headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        Exchange {
            door: Door::Http,
            target: self.target.clone(),
            method: self.admitted.method.to_string(),
            path: self.admitted.path_and_query.clone(),
            headers,
            body: Some(Body(self.body.clone())),
            outcome: SeenOutcome::Fault(NetFault::Timeout),
        }
    }
}

/// The header values that mention secrets, after checking that this target may have them.
fn secret_headers(
    target_name: &str,
    found: &Found,
    headers: &HeaderMap,
) -> Result<BTreeMap<String, Vec<String>>, NetFault> {
    let mut templates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in headers.keys() {
        let values: Vec<&str> = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let mut mentions = false;
        for value in &values {
            for secret in template::names(value)? {
                mentions = true;
                if !found.target.secrets.contains(secret) {
                    return Err(NetFault::NotGranted(format!(
                        "secret \"{secret}\" for target \"{target_name}\"; to allow it, add it to the secrets of that target"
                    )));
                }
            }
        }
        if mentions {
            templates.insert(
                name.as_str().to_owned(),
                values.into_iter().map(str::to_owned).collect(),
            );
        }
    }
    let clear = found.origin.scheme == Scheme::Http && !found.target.plaintext_secrets;
    if !templates.is_empty() && clear {
        return Err(NetFault::NotGranted(format!(
            "secrets are not sent without encryption; give target \"{target_name}\" an https url, or plaintextSecrets: true if it is in the cluster"
        )));
    }
    Ok(templates)
}

async fn read_body(mut body: Incoming, wanted: usize) -> Result<(Vec<u8>, bool), NetFault> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| protocol(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = wanted.saturating_sub(bytes.len());
        if data.len() > room {
            bytes.extend_from_slice(data.get(..room).unwrap_or_default());
            return Ok((bytes, true));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, false))
}

fn protocol(error: &hyper::Error) -> NetFault {
    if error.is_parse_too_large() {
        return NetFault::TooLarge(MAX_HEADER_BYTES as u64);
    }
    let words = if error.is_parse() {
        "the answer is not HTTP/1.1"
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "the server closed the connection before the answer was complete"
    } else if error.is_body_write_aborted() {
        "the server did not take the request"
    } else {
        "the connection broke"
    };
    NetFault::Protocol(words.to_owned())
}

#[cfg(test)]
mod tests;
