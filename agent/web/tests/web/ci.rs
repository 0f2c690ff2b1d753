//! Proposals of CI services: by signature and by token (attacks 18, 19). They propose, and that is all.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::SignedDuration;
use reqwest::Certificate;
use ring::hmac;
use serde_json::{Value, json};
use sluice_sim::Resource;
use sluice_web::{OidcConfig, WebConfig};

use crate::ask::{Answer, Ask, ORIGIN};
use crate::issuer::Issuer;
use crate::machine::{self, Behind, signature};
use crate::sample::{self, NAMESPACE, Site};

const SECRET: &[u8] = b"a secret of jenkins";
const STAGING: &str = "/v1/hooks/ci/delivery/storefront/staging";
const PRODUCTION: &str = "/v1/hooks/ci/delivery/storefront/production";

fn policy(issuer: &str) -> String {
    format!(
        r#"{}
callers:
  jenkins: {{hmac: {{secret: ci/jenkins}}, pipelines: [storefront], environments: [staging]}}
  lost: {{hmac: {{secret: ci/lost}}, pipelines: [storefront], environments: [staging]}}
  shop-ci:
    oidc:
      issuer: {issuer}
      claims:
        repository_id: "4711"
        repository_owner_id: "12"
        job_workflow_ref: shop/storefront/.github/workflows/release.yaml@refs/heads/main
        ref: refs/heads/main
        environment: production
        event_name: push
    pipelines: [storefront]
    environments: [production]
"#,
        sample::POLICY
            .replace(
                "triggers: [registry, manual]",
                "triggers: [registry, manual, webhook]"
            )
            .replace(
                "triggers: [upstream, manual]",
                "triggers: [upstream, manual, webhook]"
            ),
    )
}

fn site_for(issuer: &str, authorities: Vec<Certificate>) -> Site {
    let behind = Arc::new(Behind {
        secrets: [("ci/jenkins".to_owned(), SECRET.to_vec())].into(),
        ..Behind::default()
    });
    let oidc = OidcConfig {
        issuer: "https://id.example.com".to_owned(),
        client_id: "sluice".to_owned(),
        client_secret_file: None,
        scopes: Vec::new(),
        groups_claim: None,
        groups_prefix: String::new(),
        authorities,
    };
    let config = WebConfig {
        oidc: Some(oidc),
        ..sample::config()
    };
    machine::site(config, &behind, &policy(issuer))
}

fn requests(site: &Site) -> Vec<Value> {
    let found = site.cluster.objects(Resource::Requests, NAMESPACE);
    found.iter().map(|o| (**o).clone()).collect()
}

