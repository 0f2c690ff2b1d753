//! What the pages say, for one Rollout in every state.

use axum::http::StatusCode;
use sluice_core::policy::Policy;

use crate::ask::Ask;
use crate::sample::{self, HASH, Site};
use crate::ways;

/// The text of a page as a person reads it: one line per element that breaks the line.
fn read(html: &str) -> String {
    let main = html.split("<main>").nth(1).unwrap_or(html);
    let mut out = String::new();
    for (n, piece) in main.split('<').enumerate() {
        let (tag, text) = if n == 0 {
            ("", piece)
        } else {
            piece.split_once('>').unwrap()
        };
        let word = tag.split([' ', '\n']).next().unwrap_or_default();
        let breaks = [
            "p", "h1", "h2", "h3", "li", "dt", "tr", "section", "form", "details", "/a", "caption",
        ];
        if breaks.contains(&word)
            || tag.contains("class=\"split\"")
            || tag.contains("class=\"steps\"")
        {
            out.push('\n');
        }
        if word == "button" {
            out.push_str(" [button] ");
        }
        out.push_str(&text.replace('\n', " "));
        if matches!(word, "td" | "dt" | "/td" | "/dt" | "/span" | "/b") {
            out.push(' ');
        }
    }
    let text = out
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#62;", ">");
    let lines = text
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    lines
        .filter(|l| !l.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

async fn page(site: &Site, who: &str, path: &str) -> String {
    let answer = Ask::get(path)
        .bearer(&site.token(who))
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.text
}

#[tokio::test(start_paused = true)]
async fn a_rollout_in_every_state() {
    let mut all = String::new();
    for (name, journal) in sample::every_state() {
        let mut site = Site::new(sample::config());
        site.rollout(name, sample::spec("v1.1.0", 'b'), &journal);
        site.pipeline(
            "storefront",
            sample::pipeline_spec(),
            sample::pipeline_status(),
        );
        let path = format!("/rollouts/delivery/{name}");
        let text = read(&page(&site, "alice@example.com", &path).await);
        all.push_str(&format!("=== {name} ===\n{text}\n\n"));
    }
    insta::assert_snapshot!("every_state", all);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_on_every_way() {
    let mut all = String::new();
    for (name, spec, journal) in ways::every_way() {
        let mut site = Site::new(sample::config());
        site.rollout(name, spec, &journal);
        let path = format!("/rollouts/delivery/{name}");
        let text = read(&page(&site, "alice@example.com", &path).await);
        all.push_str(&format!("=== {name} ===\n{text}\n\n"));
    }
    insta::assert_snapshot!("every_way", all);
}

#[tokio::test(start_paused = true)]
async fn the_picture_has_no_style_of_its_own_and_says_what_it_shows() {
    let mut site = Site::new(sample::config());
    let (name, spec, journal) = ways::every_way().swap_remove(2);
    site.rollout(name, spec, &journal);
    let html = page(
        &site,
        "alice@example.com",
        &format!("/rollouts/delivery/{name}"),
    )
    .await;
    let svg = html.split("<figure class=\"picture\">").nth(1).unwrap();
    let svg = svg.split("</svg>").next().unwrap();
    assert!(!svg.contains("style=") && !svg.contains("<script"), "{svg}");
    for part in [
        "role=\"img\"",
        "<title id=",
        "<desc id=",
        "class=\"here\"",
        "50 % from 2m",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_overview() {
    let mut site = Site::new(sample::config());
    for name in ["holding", "awaiting"] {
        let journal = sample::every_state()
            .into_iter()
            .find(|(n, _)| *n == name)
            .unwrap()
            .1;
        site.rollout(name, sample::spec("v1.1.0", 'b'), &journal);
    }
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    insta::assert_snapshot!("overview", read(&page(&site, "bob@example.com", "/").await));
    site.policy
        .send_replace(std::sync::Arc::new(Policy::absent()));
    let closed = read(&page(&site, "bob@example.com", "/").await);
    assert!(
        closed.contains("Closed there is no policy file"),
        "{closed}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_markup_of_a_vote() {
    let mut site = Site::new(sample::config());
    let rollout = site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    site.vote("vote-1", &rollout, "alice@example.com", HASH);
    site.vote("vote-2", &rollout, "bob@example.com", HASH);
    site.vote("vote-3", &rollout, "carol@example.com", "an older hash");
    let html = page(
        &site,
        "carol@example.com",
        "/fragment/rollouts/delivery/awaiting",
    )
    .await;
    insta::assert_snapshot!("vote_markup", html);
}

#[tokio::test(start_paused = true)]
async fn the_api_has_the_same() {
    let mut site = Site::new(sample::config());
    site.rollout("holding", sample::spec("v1.1.0", 'b'), &sample::holding());
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    let token = site.token("alice@example.com");
    let get = async |path: &str| Ask::get(path).bearer(&token).send(&site.web).await.json();
    insta::assert_json_snapshot!(
        "api_rollout",
        get("/api/v1/rollouts/delivery/holding").await
    );
    let pipelines = get("/api/v1/pipelines").await;
    let production = &pipelines["pipelines"][0]["environments"][1];
    assert_eq!(production["stable"]["version"], "v1.0.0");
    assert_eq!(production["current"][0]["name"], "holding");
    assert_eq!(production["current"][0]["split"]["candidateBp"], 1000);
    assert_eq!(production["quarantined"][0]["version"], "v1.0.9");
    for (query, found) in [
        ("", 1),
        (
            "?pipeline=storefront&environment=production&namespace=delivery&limit=1",
            1,
        ),
        ("?pipeline=other", 0),
        ("?environment=staging", 0),
    ] {
        let answer = get(&format!("/api/v1/rollouts{query}")).await;
        assert_eq!(
            answer["rollouts"].as_array().unwrap().len(),
            found,
            "{query}"
        );
    }
    for query in ["?limit=0", "?limit=501", "?limit=x", "?pipline=x"] {
        let answer = get(&format!("/api/v1/rollouts{query}")).await;
        assert_eq!(answer["error"]["code"], "bad-query", "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_of_plugins_are_not_shown() {
    let mut site = Site::new(sample::config());
    let mut spec = sample::spec("v1.1.0", 'b');
    spec["checks"][0]["settings"]["token"] = "do-not-show".into();
    spec["notify"] = serde_json::json!([{ "plugin": "slack", "settings": { "x": "do-not-show" } }]);
    site.rollout("holding", spec, &sample::holding());
    for path in [
        "/rollouts/delivery/holding",
        "/api/v1/rollouts/delivery/holding",
    ] {
        assert!(
            !page(&site, "alice@example.com", path)
                .await
                .contains("do-not-show"),
            "{path}"
        );
    }
}
