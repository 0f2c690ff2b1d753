use sluice_sdk::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    path: String,
}

fn health(t: &mut SmokeTest, on: Settings) -> TestResult {
    let answer = t.get(&on.path)?;
    t.check("health", &answer).status(200).json("/status", "ok");
    Ok(())
}

sluice_sdk::export_smoke_test!(health);
