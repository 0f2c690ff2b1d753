//! Texts that others wrote never become markup (attack 22).

use std::sync::Arc;

use serde_json::json;
use sluice_core::plugin::{CheckLine, Outcome};
use sluice_core::policy::Policy;
use sluice_core::rollout::{BackReason, CheckRecord, Moment, State, Why};

use crate::ask::Ask;
use crate::sample::{self, Site};

const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "'-alert(1)-'",
    "</title><svg onload=alert(1)>",
];

fn site(text: &str) -> Site {
    let mut config = sample::config();
    config.public_read = true;
    let mut site = Site::new(config);
    let mut spec = sample::spec(text, 'b');
    spec["pipeline"] = text.into();
    spec["environment"] = text.into();
    spec["image"]["repository"] = text.into();
    spec["target"]["deployment"] = text.into();
    spec["strategy"]["plugin"] = text.into();
    spec["checks"][0]["name"] = text.into();
    spec["cause"]["reason"] = text.into();
    spec["cause"]["requester"] = json!({ "username": text });
    let mut journal = sample::holding();
    let mut plan = sample::plan();
    plan.steps[0].step.name = text.to_owned();
    plan.steps[0].step.gate = Some(text.to_owned());
    plan.strategy = text.to_owned();
    journal.plan = Some(plan);
    journal.why = Some(Why::WaitsForVotes {
        missing: vec![text.to_owned()],
        given: vec![text.to_owned()],
        ignored: vec![text.to_owned()],
        expires_at: sample::after(60),
    });
    journal.approval.as_mut().unwrap().hash = text.to_owned();
    journal
        .approval
        .as_mut()
        .unwrap()
        .plugins
        .insert(text.to_owned(), text.to_owned());
    journal.approval.as_mut().unwrap().changes = vec![text.to_owned()];
    spec["image"]["about"] = json!({ "annotations": {
        "org.opencontainers.image.revision": text, "org.opencontainers.image.source": text,
    }});
    spec["approvals"] = json!([{ "plugin": text, "settings": {} }]);
    let asked = json!({
        "provider": 0, "hash": text, "ticket": text, "trouble": text,
        "decision": { "decision": "approve", "said": text, "at": sample::before(5) },
    });
    journal.asked.push(serde_json::from_value(asked).unwrap());
    journal.stable.as_mut().unwrap().tag = Some(text.to_owned());
    let at = sample::before(5);
    journal.timeline.push(Moment {
        at,
        kind: text.to_owned(),
        text: text.to_owned(),
    });
    journal.checks.push(CheckRecord {
        step: 0,
        name: text.to_owned(),
        attempt: 1,
        outcome: Outcome::Fail,
        summary: text.to_owned(),
        lines: vec![CheckLine {
            name: text.to_owned(),
            outcome: Outcome::Fail,
            message: text.to_owned(),
            elapsed_ms: 1,
        }],
        at,
    });
    site.request(
        "stop-1",
        json!({ "action": "stop", "requester": text, "reason": text, "channel": "kubernetes" }),
        json!({ "state": "accepted", "message": "" }),
    );
    let outdated = Policy::parse(sample::POLICY).unwrap();
    let problem = sluice_core::problem::Problem::new(text, text);
    site.policy.send_replace(Arc::new(
        outdated.kept_since(sample::before(60), &[problem]),
    ));
    site.rollout("awaiting", spec.clone(), &{
        let mut journal = journal.clone();
        journal.state = State::AwaitingApproval;
        journal
    });
    journal.state = State::RollingBack(BackReason {
        code: text.to_owned(),
        message: text.to_owned(),
        candidate_failed: true,
        step: Some(0),
        since: at,
        ends_as: sluice_core::pipeline::OutcomeKind::RolledBack,
    });
    site.rollout("back", spec, &journal);
    let mut pipeline = sample::pipeline_spec();
    pipeline["image"]["repository"] = text.into();
    pipeline["environments"][1]["name"] = text.into();
    let mut status = sample::pipeline_status();
    status["problems"] = json!([text]);
    let production = status["environments"]["production"].clone();
    status["environments"][text] = production;
    for at in [
        "/waiting",
        "/stable/tag",
        "/refused/tag",
        "/refused/reasons/0",
    ] {
        *status["environments"][text].pointer_mut(at).unwrap() = text.into();
    }
    for at in ["/quarantined/0/tag", "/quarantined/0/reason"] {
        *status["environments"][text].pointer_mut(at).unwrap() = text.into();
    }
    site.pipeline("storefront", pipeline, status);
    site
}

