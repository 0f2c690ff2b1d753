//! A scripted host: a plugin's logic as a native unit test, without wasm and without a network.
//!
//! ```
//! use serde_json::json;
//! use sluice_sdk::prelude::*;
//! use sluice_sdk::testing::{Reply, Script};
//!
//! #[derive(Deserialize)]
//! struct Settings {
//!     path: String,
//! }
//!
//! fn health(t: &mut SmokeTest, on: Settings) -> TestResult {
//!     let answer = t.get(&on.path)?;
//!     t.check("health", &answer).status(200).json("/status", "ok");
//!     Ok(())
//! }
//!
//! let played = Script::new()
//!     .settings(json!({"path": "/health"}))
//!     .call("GET", "/health", Reply::json(200, &json!({"status": "failing"})))
//!     .smoke_test(health);
//! assert_eq!(played.report().outcome, Outcome::Fail);
//! ```
//!
//! An unexpected request, and an expected one that never came, fail the test and say so.

mod answer;
mod cases;
mod played;
mod reply;
mod script;

pub use cases::{Playable, keep_schema, play};
pub use played::Played;
pub use reply::Reply;
pub use script::Script;
