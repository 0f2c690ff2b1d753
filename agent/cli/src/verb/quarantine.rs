//! `sluice quarantine`.

use kube::ResourceExt;
use serde_json::json;
use sluice_cluster::crd::Pipeline;

use super::{objects, wish};
use crate::args::{QuarantineListArgs, QuarantineVerb};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::text::lists;

pub(crate) async fn run(session: &mut Session, verb: &QuarantineVerb) -> Result<Exit, Failure> {
    match verb {
        QuarantineVerb::List(args) => list(session, args).await,
        QuarantineVerb::Lift(args) => wish::lift(session, args).await,
    }
}

async fn list(session: &mut Session, args: &QuarantineListArgs) -> Result<Exit, Failure> {
    let pipelines = match &args.pipeline {
        Some(name) => vec![objects::get::<Pipeline>(&session.access, name).await?],
        None => {
            objects::list::<Pipeline>(&session.access, args.all_namespaces)
                .await?
                .0
        }
    };
    let mut entries = Vec::new();
    for pipeline in &pipelines {
        let status = pipeline.status.clone().unwrap_or_default();
        for (environment, known) in status.environments {
            for entry in known.quarantined {
                entries.push(json!({
                    "namespace": pipeline.namespace(),
                    "pipeline": pipeline.name_any(),
                    "environment": environment,
                    "digest": entry.digest,
                    "tag": entry.tag,
                    "reason": entry.reason,
                    "rollout": entry.rollout,
                    "at": entry.at,
                }));
            }
        }
    }
    session.out.json(&json!({"quarantined": entries}), false)?;
    let now = session.now();
    session
        .out
        .text(&lists::quarantine(&pipelines, args.all_namespaces, now))?;
    Ok(Exit::Done)
}
