//! The one way from a plugin to the network (plugins.md section 5).
//!
//! `http.fetch` and `tls.inspect` both end in [`exchange`] and [`inspect`], which share every check:
//! named target, address filter, own connection to the very address that was checked. [`wire`] is the
//! last turn: live, recorded or replayed.

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod der;
pub(crate) mod exchange;
pub(crate) mod fault;
pub(crate) mod headers;
pub(crate) mod inspect;
pub(crate) mod origin;
pub(crate) mod redact;
pub(crate) mod resolve;
pub(crate) mod target;
pub(crate) mod template;
pub(crate) mod wire;
