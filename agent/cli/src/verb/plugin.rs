//! `sluice plugin`: what the author of a plugin does, and what an operator wants to know of one.

use std::path::Path;

use sluice_plugins::{Card, MAX_COMPONENT_BYTES};

use crate::args::PluginVerb;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod anatomy;
mod bench;
mod build;
mod call;
mod entry;
mod inspect;
mod kind;
mod language;
mod new;
mod pull;
mod push;
mod run;
mod shelf;
mod sign;
mod stage;
mod test;
mod verify;

pub(crate) use kind::Kind;
pub(crate) use language::Language;

pub(crate) async fn run(verb: &PluginVerb, out: &mut Output) -> Result<Exit, Failure> {
    match verb {
        PluginVerb::Run(args) => run::run(args, out).await,
        PluginVerb::Push(args) => push::run(args, out).await,
        PluginVerb::Sign(args) => sign::run(args, out).await,
        PluginVerb::Pull(args) => pull::run(args, out).await,
        PluginVerb::Verify(args) => verify::run(args, out).await,
        PluginVerb::New(args) => new::run(args, out),
        PluginVerb::Build(args) => build::run(args, out).await,
        PluginVerb::Test(args) => test::run(args, out).await,
        PluginVerb::Bench(args) => bench::run(args, out).await,
        PluginVerb::Inspect(args) => inspect::run(args, out).await,
    }
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new("unreadable", format!("{} cannot be read", path.display()))
        .because(why)
        .change("name a file that is there; `make plugins` builds those that come with Sluice")
}

/// A component as it lies in a file, not larger than the agent would load.
fn read_component(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(path)
        .map_err(|e| unreadable(path, &e.to_string()))?
        .len();
    if size > MAX_COMPONENT_BYTES {
        return Err(unreadable(
            path,
            &format!("it has {size} bytes; {MAX_COMPONENT_BYTES} are allowed"),
        ));
    }
    std::fs::read(path).map_err(|e| unreadable(path, &e.to_string()))
}

fn unfit(path: &Path, cards: &[Card]) -> Failure {
    let mut failure = Failure::new("plugin-unfit", format!("{} cannot be run", path.display()))
        .exit(Exit::NotDone);
    for card in cards {
        failure
            .why
            .extend(card.why.iter().map(|why| format!("[{}] {why}", card.code)));
        failure.place = Some(card.place.clone()).filter(|p| !p.is_empty());
        failure.change = Some(card.change.clone()).filter(|c| !c.is_empty());
    }
    failure
}
