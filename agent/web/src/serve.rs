//! The server: accepts connections, a bounded number, each for a bounded time. All of it lives in one
//! future; dropping that closes everything.

use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::app::{Web, WebState};

/// Connections at most. More wait in the kernel's queue.
const CONNECTIONS: usize = 512;
/// A client that sends its head slower than this has gone or means harm.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the longest live stream: no connection stays for ever, not even one that does not
/// read its answer.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(900);
/// Bytes of a request's head. A token and cookies fit.
const HEAD_LIMIT: usize = 32 * 1024;
/// Wait after a failed accept, which mostly means that file handles have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the page is not served any more.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The task that notices changes has ended, which it never should.
    #[error("the web page no longer notices changes; start the agent again")]
    ChangesEnded,
}

/// Serves the page and the API on this listener until it is dropped. TLS, where it is wanted, ends
/// before: at an ingress or a sidecar.
///
/// # Errors
/// Only a fault of its own; broken connections are logged and survived.
pub async fn serve(listener: TcpListener, state: WebState) -> Result<(), WebError> {
    let web = Web::new(state);
    tokio::select! {
        () = accept(&listener, web.router()) => Ok(()),
        () = web.follow_changes() => Err(WebError::ChangesEnded),
    }
}

/// Answers connections for ever.
pub(crate) async fn accept(listener: &TcpListener, router: axum::Router) {
    let service = TowerToHyperService::new(router);
    let mut server = hyper::server::conn::http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT);
    let mut connections: JoinSet<()> = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let connection = server.serve_connection(io(stream), service.clone());
                    connections.spawn(async move {
                        // Errors are clients that went away: nothing to do about it.
                        let _ = tokio::time::timeout(CONNECTION_LIFETIME, connection).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %error, "could not accept a connection to the web page");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn io(stream: TcpStream) -> TokioIo<TcpStream> {
    // Notices are small and should not wait for more; a socket without the option works as well.
    let _ = stream.set_nodelay(true);
    TokioIo::new(stream)
}
