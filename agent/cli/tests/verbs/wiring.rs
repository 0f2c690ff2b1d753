//! The parts as `sluice agent` puts them together, but for the cluster.

use std::sync::Arc;
use std::time::Duration;

use sluice::clock::WallClock;
use sluice::wiring::{HostPlace, Settings, WiringError, wire};
use sluice_controller::AgentConfig;
use sluice_registry::RegistryConfig;
use sluice_scenarios::{POLICY, Stage, on_virtual_time};
use sluice_sim::Resource;
use sluice_web::WebConfig;

/// Nobody listens where the plugin host should be: what needs no plugin goes on.
pub(crate) fn settings(folder: &std::path::Path) -> Settings {
    let _ = rustls::crypto::ring::default_provider().install_default();
    std::fs::create_dir_all(folder.join("plugins")).unwrap();
    std::fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    Settings {
        agent: AgentConfig {
            namespace: Some("delivery".into()),
            ..AgentConfig::default()
        },
        policy: folder.join("policy.yaml"),
        plugins: folder.join("plugins").into(),
        probes: None,
        host: HostPlace::Socket(folder.join("host.sock")),
        records: folder.join("records.jsonl"),
        registry: RegistryConfig::default(),
        web: Some(("127.0.0.1:0".parse().unwrap(), WebConfig::default())),
        secrets: None,
    }
}

#[test]
fn the_wired_agent_reads_the_policy_listens_and_adopts_what_serves() {
    on_virtual_time(async {
        let stage = Stage::new(5);
        let folder = tempfile::tempdir().unwrap();
        let client = stage.cluster.client(&stage.cluster.agent());
        let wired = wire(client, settings(folder.path()), Arc::new(WallClock))
            .await
            .unwrap();
        assert_ne!(wired.web_address().unwrap().port(), 0);
        assert!(
            wired
                .policy()
                .borrow()
                .environments
                .contains_key("production")
        );
        let problems = wired.plugins().problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, "plugin/host-away");
        let adopted = async {
            loop {
                stage.pass(Duration::from_secs(5)).await;
                let status = stage
                    .cluster
                    .object(Resource::Pipelines, "delivery", "storefront");
                let stable = status.and_then(|p| {
                    p.pointer("/status/environments/production/stable/digest")
                        .cloned()
                });
                if let Some(digest) = stable {
                    return digest;
                }
            }
        };
        tokio::select! {
            ended = wired.run() => panic!("the agent ended by itself: {ended:?}"),
            digest = tokio::time::timeout(Duration::from_secs(600), adopted) => {
                assert_eq!(digest.unwrap(), sluice_scenarios::digest('a'));
            }
        }
    });
}

#[test]
fn a_wrong_setting_stops_the_start_and_says_which() {
    on_virtual_time(async {
        let stage = Stage::new(5);
        let folder = tempfile::tempdir().unwrap();
        let client = stage.cluster.client(&stage.cluster.agent());
        let mut wrong = settings(folder.path());
        wrong.records = folder.path().join("nowhere/records.jsonl");
        let error = wire(client.clone(), wrong, Arc::new(WallClock))
            .await
            .err()
            .unwrap();
        assert!(matches!(error, WiringError::Records { .. }), "{error}");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut wrong = settings(folder.path());
        if let Some((address, _)) = &mut wrong.web {
            *address = taken.local_addr().unwrap();
        }
        let error = wire(client, wrong, Arc::new(WallClock))
            .await
            .err()
            .unwrap();
        assert!(
            error.to_string().starts_with("cannot listen on 127.0.0.1:"),
            "{error}"
        );
    });
}
