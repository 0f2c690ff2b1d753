use serde_json::json;
use sluice_sdk::Status;
use sluice_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: String,
}

fn ask(client: &Client, on: Settings) -> Result<Status, Error> {
    let question = Request::post(&on.path).on("board").json(&json!({
        "subject": client.release().subject_digest,
        "facts": client.attribute("approval-request"),
    }));
    match client.send(&question) {
        Ok(answer) if answer.status == 201 => Ok(Status::Pending(answer.text().into_owned())),
        other => Err(Error::Unavailable(format!("{other:?}"))),
    }
}
