//! Token and access reviews, and what RBAC refuses.

use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenReview};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use sluice_sim::{AGENT, Cluster, Denial};

use crate::support::{code, create, custom, object};

async fn review(cluster: &Cluster, token: &str, audiences: &[&str]) -> (bool, String, Vec<String>) {
    let api: Api<TokenReview> = Api::all(cluster.client(AGENT));
    let body = json!({ "metadata": {}, "spec": { "token": token, "audiences": audiences } });
    let body = serde_json::from_value(body).unwrap();
    let status = api
        .create(&PostParams::default(), &body)
        .await
        .unwrap()
        .status
        .unwrap();
    (
        status.authenticated.unwrap_or_default(),
        status
            .user
            .and_then(|user| user.username)
            .unwrap_or_default(),
        status.audiences.unwrap_or_default(),
    )
}

#[tokio::test(start_paused = true)]
async fn tokens_are_good_for_their_audience_only() {
    let cluster = Cluster::fast(1);
    cluster.user("alice", &["devops-leads"]);
    let any = cluster.token("alice").unwrap();
    let bound = cluster.mint_token("alice", &["sluice"]);
    let yes = |audiences: &[&str]| {
        let audiences = audiences
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>();
        (true, "alice".to_owned(), audiences)
    };
    let no = (false, String::new(), Vec::new());
    assert_eq!(review(&cluster, &any, &["sluice"]).await, yes(&["sluice"]));
    assert_eq!(
        review(&cluster, &bound, &["sluice", "other"]).await,
        yes(&["sluice"])
    );
    assert_eq!(review(&cluster, &bound, &["other"]).await, no);
    assert_eq!(review(&cluster, &bound, &[]).await, no);
    assert_eq!(review(&cluster, "nothing", &["sluice"]).await, no);
}

#[tokio::test(start_paused = true)]
async fn a_caller_learns_who_they_are() {
    let cluster = Cluster::fast(1);
    cluster.user("bob", &["tech-leads"]);
    let api: Api<SelfSubjectReview> = Api::all(cluster.client("bob"));
    let body = serde_json::from_value(json!({ "metadata": {} })).unwrap();
    let status = api
        .create(&PostParams::default(), &body)
        .await
        .unwrap()
        .status
        .unwrap();
    let user = status.user_info.unwrap();
    assert_eq!(user.username.as_deref(), Some("bob"));
    assert_eq!(user.groups.unwrap(), ["tech-leads", "system:authenticated"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_table_denies_is_refused_and_reviewed_alike() {
    let cluster = Cluster::fast(1);
    cluster.deny(Denial {
        user: "carol".to_owned(),
        verb: "create".to_owned(),
        resource: "requests".to_owned(),
        ..Denial::default()
    });
    let wish = object("Request", "r", json!({ "requester": "carol" }));
    let refused = create(&custom(&cluster, "carol", "Request"), &wish).await;
    assert_eq!(refused.map(drop), Err(403));
    let api: Api<SubjectAccessReview> = Api::all(cluster.client(AGENT));
    for (user, allowed) in [("carol", false), ("dave", true)] {
        let body = serde_json::from_value(json!({ "metadata": {}, "spec": {
            "user": user,
            "resourceAttributes": {
                "verb": "create", "group": "sluice.dev", "resource": "requests", "namespace": "delivery",
            },
        }}))
        .unwrap();
        let answer = api
            .create(&PostParams::default(), &body)
            .await
            .map_err(code)
            .unwrap();
        assert_eq!(answer.status.unwrap().allowed, allowed, "{user}");
    }
}
