//! A secret that is rotated, as Kubernetes does it, counts at the next request.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use sluice_plugins::{DirectorySecrets, HostOptions};

use crate::metrics::{measure, provider};
use crate::server;
use crate::support::test_options;

/// What a kubelet does to a mounted Secret: a new folder, then one rename of the link that all files
/// are reached through.
fn mount(secret: &Path, version: &str, token: Option<&str>) {
    let folder = secret.join(format!("..{version}"));
    std::fs::create_dir_all(&folder).unwrap();
    if let Some(token) = token {
        std::fs::write(folder.join("token"), token).unwrap();
    }
    let link = secret.join("..data_tmp");
    symlink(format!("..{version}"), &link).unwrap();
    std::fs::rename(link, secret.join("..data")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_request_carries_the_new_value_and_hides_it() {
    let server = server::start(|seen| server::text(seen.header("x-token"))).await;
    let root = tempfile::tempdir().unwrap();
    let secret = root.path().join("measurer");
    std::fs::create_dir(&secret).unwrap();
    mount(&secret, "2026_11_26", Some("first-value-1"));
    symlink("..data/token", secret.join("token")).unwrap();
    let options = HostOptions {
        secrets: Arc::new(DirectorySecrets::new(root.path())),
        ..test_options()
    };
    let granted = json!({ "api": {
        "url": server.url(), "methods": ["GET"], "paths": ["/*"], "secrets": ["token"],
        "allowLoopback": true, "plaintextSecrets": true,
    } });
    let host = provider(granted, options).await;
    let settings = json!({
        "url": format!("{}/", server.url()), "header": "x-token: ${secret:token}",
    });
    let ask = async || measure(&host, settings.clone()).await.unwrap().summary;

    assert!(ask().await.ends_with("whole [redacted:token]"));
    mount(&secret, "2026_11_27", Some("second-value-2"));
    assert!(ask().await.ends_with("whole [redacted:token]"));
    let sent: Vec<String> = server
        .requests()
        .iter()
        .map(|seen| seen.header("x-token").to_owned())
        .collect();
    assert_eq!(sent, ["first-value-1", "second-value-2"]);

    // Taken away: the request fails, and says which secret it lacks.
    mount(&secret, "2026_11_28", None);
    let answer = ask().await;
    assert!(
        answer.contains("secret \\\"token\\\": there is no such secret"),
        "{answer}"
    );
    assert_eq!(server.requests().len(), 2);
}
