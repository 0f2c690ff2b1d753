//! `metric-provider-plugin`: numbers for the two versions. Loaded and checked; the controller does
//! not ask it anything yet.

use wasmtime::component::Linker;

use super::link_basics;
use crate::capability::{http, tls};
use crate::state::CallState;

/// What a metric provider may call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)?;
    http::link(linker)?;
    tls::link(linker)
}
