//! `sluice plugin`: what the author of a plugin does, and what an operator wants to know of one.

use std::path::Path;

use sluice_plugins::Card;

use crate::args::PluginVerb;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod run;

pub(crate) async fn run(verb: &PluginVerb, out: &mut Output) -> Result<Exit, Failure> {
    match verb {
        PluginVerb::Run(args) => run::run(args, out).await,
    }
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new("unreadable", format!("{} cannot be read", path.display()))
        .because(why)
        .change("name a file that is there; `make plugins` builds those that come with Sluice")
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
