//! Serves the page with one rollout in every state, to look at it while working on it:
//! `cargo run -p sluice-web --example gallery`, then open the address that it prints.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example for developers"
)]

use std::sync::Arc;

use sluice_web::serve;

#[path = "../tests/web/sample.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "made for the tests")]
mod sample;
#[path = "../tests/web/ways.rs"]
#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "made for the tests"
)]
mod ways;

#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = sample::config();
    config.public_read = true;
    let (mut site, state) = sample::Site::parts(config, Arc::new(sample::Dial::default()));
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    for (n, (name, journal)) in sample::every_state().iter().enumerate() {
        let letter = char::from_digit(u32::try_from(n % 16).unwrap(), 16).unwrap();
        let made = site.rollout(name, sample::spec(&format!("v1.{n}.0"), letter), journal);
        if *name == "awaiting" {
            site.vote("vote-1", &made, "alice@example.com", sample::HASH);
            site.vote("vote-2", &made, "bob@example.com", sample::HASH);
        }
    }
    for (name, spec, journal) in ways::every_way() {
        site.rollout(name, spec, &journal);
    }
    println!("http://{}", listener.local_addr().unwrap());
    println!("token of alice: {}", site.token("alice@example.com"));
    serve(listener, state).await.unwrap();
}
