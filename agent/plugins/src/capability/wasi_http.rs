//! `wasi:http/outgoing-handler@0.2`: a second door to the choke point in [`crate::net`], for guests that
//! bring an HTTP library. Its own grant opens it, and every request passes the same checks, the same
//! quota and the same wire as `sluice:plugin/http`.
//!
//! The library's stock client connects anywhere and is not even linked. Here a request names a server
//! by address, and the address has to be that of a granted target. Bodies are collected up to their
//! limit, in both directions, before anything is sent or seen.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited, StreamBody};
use hyper::body::Frame;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttp,
    WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use crate::net::exchange::{Answered, Asked, MAX_BODY_BYTES, Outbound};
use crate::net::fault::NetFault;
use crate::net::headers::MAX_HEADER_BYTES;
use crate::net::origin::Origin;
use crate::state::CallState;

/// Most bytes of one write to a request's body. The guest writes again.
const CHUNK_BYTES: usize = 64 << 10;

/// Offers the two interfaces that an outgoing request needs. Which plugins get them is the contract's
/// check at load time; whether they may send is the grant's, at each request.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    let options = types::LinkOptions::default();
    outgoing_handler::add_to_linker::<CallState, WasiHttp>(linker, CallState::http)?;
    types::add_to_linker::<CallState, WasiHttp>(linker, &options, CallState::http)
}

/// The library's own state of one call.
pub(crate) fn context() -> WasiHttpCtx {
    let mut context = WasiHttpCtx::new();
    context.set_field_size_limit(MAX_HEADER_BYTES);
    context
}

impl WasiHttpView for CallState {
    // Every import of the door comes through here.
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.host_calls.count();
        WasiHttpCtxView {
            hooks: &mut self.outbound,
            table: &mut self.table,
            ctx: &mut self.wasi_http,
        }
    }
}

type Sent = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Outbound {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name: &HeaderName| DEFAULT_FORBIDDEN_HEADERS.contains(name))
    }

    fn set_host_header(&mut self) -> bool {
        // The choke point sets it, from the granted origin.
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let outbound = self.clone();
        Box::new(async move {
            match outbound.pass_on(request, options).await {
                Ok(answered) => Ok((
                    response(answered)?,
                    Box::new(async { Ok(()) }) as Box<dyn Future<Output = _> + Send>,
                )),
                Err(fault) => {
                    // The interface has no words for most faults; the plugin's log has.
                    outbound.note(&fault);
                    Err(outbound.to_library(fault))
                }
            }
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

impl Outbound {
    async fn pass_on(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Answered, NetFault> {
        let (head, body) = request.into_parts();
        let path_and_query = head
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned();
        let scheme = head.uri.scheme_str().unwrap_or("https");
        let authority = head.uri.authority().map_or("", |a| a.as_str());
        let origin = Origin::parse(&format!("{scheme}://{authority}")).map_err(NetFault::Other)?;
        let target = self.target_at(&origin, head.method.as_str(), &path_and_query)?;
        let mut headers = Vec::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            // The connection counts the body itself.
            if name == header::CONTENT_LENGTH {
                continue;
            }
            let value = value.to_str().map_err(|_| {
                NetFault::Other(format!("the value of the header \"{name}\" is not ASCII"))
            })?;
            headers.push((name.as_str().to_owned(), value.to_owned()));
        }
        let body = tokio::time::timeout_at(self.deadline, collected(body))
            .await
            .map_err(|_| NetFault::Timeout)??;
        // The guest sees the first byte when everything is there, so this one wish covers it all. The
        // call's deadline holds in any case.
        let timeout_ms = options
            .and_then(|options| options.first_byte_timeout)
            .map(whole_milliseconds);
        self.fetch(Asked {
            target,
            method: head.method.to_string(),
            path_and_query,
            headers,
            body,
            timeout_ms,
        })
        .await
    }

    fn to_library(&self, fault: NetFault) -> Error {
        match fault {
            NetFault::NotGranted(_) => Error::HttpRequestDenied,
            NetFault::Resolve(words) => Error::DnsError {
                rcode: Some(self.redactor.text(&crate::text::line(&words, 200))),
                info_code: None,
            },
            NetFault::Connect(_) => Error::ConnectionRefused,
            NetFault::Tls(_) => Error::TlsCertificateError,
            NetFault::Timeout => Error::HttpResponseTimeout,
            NetFault::TooLarge(limit) => Error::HttpRequestBodySize(Some(limit)),
            NetFault::Quota => Error::ConnectionLimitReached,
            NetFault::Protocol(_) => Error::HttpProtocolError,
            NetFault::Other(words) => {
                let words = crate::text::line(&words, crate::text::LINE);
                Error::InternalError(Some(self.redactor.text(&words)))
            }
        }
    }
}

fn whole_milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

async fn collected(body: WasiBody) -> Result<Vec<u8>, NetFault> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(whole) => Ok(whole.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(NetFault::TooLarge(MAX_BODY_BYTES as u64))
        }
        Err(_) => Err(NetFault::Other(
            "the plugin did not finish the body of its request".to_owned(),
        )),
    }
}

/// The answer as the library hands it to the guest. A body that was cut ends in an error, so that the
/// guest does not take it for the whole.
fn response(answered: Answered) -> Result<Response<WasiBody>, Error> {
    let mut frames = vec![Ok(Frame::data(Bytes::from(answered.body)))];
    if answered.truncated {
        frames.push(Err(Error::HttpResponseBodySize(Some(
            MAX_BODY_BYTES as u64,
        ))));
    }
    let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    let mut response = Response::builder().status(answered.status);
    for (name, value) in &answered.headers {
        response = response.header(name, value);
    }
    response.body(body).map_err(|_| Error::HttpProtocolError)
}
