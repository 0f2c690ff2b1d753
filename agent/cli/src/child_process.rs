//! What this program is when the agent starts it again: the process that plugins run in, and the one
//! that compiles them. Whoever embeds the agent, such as the demo, calls [`helper`] first.

use std::process::ExitCode;

use crate::verb;

/// Runs this process as a helper of an agent, if it was started as one; to be called first in `main`,
/// before threads, logs and a command line. None: it was not, go on.
pub fn helper() -> Option<ExitCode> {
    let asked = std::env::args_os().nth(1)?;
    match asked.to_str()? {
        sluice_plugins::COMPILE_ARGUMENT => Some(verb::plugin_compile::main()),
        "plugin-host" => Some(verb::plugin_host::main()),
        _ => None,
    }
}
