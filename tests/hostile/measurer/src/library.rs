//! What an HTTP library does within a guest: requests by address, through `wasi:http`.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

/// Requests that are all alike.
pub(crate) struct Requests<'a> {
    pub(crate) url: &'a str,
    pub(crate) method: &'a str,
    pub(crate) header: Option<(&'a str, &'a str)>,
    pub(crate) body_bytes: u64,
}

impl Requests<'_> {
    /// `200 headers body`, or how it failed.
    pub(crate) fn send(&self) -> String {
        match self.exchange() {
            Ok(answer) => answer,
            Err(words) => words,
        }
    }

    fn exchange(&self) -> Result<String, String> {
        let (scheme, rest) = self.url.split_once("://").ok_or("no URL")?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => Scheme::Other(other.to_owned()),
        };
        let headers = Fields::new();
        if let Some((name, value)) = self.header {
            headers
                .append(name, value.as_bytes())
                .map_err(|error| format!("header: {error:?}"))?;
        }
        let request = OutgoingRequest::new(headers);
        let method = match self.method {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "DELETE" => Method::Delete,
            other => Method::Other(other.to_owned()),
        };
        request.set_method(&method).map_err(|()| "method")?;
        request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
        request
            .set_authority(Some(authority))
            .map_err(|()| "authority")?;
        request
            .set_path_with_query(Some(path))
            .map_err(|()| "path")?;
        let body = request.body().map_err(|()| "body")?;
        let answer =
            outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
        let written = write(&body, self.body_bytes);
        OutgoingBody::finish(body, None).map_err(|error| format!("finish: {error:?}"))?;
        answer.subscribe().block();
        let response = answer
            .get()
            .ok_or("not ready")?
            .map_err(|()| "taken twice")?
            .map_err(|error: ErrorCode| format!("{error:?}"))?;
        written?;
        read(&response)
    }
}

fn write(body: &OutgoingBody, bytes: u64) -> Result<(), String> {
    let stream = body.write().map_err(|()| "write")?;
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let block = vec![b'x'; left.min(4096)];
        stream
            .blocking_write_and_flush(&block)
            .map_err(|error| format!("write: {error:?}"))?;
        left -= block.len();
    }
    Ok(())
}

fn read(response: &IncomingResponse) -> Result<String, String> {
    let headers: Vec<String> = response
        .headers()
        .entries()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    let status = response.status();
    let body = response.consume().map_err(|()| "consume")?;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = Vec::new();
    let end = loop {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break "whole",
            Err(StreamError::LastOperationFailed(_)) => break "cut",
        }
    };
    let text = match bytes.len() {
        0..200 => String::from_utf8_lossy(&bytes).into_owned(),
        long => format!("{long} bytes"),
    };
    Ok(format!("{status} [{}] {end} {text}", headers.join(", ")))
}
