//! Sign-in with an identity provider: who gets in, as whom, for how long, and every way not to.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sluice_core::policy::Policy;
use sluice_sim::Resource;
use sluice_web::{OidcConfig, WebConfig};
use url::Url;

use crate::ask::{Answer, Ask, HOST, ORIGIN};
use crate::issuer::{CLIENT, Issuer, SECRET};
use crate::sample::{self, HASH, NAMESPACE, Site};

/// The site, its provider, and the folder of its settings.
pub(crate) struct Door {
    pub(crate) site: Site,
    pub(crate) issuer: Issuer,
    _folder: std::path::PathBuf,
}

pub(crate) async fn door() -> Door {
    let issuer = Issuer::start(sample::now()).await;
    let folder = std::env::temp_dir().join(format!(
        "sluice-web-oidc-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    ));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("secret"), format!("{SECRET}\n")).unwrap();
    std::fs::write(folder.join("ca.pem"), issuer.certificate()).unwrap();
    let file = folder.join("oidc.yaml");
    let text = format!(
        "issuer: {}\nclientId: {CLIENT}\nclientSecretFile: {}\nscopes: [profile]\n\
         groupsClaim: groups\ncaFile: {}\n",
        issuer.url(),
        folder.join("secret").display(),
        folder.join("ca.pem").display()
    );
    std::fs::write(&file, text).unwrap();
    let config = WebConfig {
        oidc: Some(OidcConfig::read(&file, false).unwrap()),
        ..sample::config()
    };
    let mut site = Site::new(config);
    site.rollout("awaiting", sample::spec("v1.1.0", 'b'), &sample::awaiting());
    // alice has an account of the cluster, too.
    let policy = sample::POLICY.replace(
        "{name: alice, kubernetes: alice@example.com}",
        &format!(
            "{{name: alice, kubernetes: alice@example.com, oidc: '{}#8f2c'}}",
            issuer.url()
        ),
    );
    let policy = Policy::parse(&policy).unwrap();
    site.policy.send_replace(std::sync::Arc::new(policy));
    Door {
        site,
        issuer,
        _folder: folder,
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self._folder);
    }
}

fn cookie_of(answer: &Answer) -> String {
    let all = answer.headers.get_all("set-cookie").iter();
    let set = all
        .map(|v| v.to_str().unwrap())
        .find(|v| !v.contains("Max-Age=0"))
        .unwrap_or_default();
    set.split(';').next().unwrap().to_owned()
}

/// A browser that was led to the provider.
pub(crate) struct Led {
    pub(crate) cookie: String,
    pub(crate) asked: Url,
}

impl Led {
    fn asked(&self, name: &str) -> String {
        let pair = self.asked.query_pairs().find(|(n, _)| n == name);
        pair.map(|(_, v)| v.into_owned()).unwrap_or_default()
    }
}

impl Door {
    pub(crate) async fn lead(&self, next: &str) -> Led {
        let path = format!("/sign-in/oidc?next={next}");
        let answer = Ask::get(&path).send(&self.site.web).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        Led {
            cookie: cookie_of(&answer),
            asked: Url::parse(answer.header("location")).unwrap(),
        }
    }

    /// The browser comes back with the provider's code.
    pub(crate) async fn back(&self, led: &Led) -> Answer {
        let code = self.issuer.code_for(
            &led.asked("nonce"),
            &led.asked("code_challenge"),
            &led.asked("redirect_uri"),
        );
        self.callback(led, &code, &led.asked("state")).await
    }

    async fn callback(&self, led: &Led, code: &str, state: &str) -> Answer {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("code", code)
            .append_pair("state", state)
            .finish();
        Ask::get(&format!("/sign-in/oidc/callback?{query}"))
            .cookie(&led.cookie)
            .send(&self.site.web)
            .await
    }

    /// Signs in, and answers with the cookie and the form token.
    pub(crate) async fn sign_in(&self) -> (String, String) {
        let answer = self.back(&self.lead("/").await).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let cookie = cookie_of(&answer);
        let page = Ask::get("/").cookie(&cookie).send(&self.site.web).await;
        let form = page.text.split("name=\"csrf\" value=\"").nth(1);
        let csrf = form.expect("a form with its token");
        (cookie, csrf.split('"').next().unwrap().to_owned())
    }

    async fn approve(&self, cookie: &str, csrf: &str) -> Answer {
        Ask::form(
            "/rollouts/delivery/awaiting/approve",
            &[("csrf", csrf), ("hash", HASH)],
        )
        .cookie(cookie)
        .send(&self.site.web)
        .await
    }

    fn votes(&self) -> Vec<Value> {
        let found = self.site.cluster.objects(Resource::Approvals, NAMESPACE);
        found.iter().map(|o| (**o).clone()).collect()
    }
}

#[tokio::test]
async fn a_person_signs_in_reads_and_votes_as_issuer_and_subject() {
    let door = door().await;
    let form = Ask::get("/sign-in?next=/rollouts/delivery/awaiting")
        .send(&door.site.web)
        .await;
    assert!(form.text.contains("Sign in with your identity provider"));
    assert!(
        form.text
            .contains("/sign-in/oidc?next=%2Frollouts%2Fdelivery%2Fawaiting")
    );
    assert!(form.text.contains("kubectl create token"), "both ways");

    let led = door.lead("/rollouts/delivery/awaiting").await;
    let asked = &led.asked;
    assert!(
        asked
            .as_str()
            .starts_with(&format!("{}/authorize?", door.issuer.url()))
    );
    assert_eq!(led.asked("response_type"), "code");
    assert_eq!(led.asked("client_id"), CLIENT);
    assert_eq!(led.asked("scope"), "openid profile");
    assert_eq!(led.asked("code_challenge_method"), "S256");
    let back = format!("http://{HOST}/sign-in/oidc/callback");
    assert_eq!(led.asked("redirect_uri"), back);

    let answer = door.back(&led).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.header("location"), "/rollouts/delivery/awaiting");
    let gone = answer.headers.get_all("set-cookie").iter();
    let gone: Vec<&str> = gone.map(|v| v.to_str().unwrap()).collect();
    assert!(
        gone.iter()
            .any(|c| c.starts_with("sluice-sign-in=;") && c.contains("Max-Age=0"))
    );

    let (cookie, csrf) = door.sign_in().await;
    let page = Ask::get("/").cookie(&cookie).send(&door.site.web).await;
    assert!(
        page.text.contains("<span class=\"name\">alice</span>"),
        "{}",
        page.text
    );
    let answer = door.approve(&cookie, &csrf).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let votes = door.votes();
    let spec = &votes[0]["spec"];
    assert_eq!(spec["approver"], format!("{}#8f2c", door.issuer.url()));
    assert_eq!(spec["provider"], "oidc");
    assert_eq!(spec["channel"], "web");
    assert_eq!(spec["groups"], json!(["oidc:all", "oidc:tech-leads"]));
    assert!(!votes[0].to_string().contains("mallory") && !votes[0].to_string().contains("carol"));

    let out = Ask::form("/sign-out", &[("csrf", &csrf)])
        .cookie(&cookie)
        .send(&door.site.web)
        .await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let page = Ask::get("/").cookie(&cookie).send(&door.site.web).await;
    assert_eq!(page.header("location"), "/sign-in?next=%2F");
}

