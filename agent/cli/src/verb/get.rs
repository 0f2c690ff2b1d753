//! `sluice get`.

use jiff::Timestamp;
use serde_json::{Value, json};
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};

use super::objects::{self, Kind as Object};
use crate::args::{GetArgs, Kind};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::object;
use crate::session::Session;
use crate::text::lists;

pub(crate) async fn run(session: &mut Session, args: &GetArgs) -> Result<Exit, Failure> {
    match args.kind {
        Kind::Pipelines => show::<Pipeline>(session, args, lists::pipelines).await,
        Kind::Rollouts => show::<Rollout>(session, args, lists::rollouts).await,
        Kind::Approvals => show::<Approval>(session, args, lists::approvals).await,
        Kind::Requests => show::<Request>(session, args, lists::requests).await,
    }
}

async fn show<K: Object>(
    session: &mut Session,
    args: &GetArgs,
    render: fn(&[K], bool, Timestamp) -> String,
) -> Result<Exit, Failure> {
    let now = session.now();
    if let Some(name) = &args.name {
        let found: K = objects::get(&session.access, name).await?;
        session.out.json(&object(&found), false)?;
        session
            .out
            .text(&render(std::slice::from_ref(&found), false, now))?;
        return Ok(Exit::Done);
    }
    let (found, cut) = objects::list::<K>(&session.access, args.all_namespaces).await?;
    let items: Vec<Value> = found.iter().map(object).collect();
    session.out.json(
        &json!({"apiVersion": "v1", "kind": "List", "items": items}),
        false,
    )?;
    if found.is_empty() {
        let place = session.access.place();
        session
            .out
            .note(&format!("there are no {} ({place})", K::plural(&())))?;
    } else {
        session
            .out
            .text(&render(&found, args.all_namespaces, now))?;
    }
    if cut {
        session.out.note("there are more; these are the first")?;
    }
    Ok(Exit::Done)
}
