//! `sluice crds`: the definitions that the cluster must know, from the types that this build uses.

use kube::CustomResourceExt as _;
use serde_json::json;
use sluice_cluster::crd::{Approval, Pipeline, Request, Rollout};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(out: &mut Output) -> Result<Exit, Failure> {
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [Pipeline::crd(), Rollout::crd(), Approval::crd(), Request::crd()],
    });
    out.document(&list, false)?;
    Ok(Exit::Done)
}
