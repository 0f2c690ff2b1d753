//! A Pipeline out of a file.

use std::path::Path;

use sluice_cluster::crd::Pipeline;
use sluice_core::admit::PipelineView;

use crate::exit::Exit;
use crate::failure::Failure;

/// Whether this is the name of a file and not of a Pipeline: one with a slash or an ending.
pub(super) fn is_file(name: &str) -> bool {
    name.contains('/') || name.contains('.') || name == "-"
}

/// The Pipeline of a file, in YAML or JSON. With `status`, as `sluice get` writes it, what is
/// remembered is known, too.
pub(super) fn of_file(file: &Path) -> Result<PipelineView, Failure> {
    let place = file.display().to_string();
    let text = crate::policy_file::read(file).map_err(|e| {
        Failure::new(
            "unreadable",
            format!("the pipeline file {place} cannot be read"),
        )
        .because(e.to_string())
        .change("name a file that is there, or a Pipeline of the cluster")
    })?;
    let pipeline: Pipeline = serde_saphyr::from_str(&text).map_err(|e| {
        let why = e.to_string();
        Failure::new("pipeline", format!("{place} is no Pipeline"))
            .because(why.lines().next().unwrap_or_default().to_owned())
            .change("write one object as `sluice get pipelines NAME -o json` shows it")
            .exit(Exit::NotDone)
    })?;
    let problems = pipeline.spec.body.problems();
    if !problems.is_empty() {
        let mut failure = Failure::new("pipeline", format!("the Pipeline of {place} is not right"))
            .change("correct what the lines above name")
            .exit(Exit::NotDone);
        failure.why = problems.iter().map(ToString::to_string).collect();
        return Err(failure);
    }
    Ok(view(&pipeline))
}

/// A Pipeline as `core` sees it.
pub(super) fn view(pipeline: &Pipeline) -> PipelineView {
    PipelineView {
        name: pipeline.metadata.name.clone().unwrap_or_default(),
        spec: pipeline.spec.body.clone(),
        status: pipeline.status.clone().unwrap_or_default(),
    }
}