/// The tags of a page and their attributes, as a browser would find them.
fn tags(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|t| t.split('>').next().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn hostile_texts_stay_texts() {
    for text in HOSTILE {
        let site = site(text);
        for path in [
            "/",
            "/rollouts/delivery/awaiting",
            "/rollouts/delivery/back",
            "/fragment/overview",
        ] {
            let page = Ask::get(path).send(&site.web).await.text;
            assert!(
                page.contains("alert(1)"),
                "{path}: the text is shown: {page}"
            );
            for tag in tags(&page) {
                let word = tag.split([' ', '\n']).next().unwrap();
                let external = tag.starts_with("script src=\"/assets/app.js?v=");
                assert!(word != "script" || external, "{path}: <{tag}>");
                for attribute in ["href=\"", "src=\"", "action=\""] {
                    if let Some(value) = tag.split(attribute).nth(1) {
                        assert!(
                            value.starts_with('/'),
                            "{path}: only our own addresses: <{tag}>"
                        );
                        assert!(!value.starts_with("//"), "{path}: <{tag}>");
                    }
                }
                // What stands outside the quotes is ours: no handler and no style among it.
                let bare: String = tag.split('"').step_by(2).collect();
                assert!(
                    !bare.contains(" on") && !bare.contains(" style"),
                    "{path}: <{tag}>"
                );
                assert_eq!(tag.matches('"').count() % 2, 0, "{path}: <{tag}>");
            }
        }
        let api = Ask::get("/api/v1/rollouts/delivery/back")
            .send(&site.web)
            .await;
        assert!(api.header("content-type").starts_with("application/json"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_not_echoed() {
    let site = site("v1");
    for path in [
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/rollouts/%3Cscript%3E/x",
        "/rollouts/delivery/awaiting?done=%3Cscript%3Ealert(1)",
        "/sign-in?next=javascript:alert(1)",
        "/sign-in?next=//evil.example",
    ] {
        let page = Ask::get(path).send(&site.web).await.text;
        assert!(
            !page.contains("<script>") && !page.contains("alert(1)"),
            "{path}"
        );
        assert!(!page.contains("evil.example"), "{path}");
    }
}

/// Only a plain web address becomes a link, and it takes nothing along.
#[tokio::test(start_paused = true)]
async fn a_source_is_a_link_only_where_it_is_a_web_address() {
    for (source, link) in [
        ("https://git.example.com/shop/storefront", true),
        ("javascript:alert(1)//git.example.com", false),
        ("data:text/html,<script>alert(1)</script>", false),
        ("https://git.example.com/\"onmouseover=\"alert(1)", false),
        ("//git.example.com/shop", false),
    ] {
        let mut config = sample::config();
        config.public_read = true;
        let mut site = Site::new(config);
        let mut spec = sample::spec("v1.1.0", 'b');
        spec["image"]["about"] = json!({ "annotations": {
            "org.opencontainers.image.revision": "4f2a9c1b7d3e4f2a9c1b7d3e4f2a9c1b7d3e4f2a",
            "org.opencontainers.image.source": source,
        }});
        site.rollout("awaiting", spec, &sample::awaiting());
        let page = Ask::get("/rollouts/delivery/awaiting")
            .send(&site.web)
            .await
            .text;
        assert!(page.contains("4f2a9c1b7d3e"), "{source}");
        let outside: Vec<String> = tags(&page)
            .into_iter()
            .filter(|t| t.contains("href=\"") && !t.contains("href=\"/"))
            .collect();
        if link {
            let [tag] = outside.as_slice() else {
                panic!("{outside:?}")
            };
            assert!(
                tag.starts_with("a href=\"https://git.example.com/shop/storefront"),
                "{tag}"
            );
            assert!(tag.contains("rel=\"noopener noreferrer"), "{tag}");
        } else {
            assert!(outside.is_empty(), "{source}: {outside:?}");
        }
    }
}
