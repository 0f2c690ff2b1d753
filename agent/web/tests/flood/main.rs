//! A flood of requests without a name, at every open door, for ten seconds and as fast as this
//! machine sends: nothing breaks, memory stays, and a person who is signed in approves within a
//! second all the while. A process of its own, so that its memory is the server's.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

mod client;
#[path = "../web/sample.rs"]
#[expect(dead_code, reason = "made for the other tests")]
mod sample;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sluice_sim::Resource;
use sluice_web::{OidcConfig, WebConfig};

use client::{Connection, request};

/// How long it lasts.
const LASTS: Duration = Duration::from_secs(10);
/// Connections that send without a pause.
const SENDERS: usize = 24;
/// Requests that each sends before it reads the answers.
const BATCH: usize = 8;
/// Requests a second that there must be at least (reliability.md, section 7, asks for 5,000 of a
/// release build; this is a debug build that shares two cores).
const LEAST: u64 = 2_000;
/// How much memory may grow.
const GROWTH: usize = 32 << 20;
/// How long an approval may take meanwhile.
const APPROVAL: Duration = Duration::from_secs(1);

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// One request to each open door, and some to doors that are closed.
fn barrage(host: &str) -> Vec<Vec<u8>> {
    let get = |path: &str| request("GET", path, host, &[], "");
    let json = |path: &str, more: &[(&str, &str)], body: &str| {
        let headers = [&[("content-type", "application/json")], more].concat();
        request("POST", path, host, &headers, body)
    };
    let origin = format!("http://{host}");
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
    ];
    let event = r#"{"events":[{"target":{"repository":"evil/image","tag":"v9"}}]}"#;
    let watched = r#"{"repository":"shop/storefront","tag":"v9"}"#;
    let signature = format!("t=1767607200,v1={}", "0".repeat(64));
    let callback = r#"{"user":"U1","actions":[{"value":"approve"}]}"#;
    vec![
        get("/healthz"),
        get("/readyz"),
        get("/sign-in"),
        get("/sign-in?next=/x"),
        request("POST", "/sign-in", host, &form, "token=nothing&next=/"),
        get("/sign-in/oidc"),
        get("/sign-in/oidc/callback?code=x&state=y"),
        get("/assets/icon.svg"),
        get("/nowhere"),
        get("/"),
        get("/api/v1/rollouts"),
        json("/v1/hooks/registry/forged", &[], event),
        json("/v1/hooks/registry/forged", &[], watched),
        json("/v1/hooks/registry/forged", &[], &"[".repeat(2_000)),
        json(
            "/v1/hooks/registry/forged",
            &[("content-encoding", "gzip")],
            "x",
        ),
        json("/v1/hooks/ci/delivery/storefront/production", &[], "{}"),
        json(
            "/v1/hooks/ci/delivery/storefront/production",
            &[("x-sluice-signature", &signature)],
            r#"{"tag":"v9"}"#,
        ),
        json(
            "/v1/hooks/ci/delivery/storefront/production",
            &[("authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
            r#"{"tag":"v9"}"#,
        ),
        json("/v1/callbacks/slack-approval", &[], callback),
        json("/v1/callbacks/nobody", &[], callback),
        get("/openapi.json"),
    ]
}

fn config() -> WebConfig {
    WebConfig {
        // Nobody listens there: the discovery fails, once a minute.
        oidc: Some(OidcConfig {
            issuer: "http://127.0.0.1:9/".into(),
            client_id: "sluice".into(),
            client_secret_file: None,
            scopes: vec!["openid".into()],
            groups_claim: None,
            groups_prefix: "oidc:".into(),
            authorities: Vec::new(),
        }),
        allow_loopback_issuers: true,
        ..sample::config()
    }
}

/// A served site with rollouts that ask for votes, in a runtime of its own.
fn serve(rollouts: usize) -> (tokio::runtime::Runtime, SocketAddr, sample::Site) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (address, site) = runtime.block_on(async {
        let (mut site, state) = sample::Site::parts(config(), Arc::default());
        site.pipeline(
            "storefront",
            sample::pipeline_spec(),
            sample::pipeline_status(),
        );
        for n in 0..rollouts {
            let name = format!("awaiting-{n}");
            site.rollout(&name, sample::spec("v1.1.0", 'b'), &sample::awaiting());
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { sluice_web::serve(listener, state).await.unwrap() });
        (address, site)
    });
    (runtime, address, site)
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn a_flood_at_every_open_door_breaks_nothing_and_holds_up_nobody() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        hook(info);
    }));
    let (runtime, address, site) = serve(64);
    let host = address.to_string();
    let token = site.token("alice@example.com");
    let person = client::sign_in(address, &token);

    let (stop, sent) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let senders: Vec<_> = (0..SENDERS)
        .map(|n| {
            let (stop, sent, all) = (stop.clone(), sent.clone(), barrage(&host));
            std::thread::spawn(move || {
                let mut connection = Connection::open(address);
                let mut next = n;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..BATCH {
                        connection.write(&all[next % all.len()]);
                        next += 1;
                    }
                    for _ in 0..BATCH {
                        let answer = connection.read();
                        assert!(
                            answer.status < 500 || answer.status == 502 || answer.status == 503
                        );
                    }
                    sent.fetch_add(BATCH, Ordering::Relaxed);
                }
            })
        })
        .collect();
    // Buffers and pools fill in the first second; what grows after that would go on growing.
    std::thread::sleep(Duration::from_secs(1));
    let (before, counted, begun) = (resident(), sent.load(Ordering::Relaxed), Instant::now());
    let mut took = Vec::new();
    while begun.elapsed() < LASTS {
        let path = format!("/api/v1/rollouts/delivery/awaiting-{}/approve", took.len());
        let asked = Instant::now();
        let status = person.approve(address, &path, sample::HASH);
        took.push(asked.elapsed());
        assert_eq!(status, 201, "{path}");
        std::thread::sleep(Duration::from_millis(250));
    }
    let lasted = begun.elapsed();
    let counted = sent.load(Ordering::Relaxed) - counted;
    let after = resident();
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().unwrap();
    }
    let rate = counted as u64 * 1_000 / u64::try_from(lasted.as_millis()).unwrap();
    let grown = after.saturating_sub(before);
    took.sort_unstable();
    let worst = took.last().copied().unwrap();
    println!(
        "{counted} requests in {lasted:.1?}: {rate}/s; memory {} MiB, grown by {} KiB; {} approvals, \
         median {:.0?}, worst {worst:.0?}",
        after >> 20,
        grown >> 10,
        took.len(),
        took[took.len() / 2],
    );
    assert!(rate >= LEAST, "{rate}/s: the flood is no flood");
    assert!(grown < GROWTH, "memory grew by {} KiB", grown >> 10);
    assert!(
        took.len() >= 5 && worst < APPROVAL,
        "an approval took {worst:?}"
    );
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "something panicked");
    // And nothing of it was written.
    let cluster = &site.cluster;
    assert!(
        cluster
            .objects(Resource::Requests, sample::NAMESPACE)
            .is_empty()
    );
    let votes = cluster.objects(Resource::Approvals, sample::NAMESPACE);
    assert_eq!(votes.len(), took.len());
    runtime.shutdown_background();
}
