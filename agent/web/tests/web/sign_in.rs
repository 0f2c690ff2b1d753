//! Sessions, and what a foreign page cannot do with them (attacks 14, 18, 21).

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use sluice_sim::Resource;

use crate::ask::{Ask, ORIGIN, sign_in};
use crate::sample::{self, HASH, NAMESPACE, Site};

const APPROVE: &str = "/rollouts/delivery/awaiting/approve";
const API_APPROVE: &str = "/api/v1/rollouts/delivery/awaiting/approve";

fn site() -> Site {
    let mut site = Site::new(sample::config());
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    site
}

fn votes(site: &Site) -> usize {
    site.cluster.objects(Resource::Approvals, NAMESPACE).len()
}

#[tokio::test(start_paused = true)]
async fn signs_in_and_out() {
    let site = site();
    let token = site.token("alice@example.com");
    let fields = [
        ("token", token.as_str()),
        ("next", "/rollouts/delivery/awaiting"),
    ];
    let answer = Ask::form("/sign-in", &fields).send(&site.web).await;
    assert_eq!(answer.header("location"), "/rollouts/delivery/awaiting");
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains(&token));
    let (cookie, csrf) = sign_in(&site.web, &token).await;
    let page = Ask::get("/").cookie(&cookie).send(&site.web).await;
    assert!(page.text.contains("alice@example.com") && !page.text.contains(&token));
    let out = Ask::form("/sign-out", &[("csrf", &csrf)])
        .cookie(&cookie)
        .send(&site.web)
        .await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let page = Ask::get("/").cookie(&cookie).send(&site.web).await;
    assert_eq!(page.header("location"), "/sign-in?next=%2F");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends() {
    let site = site();
    let (cookie, csrf) = sign_in(&site.web, &site.token("alice@example.com")).await;
    site.dial.turn(SignedDuration::from_mins(31));
    let fields = [("csrf", csrf.as_str()), ("hash", HASH)];
    let answer = Ask::form(APPROVE, &fields)
        .cookie(&cookie)
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(votes(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_none() {
    let site = site();
    let long = "x".repeat(9_000);
    for bad in ["nothing", "", " ", "a b", long.as_str(), "\u{e4}"] {
        let answer = Ask::form("/sign-in", &[("token", bad)])
            .send(&site.web)
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{bad}");
    }
    let good = site.token("alice@example.com");
    for header in ["Bearer", "Bearer ", "Basic YTpi", good.as_str(), "bearer  "] {
        let answer = Ask::get("/api/v1/pipelines")
            .header("authorization", header)
            .send(&site.web)
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{header}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    // A bad token is not saved by a good cookie.
    let (cookie, _) = sign_in(&site.web, &good).await;
    let answer = Ask::get("/")
        .cookie(&cookie)
        .bearer("nothing")
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_lets_nobody_in() {
    let (site, mut state) = Site::parts(sample::config(), std::sync::Arc::default());
    let token = site.token("alice@example.com");
    let silent = site.cluster.client_instance(&site.cluster.agent());
    silent.crash();
    state.client = silent.client.clone();
    let web = sluice_web::Web::new(state);
    let answer = Ask::get("/api/v1/pipelines")
        .bearer(&token)
        .send(&web)
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.code(), "cluster-silent");
    let answer = Ask::form("/sign-in", &[("token", &token)]).send(&web).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("set-cookie"), "");
    assert!(!answer.text.contains(&token));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_page_cannot_vote() {
    let site = site();
    let (cookie, csrf) = sign_in(&site.web, &site.token("alice@example.com")).await;
    let good = || Ask::form(APPROVE, &[("csrf", &csrf), ("hash", HASH)]).cookie(&cookie);
    let (_, other) = sign_in(&site.web, &site.token("alice@example.com")).await;
    let foreign = [
        good().header("origin", "https://evil.example"),
        good().header("origin", "null"),
        good().without("origin"),
        good().header("sec-fetch-site", "cross-site"),
        good().header("sec-fetch-site", "same-site"),
        good().header("content-type", "text/plain"),
        good().header("content-type", "application/json"),
        good().header("content-type", "multipart/form-data; boundary=x"),
        good().without("content-type"),
        Ask::form(APPROVE, &[("hash", HASH)]).cookie(&cookie),
        Ask::form(APPROVE, &[("csrf", ""), ("hash", HASH)]).cookie(&cookie),
        Ask::form(APPROVE, &[("csrf", &other), ("hash", HASH)]).cookie(&cookie),
        Ask::json(API_APPROVE, &json!({ "hash": HASH })).cookie(&cookie),
        Ask::json(API_APPROVE, &json!({ "hash": HASH }))
            .cookie(&cookie)
            .header("origin", ORIGIN),
        Ask::json(API_APPROVE, &json!({ "hash": HASH, "csrf": csrf }))
            .cookie(&cookie)
            .header("origin", ORIGIN)
            .header("content-type", "text/plain"),
        Ask::form("/sign-in", &[("token", &site.token("bob@example.com"))])
            .header("origin", "https://evil.example"),
    ];
    for (n, ask) in foreign.into_iter().enumerate() {
        let answer = ask.send(&site.web).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "case {n}: {}",
            answer.text
        );
    }
    assert_eq!(votes(&site), 0);
    // The same form from the page itself does.
    let answer = good().send(&site.web).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(votes(&site), 1);
    let again = Ask::json(API_APPROVE, &json!({ "hash": HASH }))
        .cookie(&cookie)
        .header("origin", ORIGIN)
        .header("x-sluice-csrf", &csrf);
    assert_eq!(again.send(&site.web).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn foreign_names_of_this_machine_are_refused() {
    let site = site();
    for host in ["evil.example", "evil.example:8080", "169.254.169.254"] {
        let answer = Ask::get("/sign-in")
            .header("host", host)
            .send(&site.web)
            .await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        let probe = Ask::get("/healthz")
            .header("host", host)
            .send(&site.web)
            .await;
        assert_eq!(probe.status, StatusCode::OK, "probes name the pod");
    }
}

#[tokio::test(start_paused = true)]
async fn names_in_headers_and_bodies_are_ignored() {
    let site = site();
    let body = json!({
        "hash": HASH, "approver": "carol@example.com", "groups": ["tech-leads"], "user": "carol",
    });
    let forged = |ask: Ask| {
        ask.header("x-forwarded-user", "carol@example.com")
            .header("x-remote-user", "carol@example.com")
            .header("x-remote-group", "system:masters")
            .header("impersonate-user", "carol@example.com")
    };
    let answer = forged(Ask::json(API_APPROVE, &body)).send(&site.web).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let alice = site.token("alice@example.com");
    let answer = forged(Ask::json(API_APPROVE, &body).bearer(&alice))
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let vote = &site.cluster.objects(Resource::Approvals, NAMESPACE)[0];
    assert_eq!(vote["spec"]["approver"], "alice@example.com");
    let groups = vote["spec"]["groups"].as_array().unwrap();
    assert!(!groups.contains(&json!("tech-leads")) && !groups.contains(&json!("system:masters")));
}

#[tokio::test(start_paused = true)]
async fn bodies_are_small_and_plain() {
    let site = site();
    let token = site.token("alice@example.com");
    let big = json!({ "hash": HASH, "x": "y".repeat(17 * 1024) });
    let answer = Ask::json(API_APPROVE, &big)
        .bearer(&token)
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in ["[]", "{", "\"x\"", &deep, "{\"hash\":1}", "null"] {
        let ask = Ask::json(API_APPROVE, &json!(null)).bearer(&token);
        let answer = ask.raw(body).send(&site.web).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:.20}");
    }
    let twice = Ask::form(APPROVE, &[("hash", "x"), ("hash", HASH)]).bearer(&token);
    assert_eq!(twice.send(&site.web).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(votes(&site), 0);
}

#[tokio::test(start_paused = true)]
async fn behind_tls_the_cookie_is_bound_to_it() {
    let mut config = sample::config();
    config.secure_cookies = true;
    config.hosts = vec!["sluice.example.com".into()];
    let site = Site::new(config);
    let token = site.token("alice@example.com");
    let ask = |origin: &str| {
        Ask::form("/sign-in", &[("token", &token)])
            .header("host", "sluice.example.com")
            .header("origin", origin)
    };
    let plain = ask("http://sluice.example.com").send(&site.web).await;
    assert_eq!(plain.status, StatusCode::FORBIDDEN);
    let answer = ask("https://sluice.example.com").send(&site.web).await;
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-sluice=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    assert!(
        answer
            .header("strict-transport-security")
            .starts_with("max-age=")
    );
}
