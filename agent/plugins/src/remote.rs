//! The host in a process of its own, and the agent's end of it.
//!
//! ```text
//!  agent                                    plugin host (no token, no cluster)
//!  RemoteHost ── POST /v1/call ───────────► serve ─► Host ─► guests
//!             ── GET /v1/state/VERSION ───► answers when something changed, at the latest after 10 s
//! ```
//! HTTP/1.1 and JSON over a Unix socket, one connection a request. A guest that breaks out of its
//! sandbox owns the host's process, and nothing else: it finds no token there, and whatever it sends to
//! the agent is treated as a guest's word, again. The agent bounds it, cleans it, and compares it with
//! what was asked; signatures of callbacks are checked on the agent's side ([`crate::CallbackDesk`]).
//! What it can do is lie about what plugins answered: pass a smoke test that did not run, or decide
//! where the policy believes a plugin (`via: plugin`).
//!
//! | module | what it does |
//! |---|---|
//! | `socket` | where they meet, and who may come |
//! | `server` | the host's end |
//! | `client` | the agent's end: the core's port, over the socket |
//! | `exchange` | one bounded question and its bounded answer |
//! | `check` | what arrives, made fit to be believed as far as a guest is |

mod check;
mod client;
mod exchange;
mod server;
mod socket;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sluice_core::plugin::PluginInfo;

use crate::card::Card;

pub use client::RemoteHost;
pub use server::serve;
pub use socket::{SocketFault, listen, probe};

/// Largest question, in bytes. The largest there is, a callback, has 256 KiB, which JSON writes as
/// numbers of up to four characters.
const CALL_BYTES: usize = 4 << 20;
/// Largest answer, in bytes: a report of 128 lines or a plan of 256 steps, every character escaped, is
/// below a third of it.
const ANSWER_BYTES: usize = 1 << 20;
/// Largest state, in bytes: 64 plugins and as many cards, as `check` cuts them, escaped.
const STATE_BYTES: usize = 8 << 20;
/// How long the host keeps a question about its state when nothing changes. Also how soon a host that
/// hangs is noticed, give or take [`STATE_GRACE`].
const STATE_WAIT: Duration = Duration::from_secs(10);
/// How much longer the agent waits for that answer: a host under attack may be slow.
const STATE_GRACE: Duration = Duration::from_secs(10);

const CALL_PATH: &str = "/v1/call";
/// Followed by the version that the asker has, or by `-`.
const STATE_PATH: &str = "/v1/state/";

/// What the host says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// Another for every other content, across restarts: a hash of it.
    version: String,
    /// What serves.
    plugins: Vec<PluginInfo>,
    /// What is wrong.
    problems: Vec<Card>,
}
