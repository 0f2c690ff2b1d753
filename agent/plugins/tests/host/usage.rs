//! What calls used, as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sluice_plugins::{CallUsage, HostOptions, UsageSink};

use crate::server;
use crate::support::{Folder, attack, invocation, operator_file, smoke, test_options};

#[derive(Default)]
pub(crate) struct Figures(Mutex<Vec<CallUsage>>);

impl Figures {
    pub(crate) fn last(&self) -> CallUsage {
        self.0.lock().unwrap().pop().unwrap()
    }
}

impl UsageSink for Figures {
    fn used(&self, usage: CallUsage) {
        self.0.lock().unwrap().push(usage);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_told_with_what_it_used_of_what_it_had() {
    let figures = Arc::new(Figures::default());
    let options = HostOptions {
        usage: figures.clone(),
        ..test_options()
    };
    let limits =
        json!({ "grants": { "limits": { "cpu-ms": 50, "wall-ms": 5000, "requests": 3 } } });
    let folder = Folder::new().plugin("hostile", "hostile.wasm").file(
        "plugins.yaml",
        operator_file("hostile", "hostile.wasm", limits),
    );
    let host = folder.host_with(options).await;
    let server = server::start(|_| server::text("hello")).await;
    let settings = json!({ "attack": "requests" });
    smoke(&host, "hostile", invocation(settings, &[server.url()]))
        .await
        .unwrap();
    let used = figures.last();
    assert_eq!(
        (used.plugin.as_str(), used.export),
        ("hostile", "smoke-test.run")
    );
    assert_eq!((used.requests, used.limits.requests), (3, 3));
    assert!(used.host_calls > 100 && used.host_calls < 1000, "{used:?}");
    assert!(used.memory_bytes >= 1 << 16, "{used:?}");
    assert!(
        used.cpu > Duration::ZERO && used.cpu <= used.wall,
        "{used:?}"
    );
    assert_eq!(used.fault, None);

    // CPU is what the call's thread computed, not what passed: a sleeper has used next to nothing.
    attack(&host, "loop").await.unwrap_err();
    let used = figures.last();
    assert_eq!(used.fault.as_deref(), Some("plugin/cpu-budget"));
    assert!(used.cpu >= Duration::from_millis(50), "{used:?}");
    attack(&host, "sleep").await.unwrap_err();
    let used = figures.last();
    assert_eq!(used.fault.as_deref(), Some("plugin/deadline"));
    assert!(used.wall >= Duration::from_secs(5), "{used:?}");
    assert!(used.cpu < Duration::from_secs(1), "{used:?}");
}
