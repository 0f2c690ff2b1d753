//! The web door: a page and a JSON API that show what is deployed, what waits and why, and that take
//! votes and wishes in the name of the person who is signed in.
//!
//! ```text
//!  request ─► gate (host, load, time) ─► admit (who is it) ─► permit (may they) ─► Approval / Request
//!                                            │
//!                                            └─► view (plain values) ─► page or JSON
//! ```
//! Every route stands in one table ([`routes`]) with the access that it needs; nothing is served that
//! is not in it (reliability.md I2). The page decides nothing: it writes objects, and the engine
//! counts them.

mod act;
mod admit;
mod api;
mod app;
mod assets;
mod body;
mod doors;
mod fetch;
mod gate;
mod hook;
mod issuer;
mod jwt;
mod live;
mod oidc;
mod once;
mod openapi;
mod origin;
mod page;
mod permit;
mod probes;
mod problem;
mod routes;
mod serve;
mod session;
mod text;
mod timely;
mod view;
mod vote;
mod wish;
mod write;

pub use app::{Web, WebConfig, WebState};
pub use doors::{CallbackRefused, Callbacks, Doors, Hints, Secrets, Verified};
pub use oidc::OidcConfig;
pub use openapi::text as openapi;
pub use probes::{CountPlugins, PROBES, PluginCounts, serve_probes};
pub use routes::{Access, Listed, listed};
pub use serve::{WebError, serve};
