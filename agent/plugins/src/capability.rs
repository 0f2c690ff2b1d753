//! What the host offers to guests: one file per interface. Which of them a plugin gets stands in its
//! kind's file under [`crate::world`].

pub(crate) mod context;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod tls;
pub(crate) mod wasi;
pub(crate) mod wasi_http;
