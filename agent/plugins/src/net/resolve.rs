//! Names to addresses, once per request.

use std::io;
use std::net::SocketAddr;

use sluice_core::port::BoxFuture;

/// Turns a name into addresses. Behind a trait so that a test can play a name server that changes
/// its mind (attack 10, DNS rebinding).
pub trait Resolve: Send + Sync {
    /// All addresses of `host`. Asked exactly once per request.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}
