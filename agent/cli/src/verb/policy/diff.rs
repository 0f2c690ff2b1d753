//! `sluice policy diff`.

use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use sluice_core::explain::{Sample, compare};

use super::{of_file, pipeline};
use crate::args::PolicyDiffArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::text;

/// Versions that are asked for where none is named: a release, a candidate and a tag that moves.
const TAGS: [&str; 3] = ["v1.2.3", "v1.2.3-rc.1", "latest"];

pub(super) fn run(
    args: &PolicyDiffArgs,
    out: &mut Output,
    now: Timestamp,
) -> Result<Exit, Failure> {
    let (old, new) = (of_file(&args.old)?, of_file(&args.new)?);
    let pipelines = args
        .pipelines
        .iter()
        .map(|file| pipeline::of_file(Path::new(file)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let tags = match args.tags.as_slice() {
        [] => TAGS.map(str::to_owned).to_vec(),
        tags => tags.to_vec(),
    };
    let sample = Sample {
        tags,
        at: args.at.unwrap_or(now),
    };
    let changes = compare(&old, &new, &pipelines, &sample);
    out.json(
        &json!({"old": args.old, "new": args.new, "changes": changes}),
        false,
    )?;
    out.text(&text::policy::changes(&changes))?;
    Ok(if changes.is_empty() {
        Exit::Done
    } else {
        Exit::NotDone
    })
}