async fn signed(site: &Site, path: &str, body: &str, header: &str) -> Answer {
    Ask::json(path, &json!(null))
        .raw(body)
        .header("x-sluice-signature", header)
        .send(&site.web)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_signed_proposal_is_a_request_in_the_callers_name_and_only_one() {
    let site = site_for("https://ci.example.com", Vec::new());
    let body = json!({ "tag": "v1.2.0", "reason": "build 7" }).to_string();
    let header = signature(SECRET, sample::now(), &body);
    for repeated in [false, true, true] {
        let answer = signed(&site, STAGING, &body, &header).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        assert_eq!(answer.json()["repeated"], repeated);
        let look = answer.json()["look"].as_str().unwrap().to_owned();
        assert!(look.starts_with("/api/v1/rollouts?namespace=delivery&pipeline=storefront"));
    }
    let all = requests(&site);
    let [request] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(
        request["spec"],
        json!({
            "action": "deploy", "pipeline": "storefront", "environment": "staging", "tag": "v1.2.0",
            "reason": "build 7", "requester": "jenkins", "provider": "caller", "channel": "webhook",
        })
    );
    // The same signature for something else, or elsewhere.
    let elsewhere = signed(
        &site,
        "/v1/hooks/ci/other/storefront/staging",
        &body,
        &header,
    )
    .await;
    assert!(elsewhere.status.is_client_error());
    assert_eq!(requests(&site).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn signatures_that_do_not_fit_or_are_not_current() {
    let site = site_for("https://ci.example.com", Vec::new());
    let body = json!({ "tag": "v1.2.0" }).to_string();
    let good = signature(SECRET, sample::now(), &body);
    for (path, body, header) in [
        (
            STAGING,
            body.as_str(),
            signature(b"another secret....", sample::now(), &body),
        ),
        (STAGING, &body.replace("1.2", "1.3"), good.clone()),
        (
            STAGING,
            &body,
            signature(SECRET, sample::before(301), &body),
        ),
        (STAGING, &body, signature(SECRET, sample::after(301), &body)),
        (STAGING, &body, good.replace("v1=", "v0=")),
        (STAGING, &body, String::new()),
        // Not one of jenkins's environments, and not one of its pipelines.
        (PRODUCTION, &body, good.clone()),
        (
            "/v1/hooks/ci/delivery/payments/staging",
            &body,
            good.clone(),
        ),
    ] {
        let answer = signed(&site, path, body, &header).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {header}");
        assert_eq!(answer.code(), "not-proven");
    }
    // A cookie and an origin are nothing here, and a signature in two headers is none.
    let (cookie, _) = crate::ask::sign_in(&site.web, &site.token("alice@example.com")).await;
    let answer = Ask::json(STAGING, &json!({ "tag": "v1.2.0" }))
        .cookie(&cookie)
        .header("origin", ORIGIN)
        .send(&site.web)
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(requests(&site).is_empty());
    for at in [sample::before(300), sample::after(300)] {
        let answer = signed(&site, STAGING, &body, &signature(SECRET, at, &body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proposal_says_one_version_and_nothing_else() {
    let site = site_for("https://ci.example.com", Vec::new());
    for body in [
        json!({}),
        json!({ "tag": "v1", "digest": sample::digest('a') }),
        json!({ "tag": 7 }),
        json!({ "tag": "v 1" }),
        json!({ "digest": "sha256:short" }),
        json!({ "tag": "v1", "breakGlass": true }),
        json!({ "tag": "v1", "requester": "alice@example.com" }),
        json!({ "tag": "v1", "approve": "5f1d" }),
        json!([]),
        json!("v1"),
    ] {
        let body = body.to_string();
        let header = signature(SECRET, sample::now(), &body);
        let answer = signed(&site, STAGING, &body, &header).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.status);
    }
    assert!(requests(&site).is_empty());
    let body = json!({ "digest": sample::digest('a') }).to_string();
    let answer = signed(
        &site,
        STAGING,
        &body,
        &signature(SECRET, sample::now(), &body),
    )
    .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
}

/// Tokens of a CI service.
struct Ci {
    issuer: Issuer,
    site: Site,
}

impl Ci {
    async fn new() -> Self {
        let issuer = Issuer::start(sample::now()).await;
        let trusted = Certificate::from_pem(issuer.certificate().as_bytes()).unwrap();
        let site = site_for(issuer.url(), vec![trusted]);
        Self { issuer, site }
    }

    /// The claims of the job that may, with changes.
    fn claims(&self, id: &str, change: &Value) -> Value {
        let second = sample::now().as_second();
        let mut all = json!({
            "iss": self.issuer.url(), "aud": ORIGIN, "sub": "repo:shop/storefront:environment:production",
            "jti": id, "iat": second - 10, "nbf": second - 10, "exp": second + 300,
            "repository": "shop/storefront", "repository_id": "4711", "repository_owner_id": "12",
            "job_workflow_ref": "shop/storefront/.github/workflows/release.yaml@refs/heads/main",
            "ref": "refs/heads/main", "environment": "production", "event_name": "push",
        });
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                all.as_object_mut().unwrap().remove(name);
            } else {
                all[name] = value.clone();
            }
        }
        all
    }

    async fn send(&self, token: &str) -> Answer {
        self.send_to(PRODUCTION, token, &json!({ "tag": "v1.2.0" }))
            .await
    }

    async fn send_to(&self, path: &str, token: &str, body: &Value) -> Answer {
        Ask::json(path, body)
            .bearer(token)
            .send(&self.site.web)
            .await
    }

    async fn refused(&self, token: &str, case: &str) {
        let answer = self.send(token).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{case}: {}",
            answer.text
        );
        assert_eq!(answer.code(), "not-proven", "{case}");
        assert!(requests(&self.site).is_empty(), "{case}");
    }
}

#[tokio::test]
async fn a_job_with_exactly_these_claims_proposes() {
    let ci = Ci::new().await;
    let token = ci
        .issuer
        .sign(&ci.claims("job-1", &json!({ "repository_id": 4711 })));
    let answer = ci.send(&token).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let all = requests(&ci.site);
    assert_eq!(all[0]["spec"]["requester"], "shop-ci");
    assert_eq!(all[0]["spec"]["provider"], "caller");
    assert_eq!(all[0]["spec"]["channel"], "webhook");
    // The answer was lost: the same again is the same.
    let again = ci.send(&token).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(again.json()["repeated"], true);
    // Attack 18: the token once more, for something else.
    for (path, body) in [
        (PRODUCTION, json!({ "tag": "v9.9.9" })),
        (PRODUCTION, json!({ "tag": "v1.2.0", "reason": "x" })),
    ] {
        let answer = ci.send_to(path, &token, &body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
    assert_eq!(requests(&ci.site).len(), 1);
}

#[tokio::test]
async fn attack_18_tokens_that_are_none() {
    let ci = Ci::new().await;
    let claims = ci.claims("job-1", &json!({}));
    for token in ["nothing", "", "a.b.c", "e30.e30."] {
        ci.refused(token, token).await;
    }
    for alg in ["none", "None", "HS256", "RS256", "ES384", "EdDSA"] {
        let token = ci
            .issuer
            .sign_as(&json!({ "alg": alg, "kid": "key-1" }), &claims);
        ci.refused(&token, alg).await;
        let (signed, _) = token.rsplit_once('.').unwrap();
        ci.refused(&format!("{signed}."), alg).await;
        // The public key taken for a shared secret.
        let key = hmac::Key::new(hmac::HMAC_SHA256, &ci.issuer.public_key());
        let tag = hmac::sign(&key, signed.as_bytes());
        let tag = base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            tag.as_ref(),
        );
        ci.refused(&format!("{signed}.{tag}"), alg).await;
    }
    // A key that the token brings along.
    let own = Issuer::start(sample::now()).await;
    let header = json!({
        "alg": "ES256", "kid": "key-1", "jku": format!("{}/keys", own.url()),
    });
    ci.refused(&own.sign_as(&header, &claims), "jku").await;
    // Somebody else's issuer that says it is ours, and one that nobody named.
    ci.refused(&own.sign(&claims), "another signer").await;
    ci.refused(
        &own.sign(&ci.claims("x", &json!({ "iss": own.url() }))),
        "another issuer",
    )
    .await;
    assert_eq!(
        own.knobs().key_reads,
        0,
        "an issuer that nobody named is not asked"
    );
}

#[tokio::test]
async fn attack_18_tokens_of_another_time_place_or_purpose() {
    let ci = Ci::new().await;
    let second = sample::now().as_second();
    for change in [
        json!({ "iss": format!("{}/", ci.issuer.url()) }),
        json!({ "iss": null }),
        json!({ "aud": "https://other.example.com" }),
        json!({ "aud": "http://localhost:8081" }),
        json!({ "aud": [ORIGIN, "https://other.example.com"] }),
        json!({ "aud": null }),
        json!({ "exp": second - 60 }),
        json!({ "exp": null }),
        json!({ "iat": second - 661, "exp": second + 9999 }),
        json!({ "iat": second + 61 }),
        json!({ "iat": null }),
        json!({ "nbf": second + 61 }),
        json!({ "jti": null }),
        json!({ "jti": "" }),
        json!({ "jti": 7 }),
    ] {
        let token = ci.issuer.sign(&ci.claims("job-1", &change));
        ci.refused(&token, &change.to_string()).await;
    }
    // Empty claims: nothing of it is anybody's.
    ci.refused(&ci.issuer.sign(&json!({})), "empty").await;
    let good = ci.issuer.sign(&ci.claims("job-1", &json!({})));
    for path in [STAGING, "/v1/hooks/ci/delivery/payments/production"] {
        let answer = ci.send_to(path, &good, &json!({ "tag": "v1.2.0" })).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert!(requests(&ci.site).is_empty());
    assert_eq!(ci.send(&good).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn attack_19_the_same_name_is_not_the_same_repository() {
    let ci = Ci::new().await;
    for (case, change) in [
        (
            "a fork",
            json!({ "repository_id": "815", "repository_owner_id": "99", "repository": "mallory/storefront" }),
        ),
        (
            "made anew under the name",
            json!({ "repository_id": "4712" }),
        ),
        (
            "the owner's name was taken over",
            json!({ "repository_owner_id": "13" }),
        ),
        (
            "pull_request",
            json!({ "ref": "refs/pull/1/merge", "event_name": "pull_request" }),
        ),
        (
            "pull_request_target",
            json!({ "event_name": "pull_request_target" }),
        ),
        ("a longer ref", json!({ "ref": "refs/heads/main2" })),
        ("a ref within", json!({ "ref": "x/refs/heads/main" })),
        ("a tag of that name", json!({ "ref": "refs/tags/main" })),
        (
            "another workflow",
            json!({ "job_workflow_ref": "shop/storefront/.github/workflows/test.yaml@refs/heads/main" }),
        ),
        (
            "another version of it",
            json!({ "job_workflow_ref": "shop/storefront/.github/workflows/release.yaml@refs/heads/x" }),
        ),
        ("no environment", json!({ "environment": null })),
        (
            "another environment",
            json!({ "environment": "Production" }),
        ),
        ("a list", json!({ "repository_id": ["4711"] })),
        ("a longer id", json!({ "repository_id": "47110" })),
        ("a fraction", json!({ "repository_id": 4711.5 })),
    ] {
        let token = ci.issuer.sign(&ci.claims("job-1", &change));
        ci.refused(&token, case).await;
    }
}

#[tokio::test]
async fn invented_key_ids_are_no_flood_at_the_issuer() {
    let ci = Ci::new().await;
    let token = ci.issuer.sign(&ci.claims("job-1", &json!({})));
    assert_eq!(ci.send(&token).await.status, StatusCode::ACCEPTED);
    assert_eq!(ci.issuer.knobs().key_reads, 1);
    for n in 0..50 {
        let header = json!({ "alg": "ES256", "kid": format!("invented-{n}") });
        let token = ci.issuer.sign_as(&header, &ci.claims("job-2", &json!({})));
        assert_eq!(ci.send(&token).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ci.issuer.knobs().key_reads, 1, "once a minute at most");
    // The issuer changes its key: the next token finds it, a minute after the last try.
    ci.issuer.knobs().key_id = "key-2".into();
    ci.site.dial.turn(SignedDuration::from_secs(60));
    let token = ci.issuer.sign(&ci.claims("job-3", &json!({})));
    let answer = ci.send(&token).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    assert_eq!(ci.issuer.knobs().key_reads, 2);
}

#[tokio::test]
async fn a_caller_has_no_way_but_this_one() {
    let ci = Ci::new().await;
    let token = ci.issuer.sign(&ci.claims("job-1", &json!({})));
    for route in sluice_web::listed() {
        let open = matches!(
            route.access,
            sluice_web::Access::Anyone
                | sluice_web::Access::Caller
                | sluice_web::Access::Hint
                | sluice_web::Access::Callback
        );
        if open {
            continue;
        }
        let path = route
            .path
            .replace("{namespace}", NAMESPACE)
            .replace("{name}", "storefront");
        let body = json!({ "hash": sample::HASH, "reason": "x" });
        let ask = match route.method.as_str() {
            "GET" => Ask::get(&path),
            _ if path.starts_with("/api/") => Ask::json(&path, &body),
            _ => Ask::form(&path, &[("hash", sample::HASH)]),
        };
        let answer = ask.bearer(&token).send(&ci.site.web).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert!(requests(&ci.site).is_empty());
    assert!(
        ci.site
            .cluster
            .objects(Resource::Approvals, NAMESPACE)
            .is_empty()
    );
}
