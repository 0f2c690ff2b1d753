//! `sluice crds`: the definitions that the cluster must know, from the types that this build uses.

use serde_json::json;
use sluice_cluster::crd::definitions;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(out: &mut Output) -> Result<Exit, Failure> {
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": definitions(),
    });
    out.document(&list, false)?;
    Ok(Exit::Done)
}
