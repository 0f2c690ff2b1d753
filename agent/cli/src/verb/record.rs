//! `sluice record`: the same document that the agent writes to its sink, of a Rollout that is still
//! in the cluster.

use sluice_cluster::crd::Rollout;
use sluice_core::record::record;

use super::objects;
use crate::args::RecordArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &mut Session, args: &RecordArgs) -> Result<Exit, Failure> {
    let rollout: Rollout = objects::get(&session.access, &args.rollout).await?;
    let votes = objects::votes(&session.access, &rollout).await?;
    let view = sluice_controller::view(&rollout).map_err(|why| {
        Failure::new(
            "unreadable",
            format!("Rollout {} cannot be read", args.rollout),
        )
        .because(why)
    })?;
    let journal = rollout.status.clone().unwrap_or_default();
    session
        .out
        .document(&record(&view, &journal, &votes), false)?;
    Ok(Exit::Done)
}
