//! A CI service proposes by a signed hook, and can do nothing else.

use anyhow::ensure;
use jiff::Timestamp;
use kube::ResourceExt as _;
use ring::hmac;
use serde_json::{Value, json};
use sluice_core::approval::Channel;
use sluice_core::policy::IdentityProvider;

use crate::doors::{CALLER, CALLERS_APP as APP, Doors, NEW, PLACE, hash};
use crate::outside::slack::hex;
use crate::table::Traffic;

pub(crate) async fn check(doors: &Doors) -> anyhow::Result<Traffic> {
    doors.app(APP, false).await?;
    let hook = format!("/v1/hooks/ci/{}/{APP}/production", PLACE.delivery);
    let wish = json!({"tag": NEW, "reason": "build 4711 is green"}).to_string();
    let (status, said) = send(doors, &hook, &wish, "another secret").await?;
    ensure!(status == 401, "signed with another secret: {status} {said}");
    let elsewhere = format!("/v1/hooks/ci/{}/{APP}/staging", PLACE.delivery);
    let (status, said) = send(doors, &elsewhere, &wish, CALLER.1).await?;
    ensure!(status == 401, "for another environment: {status} {said}");
    ensure!(doors.wishes(APP).await?.is_empty(), "there is a wish");

    let (status, said) = send(doors, &hook, &wish, CALLER.1).await?;
    ensure!(status == 202, "a good proposal: {status} {said}");
    let wishes = doors.wishes(APP).await?;
    let [request] = wishes.as_slice() else {
        anyhow::bail!("not one wish but {wishes:?}");
    };
    ensure!(
        request.spec.channel == Channel::Webhook
            && request.spec.provider == IdentityProvider::Caller
            && request.spec.requester == CALLER.0,
        "the wish is {:?}",
        request.spec
    );
    let rollout = doors.asked(APP, NEW).await?;

    // Its signature is worth nothing where people vote.
    let approve = format!(
        "/api/v1/rollouts/{}/{}/approve",
        PLACE.delivery,
        rollout.name_any()
    );
    let vote = json!({"hash": hash(&rollout)}).to_string();
    let (status, said) = send(doors, &approve, &vote, CALLER.1).await?;
    ensure!(
        [401, 403].contains(&status),
        "a machine approves: {status} {said}"
    );
    let mine = format!("/v1/hooks/ci/{}/{APP}/production/approve", PLACE.delivery);
    let (status, said) = send(doors, &mine, &vote, CALLER.1).await?;
    ensure!(
        status == 404,
        "a machine approves by its hook: {status} {said}"
    );
    ensure!(
        doors.votes(&rollout).await?.is_empty(),
        "a machine has voted"
    );
    doors.asked(APP, NEW).await?;

    let reject = format!(
        "/api/v1/rollouts/{}/{}/reject",
        PLACE.delivery,
        rollout.name_any()
    );
    let no = json!({"hash": hash(&rollout), "reason": "not today"});
    let (status, said) = doors.call("erin", &reject, &no).await?;
    ensure!(status == 201, "erin's no by the API: {status} {said}");
    doors.phase((APP, "production", NEW), "Rejected").await?;
    Ok(Traffic::note(
        "a signed hook proposes; a forged one does not, and no machine approves",
    ))
}

/// Signed as docs/install.md says: over the second, a dot and the body.
async fn send(doors: &Doors, path: &str, body: &str, secret: &str) -> anyhow::Result<(u16, Value)> {
    let second = Timestamp::now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{second}.{body}").as_bytes());
    let answer = doors
        .http
        .post(Doors::page(path))
        .header("content-type", "application/json")
        .header(
            "x-sluice-signature",
            format!("t={second},v1={}", hex(tag.as_ref())),
        )
        .body(body.to_owned())
        .send()
        .await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    ))
}
