//! `approval-provider-plugin`: asks people outside the cluster. Loaded and checked; the controller
//! does not ask it anything yet.

use wasmtime::component::Linker;

use super::link_basics;
use crate::capability::http;
use crate::state::CallState;

/// What an approval provider may call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    link_basics(linker)?;
    http::link(linker)
}