#[tokio::test]
async fn whom_the_policy_does_not_list_reads_and_nothing_else() {
    let door = door().await;
    door.issuer.knobs().claims = json!({ "sub": "stranger" });
    let (cookie, csrf) = door.sign_in().await;
    let page = Ask::get("/rollouts/delivery/awaiting").cookie(&cookie);
    assert_eq!(page.send(&door.site.web).await.status, StatusCode::OK);
    let answer = door.approve(&cookie, &csrf).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    // Not even what anybody may whom RBAC lets: there is no RBAC for them.
    let abort = Ask::json(
        "/api/v1/namespaces/delivery/stop",
        &json!({ "reason": "for fun" }),
    )
    .cookie(&cookie)
    .header("origin", ORIGIN)
    .header("x-sluice-csrf", &csrf)
    .send(&door.site.web)
    .await;
    assert_eq!(abort.status, StatusCode::FORBIDDEN, "{}", abort.text);
    assert_eq!(abort.code(), "not-listed");
    assert!(door.votes().is_empty());
    assert!(
        door.site
            .cluster
            .objects(Resource::Requests, NAMESPACE)
            .is_empty()
    );
}

#[tokio::test]
async fn rbac_is_asked_about_the_account_that_the_policy_says_is_theirs() {
    let door = door().await;
    door.site.cluster.deny(sluice_sim::Denial {
        user: "alice@example.com".into(),
        verb: "create".into(),
        resource: "approvals".into(),
        namespace: NAMESPACE.into(),
        ..sluice_sim::Denial::default()
    });
    let (cookie, csrf) = door.sign_in().await;
    let answer = door.approve(&cookie, &csrf).await;
    assert_eq!(answer.code(), "not-allowed-by-rbac", "{}", answer.text);
    assert!(door.votes().is_empty());
}

