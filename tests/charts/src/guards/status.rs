//! Nobody but the agent writes a status: each field in turn, by somebody with every right (P10).

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Table;
use super::actor::{PIPELINE, REQUEST, ROLLOUT};
use super::fields::value;
use super::stage::Stage;

const NAME: &str = "guard-proof-b";

pub(super) async fn prove(stage: &Stage, table: &mut Table) -> anyhow::Result<()> {
    let home = &stage.pipelines;
    let made = stage
        .agent
        .create(ROLLOUT, home, NAME, super::rollouts::rollout())
        .await;
    table.done("the agent writes another Rollout", made);
    let made = stage
        .alice
        .create(
            PIPELINE,
            home,
            NAME,
            super::pipelines::pipeline(&stage.target),
        )
        .await;
    table.done("alice writes a Pipeline whose targets she may patch", made);
    // The Request stands from the votes.
    for (kind, plural) in [
        (ROLLOUT, "rollouts"),
        (PIPELINE, "pipelines"),
        (REQUEST, "requests"),
    ] {
        let schema = stage.schema(plural).await?;
        let fields = schema.get("properties").and_then(Value::as_object);
        let fields = fields.context("a status has fields")?;
        for (field, of_field) in fields {
            let forged = json!({field: value(of_field)});
            for (who, actor) in [("alice", &stage.alice), ("an administrator", &stage.carol)] {
                table.refused(
                    "only the agent writes a status",
                    &format!("{who} forges {plural} status.{field}"),
                    actor.merge_status(kind, home, NAME, forged.clone()).await,
                );
            }
            let before = stage.admin.get(kind, home, NAME).await?;
            if before.pointer(&format!("/status/{field}")) == Some(&value(of_field)) {
                table.done(
                    &format!("{plural} status.{field} is as it was"),
                    Err("forged".into()),
                );
            }
        }
    }
    Ok(())
}