#[tokio::test]
async fn a_session_ends_with_the_token() {
    let door = door().await;
    let exp = sample::now().as_second() + 600;
    door.issuer.knobs().claims = json!({ "exp": exp });
    let (cookie, _) = door.sign_in().await;
    door.site.dial.turn(SignedDuration::from_mins(9));
    let ask = || Ask::get("/").cookie(&cookie).send(&door.site.web);
    assert_eq!(ask().await.status, StatusCode::OK);
    door.site.dial.turn(SignedDuration::from_mins(1));
    assert_eq!(ask().await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_sign_in_belongs_to_the_browser_that_began_it() {
    let door = door().await;
    let (mine, other) = (door.lead("/").await, door.lead("/").await);
    let state = mine.asked("state");
    let good = |led: &Led| {
        let (nonce, challenge) = (led.asked("nonce"), led.asked("code_challenge"));
        door.issuer
            .code_for(&nonce, &challenge, &led.asked("redirect_uri"))
    };
    let code = good(&mine);
    // Somebody else's answer in my browser, mine in somebody else's, and none at all.
    assert_eq!(
        door.callback(&other, &code, &state).await.code(),
        "sign-in-void"
    );
    let none = Led {
        cookie: "a=b".into(),
        asked: mine.asked.clone(),
    };
    assert_eq!(
        door.callback(&none, &code, &state).await.code(),
        "sign-in-void"
    );
    for state in ["", "x", &state[..63], &other.asked("state")] {
        assert_eq!(
            door.callback(&mine, &code, state).await.code(),
            "sign-in-void"
        );
    }
    let twice = format!("{0}; {0}", mine.cookie);
    let twice = Led {
        cookie: twice,
        asked: mine.asked.clone(),
    };
    assert_eq!(
        door.callback(&twice, &code, &state).await.code(),
        "sign-in-void"
    );
    assert_eq!(
        door.issuer.knobs().exchanges,
        0,
        "the provider was not even asked"
    );
    // Too late.
    door.site.dial.turn(SignedDuration::from_mins(10));
    assert_eq!(
        door.callback(&mine, &code, &state).await.code(),
        "sign-in-void"
    );
    // A code that another browser began: its verifier does not fit.
    let (a, b) = (door.lead("/").await, door.lead("/").await);
    let code = good(&a);
    let answer = door.callback(&b, &code, &b.asked("state")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.code(), "token-refused");
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn tokens_that_are_not_for_this_sign_in_are_refused() {
    let door = door().await;
    let second = sample::now().as_second();
    for claims in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": null }),
        json!({ "aud": "another-client" }),
        json!({ "aud": [CLIENT, "another-client"] }),
        json!({ "aud": [CLIENT, "another-client"], "azp": "another-client" }),
        json!({ "azp": "another-client" }),
        json!({ "aud": null }),
        json!({ "nonce": "x" }),
        json!({ "nonce": null }),
        json!({ "sub": "" }),
        json!({ "sub": null }),
        json!({ "sub": 7 }),
        json!({ "sub": "x".repeat(300) }),
        json!({ "sub": "a\nb" }),
        json!({ "exp": second - 61 }),
        json!({ "exp": second - 1 }),
        json!({ "exp": null }),
        json!({ "iat": second + 61 }),
        json!({ "iat": null }),
        json!({ "nbf": second + 61 }),
    ] {
        door.issuer.knobs().claims = claims.clone();
        let answer = door.back(&door.lead("/").await).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{claims}");
        assert_eq!(answer.code(), "token-refused", "{claims}");
        assert_eq!(answer.header("set-cookie"), "", "{claims}");
    }
    door.issuer.knobs().claims = json!({ "aud": [CLIENT, "another-client"], "azp": CLIENT });
    let answer = door.back(&door.lead("/").await).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
}

#[tokio::test]
async fn what_the_provider_answers_instead_is_not_shown() {
    let door = door().await;
    let led = door.lead("/").await;
    let state = led.asked("state");
    for query in [
        format!("error=access_denied&error_description=%3Cscript%3Ealert(1)&state={state}"),
        format!("code=x&state={state}&state={state}"),
        format!("code=x&state={state}&iss=https%3A%2F%2Fevil.example"),
        format!("state={state}"),
        "code=x".to_owned(),
        String::new(),
    ] {
        let answer = Ask::get(&format!("/sign-in/oidc/callback?{query}"))
            .cookie(&led.cookie)
            .send(&door.site.web)
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{query}");
        assert!(!answer.text.contains("alert(1)") && !answer.text.contains("evil.example"));
    }
    assert_eq!(door.issuer.knobs().exchanges, 0);
}

#[tokio::test]
async fn after_a_sign_in_only_our_own_pages_are_next() {
    let door = door().await;
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:x",
    ] {
        let answer = door.back(&door.lead(next).await).await;
        assert_eq!(answer.header("location"), "/", "{next}");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_or_lies_signs_nobody_in() {
    for discovery in [
        json!({ "issuer": "https://evil.example" }),
        json!({ "authorization_endpoint": null }),
        json!({ "authorization_endpoint": "javascript:alert(1)" }),
        json!({ "authorization_endpoint": "http://id.example.com/authorize" }),
        json!({ "jwks_uri": null }),
    ] {
        let door = door().await;
        door.issuer.knobs().discovery = discovery.clone();
        let answer = Ask::get("/sign-in/oidc").send(&door.site.web).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{discovery}");
        assert_eq!(answer.code(), "provider-unavailable", "{discovery}");
        assert!(!answer.text.contains("evil") && answer.header("location").is_empty());
    }
    let door = door().await;
    door.issuer.knobs().fault = Some(StatusCode::INTERNAL_SERVER_ERROR);
    let ask = || Ask::get("/sign-in/oidc").send(&door.site.web);
    assert_eq!(ask().await.code(), "provider-unavailable");
    // It is well again; it is asked again after a minute.
    door.issuer.knobs().fault = None;
    assert_eq!(ask().await.code(), "provider-unavailable");
    door.site.dial.turn(SignedDuration::from_secs(60));
    assert_eq!(ask().await.status, StatusCode::SEE_OTHER);
    // Keys behind a redirect are no keys.
    let other = self::door().await;
    let url = other.issuer.url().to_owned();
    other.issuer.knobs().discovery = json!({ "jwks_uri": format!("{url}/redirect") });
    let answer = Ask::get("/sign-in/oidc").send(&other.site.web).await;
    assert_eq!(answer.code(), "provider-unavailable");
    assert_eq!(other.issuer.knobs().key_reads, 0);
}

#[tokio::test]
async fn a_provider_whose_certificate_nobody_trusts_is_not_asked() {
    let door = door().await;
    let other = Issuer::start(sample::now()).await;
    door.issuer.knobs().discovery = json!({ "jwks_uri": format!("{}/keys", other.url()) });
    let answer = Ask::get("/sign-in/oidc").send(&door.site.web).await;
    assert_eq!(answer.code(), "provider-unavailable", "{}", answer.text);
    assert_eq!(other.knobs().key_reads, 0);
}

#[tokio::test]
async fn where_no_provider_is_set_there_is_no_such_sign_in() {
    let site = Site::new(sample::config());
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?code=x&state=y"] {
        let answer = Ask::get(path).send(&site.web).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.code(), "not-offered", "{path}");
    }
    let form = Ask::get("/sign-in").send(&site.web).await;
    assert!(!form.text.contains("identity provider"));
}
