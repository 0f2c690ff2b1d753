//! The choke point against servers and name servers that misbehave (attacks 7, 9, 10, 12, 13).

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sluice_core::port::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::limits::Limits;
use crate::net::address::Reach;
use crate::net::resolve::Resolve;
use crate::net::target::PathPattern;
use crate::secret::{MemorySecrets, SecretRef};

const SECRET: &str = "s3cr3t-value";

/// A name server with a script: each question takes the next answer, the last one stays.
struct Names(Mutex<VecDeque<Vec<SocketAddr>>>);

impl Names {
    fn new(answers: &[&[SocketAddr]]) -> Arc<Names> {
        Arc::new(Names(Mutex::new(
            answers.iter().map(|answer| answer.to_vec()).collect(),
        )))
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        Box::pin(async move { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

/// Serves raw bytes. What it read first comes back through `requests`.
struct Raw {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Raw {
    async fn start<F>(answer: impl Fn(TcpStream, String) -> F + Send + 'static) -> Raw
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = vec![0; 64 << 10];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
                log.lock().unwrap().push(request.clone());
                open.spawn(answer(stream, request));
            }
        });
        Raw {
            address,
            requests,
            _tasks: tasks,
        }
    }

    async fn says(answer: impl Into<Vec<u8>>) -> Raw {
        let answer = answer.into();
        Raw::start(move |mut stream, _| {
            let answer = answer.clone();
            async move {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn seen(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

struct Given<'a> {
    url: &'a str,
    resolver: Arc<dyn Resolve>,
    reach: Reach,
    plaintext: bool,
    deadline: Duration,
    roots: Vec<CertificateDer<'static>>,
}

const LOOPBACK: Reach = Reach {
    private: false,
    loopback: true,
};

impl<'a> Given<'a> {
    fn at(url: &'a str) -> Given<'a> {
        Given {
            url,
            resolver: Names::new(&[]),
            reach: LOOPBACK,
            plaintext: true,
            deadline: Duration::from_secs(20),
            roots: Vec::new(),
        }
    }

    fn outbound(self) -> Outbound {
        let target = Target {
            origin: Some(Origin::parse(self.url).unwrap()),
            methods: ["GET", "POST"].map(str::to_owned).into(),
            asked_paths: vec![PathPattern::everything()],
            granted_paths: vec![PathPattern::everything()],
            secrets: ["token".to_owned()].into(),
            plaintext_secrets: self.plaintext,
            reach: self.reach,
        };
        let at = SecretRef {
            secret: "s".to_owned(),
            key: "k".to_owned(),
        };
        let permissions = Permissions {
            targets: [("t".to_owned(), target)].into(),
            wasi_http: true,
            secrets: [("token".to_owned(), at)].into(),
            limits: Limits::default(),
        };
        Outbound {
            plugin: "test".to_owned(),
            network: Arc::new(Network::new(self.resolver, Vec::new(), &self.roots).unwrap()),
            secrets: Arc::new(MemorySecrets::default().with("s", "k", SECRET).unwrap()),
            permissions: PermissionCell::new(permissions),
            bound: Arc::default(),
            used: Arc::default(),
            wire: Wire::Live,
            redactor: Redactor::default(),
            notes: Notes::default(),
            deadline: Instant::now() + self.deadline,
        }
    }
}

fn get(path: &str) -> Asked {
    Asked {
        target: "t".to_owned(),
        method: "GET".to_owned(),
        path_and_query: path.to_owned(),
        ..Asked::default()
    }
}

fn with_secret(mut asked: Asked) -> Asked {
    asked.headers = vec![(
        "authorization".to_owned(),
        "Bearer ${secret:token}".to_owned(),
    )];
    asked
}

#[tokio::test]
async fn a_request_arrives_as_it_was_admitted() {
    let server = Raw::says("HTTP/1.1 200 OK\r\nx-hidden: 1\r\ncontent-length: 2\r\n\r\nok").await;
    let url = server.url();
    let outbound = Given::at(&url).outbound();
    let asked = Asked {
        method: "POST".to_owned(),
        body: b"{}".to_vec(),
        ..get("/a/../b?c=d")
    };
    let answered = outbound.fetch(asked).await.unwrap();
    assert_eq!(
        (answered.status, answered.body.as_slice()),
        (200, b"ok".as_slice())
    );
    assert_eq!(
        answered.headers,
        [("content-length".to_owned(), "2".to_owned())]
    );
    assert!(!answered.truncated);
    let request = server.requests.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("post /b?c=d http/1.1\r\n"), "{request}");
    assert!(
        request.contains(&format!("\r\nhost: {}\r\n", server.address)),
        "{request}"
    );
    assert!(request.contains("\r\ncontent-length: 2\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn attack_7_slow_servers_end_at_the_deadline() {
    let silent = Raw::start(|stream, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let headers = Raw::start(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(b"x-a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let drip = Raw::start(|mut stream, _| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for server in [silent, headers, drip] {
        let url = server.url();
        let given = Given {
            deadline: Duration::from_millis(400),
            ..Given::at(&url)
        };
        let begun = Instant::now();
        assert_eq!(
            given.outbound().fetch(get("/")).await,
            Err(NetFault::Timeout)
        );
        assert!(begun.elapsed() >= Duration::from_millis(390));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        // The guest's own, shorter wish counts too.
        let asked = Asked {
            timeout_ms: Some(100),
            ..get("/")
        };
        let begun = Instant::now();
        assert_eq!(
            Given::at(&url).outbound().fetch(asked).await,
            Err(NetFault::Timeout)
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn attack_7_a_stalled_handshake_ends_at_the_deadline() {
    let stalled = Raw::start(|stream, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let url = format!("https://{}", stalled.address);
    let given = Given {
        deadline: Duration::from_millis(300),
        ..Given::at(&url)
    };
    assert_eq!(
        given.outbound().fetch(get("/")).await,
        Err(NetFault::Timeout)
    );
}

#[tokio::test]
async fn attack_7_endless_bodies_are_cut_and_endless_headers_refused() {
    let endless = Raw::start(|mut stream, _| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let url = endless.url();
    let answered = Given::at(&url).outbound().fetch(get("/")).await.unwrap();
    assert!(answered.truncated);
    assert!(answered.body.len() <= MAX_BODY_BYTES);
    assert!(answered.body.len() > MAX_BODY_BYTES - 1024);
    let long = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "b".repeat(40 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(200));
    for answer in [long, many] {
        let server = Raw::says(answer).await;
        let url = server.url();
        let outcome = Given::at(&url).outbound().fetch(get("/")).await;
        assert_eq!(outcome, Err(NetFault::TooLarge(32 << 10)));
    }
}

#[tokio::test]
async fn nonsense_is_a_protocol_fault_without_the_peers_words() {
    for answer in [
        "hello",
        "HTTP/1.1 abc\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx",
    ] {
        let server = Raw::says(answer).await;
        let url = server.url();
        match Given::at(&url).outbound().fetch(get("/")).await {
            Err(NetFault::Protocol(_)) => {}
            other => panic!("{answer}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn too_large_a_body_is_not_sent() {
    let server = Raw::says("").await;
    let url = server.url();
    let asked = Asked {
        method: "POST".to_owned(),
        body: vec![0; MAX_BODY_BYTES + 1],
        ..get("/")
    };
    let outcome = Given::at(&url).outbound().fetch(asked).await;
    assert_eq!(outcome, Err(NetFault::TooLarge(MAX_BODY_BYTES as u64)));
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn attack_9_and_12_no_granted_name_leads_to_a_forbidden_address() {
    let server = Raw::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let address = |text: &str| SocketAddr::new(text.parse().unwrap(), server.address.port());
    for forbidden in [
        "169.254.169.254",
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "10.0.0.1",
        "::1",
        "fe80::1",
    ] {
        let alone: &[SocketAddr] = &[address(forbidden)];
        let among: &[SocketAddr] = &[address("192.0.2.1"), address(forbidden)];
        for answer in [alone, among] {
            let given = Given {
                resolver: Names::new(&[answer]),
                reach: Reach::default(),
                ..Given::at("http://granted.example")
            };
            match given.outbound().fetch(get("/")).await {
                Err(NetFault::NotGranted(_)) => {}
                other => panic!("{forbidden}: {other:?}"),
            }
        }
    }
    assert_eq!(server.seen(), 0);
}

#[tokio::test]
async fn attack_10_a_name_server_is_asked_once_per_request() {
    let server = Raw::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    // The second answer would be this machine's metadata; within one request nobody asks for it.
    let forbidden = SocketAddr::new("169.254.169.254".parse().unwrap(), 80);
    let names = Names::new(&[&[server.address], &[forbidden]]);
    let given = Given {
        resolver: names,
        ..Given::at("http://rebind.example")
    };
    let outbound = given.outbound();
    assert_eq!(outbound.fetch(get("/")).await.unwrap().status, 200);
    assert!(matches!(
        outbound.fetch(get("/")).await,
        Err(NetFault::NotGranted(_))
    ));
    assert_eq!(server.seen(), 1);
}

#[tokio::test]
async fn an_unknown_target_an_unknown_name_and_a_closed_port_differ() {
    let outbound = Given::at("http://nowhere.example").outbound();
    assert!(matches!(
        outbound.fetch(get("/")).await,
        Err(NetFault::Resolve(_))
    ));
    let asked = Asked {
        target: "candidate".to_owned(),
        ..get("/")
    };
    assert!(matches!(
        outbound.fetch(asked).await,
        Err(NetFault::NotGranted(_))
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = Given::at(&url).outbound().fetch(get("/")).await;
    assert!(matches!(outcome, Err(NetFault::Connect(_))), "{outcome:?}");
}

#[tokio::test]
async fn the_quota_counts_attempts_not_refusals() {
    let server = Raw::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let url = server.url();
    let outbound = Given::at(&url).outbound();
    let refused = Asked {
        method: "DELETE".to_owned(),
        ..get("/")
    };
    assert!(outbound.fetch(refused).await.is_err());
    for _ in 0..8 {
        outbound.fetch(get("/")).await.unwrap();
    }
    assert_eq!(outbound.fetch(get("/")).await, Err(NetFault::Quota));
}

#[tokio::test]
async fn attack_13_a_secret_at_the_cut_leaves_no_half() {
    let fill = "x".repeat(MAX_BODY_BYTES - 4);
    let body = format!("{fill}{SECRET}{}", "y".repeat(100));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Raw::says(answer).await;
    let url = server.url();
    let answered = Given::at(&url)
        .outbound()
        .fetch(with_secret(get("/")))
        .await
        .unwrap();
    assert!(answered.truncated);
    let tail = String::from_utf8_lossy(&answered.body[MAX_BODY_BYTES - 64..]);
    assert!(!tail.contains("s3c"), "{tail}");
    assert!(server.requests.lock().unwrap()[0].contains(&format!("Bearer {SECRET}")));
}

#[tokio::test]
async fn an_echo_is_hidden_even_if_this_request_sent_no_secret() {
    let server = Raw::says(format!(
        "HTTP/1.1 200 OK\r\nlocation: /{SECRET}\r\n\r\n{SECRET}"
    ))
    .await;
    let url = server.url();
    let answered = Given::at(&url).outbound().fetch(get("/")).await.unwrap();
    assert_eq!(answered.body, b"[redacted:token]");
    assert_eq!(
        answered.headers,
        [("location".to_owned(), "/[redacted:token]".to_owned())]
    );
}

/// A TLS server for `secure.example` and its certificate.
async fn secure() -> (Raw, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["secure.example".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(super::super::connect::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = requests.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = vec![0; 16 << 10];
            let Ok(read) = stream.read(&mut buffer).await else {
                continue;
            };
            if read == 0 {
                continue;
            }
            log.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    (
        Raw {
            address,
            requests,
            _tasks: tasks,
        },
        certificate,
    )
}

#[tokio::test]
async fn secrets_travel_on_verified_tls_only() {
    let (server, certificate) = secure().await;
    let given = |roots: Vec<CertificateDer<'static>>, url: &'static str| Given {
        resolver: Names::new(&[&[server.address]]),
        plaintext: false,
        roots,
        ..Given::at(url)
    };
    let trusted = given(vec![certificate.clone()], "https://secure.example");
    assert_eq!(
        trusted
            .outbound()
            .fetch(with_secret(get("/")))
            .await
            .unwrap()
            .status,
        204
    );
    assert!(server.requests.lock().unwrap()[0].contains(SECRET));
    for (roots, url) in [
        (vec![], "https://secure.example"),
        (vec![certificate], "https://other.example"),
    ] {
        let outcome = given(roots, url)
            .outbound()
            .fetch(with_secret(get("/")))
            .await;
        assert!(matches!(outcome, Err(NetFault::Tls(_))), "{outcome:?}");
    }
    let outcome = given(vec![], "http://secure.example")
        .outbound()
        .fetch(with_secret(get("/")))
        .await;
    assert!(
        matches!(outcome, Err(NetFault::NotGranted(_))),
        "{outcome:?}"
    );
    assert_eq!(server.seen(), 1);
}

#[tokio::test]
async fn inspecting_reports_an_unverified_chain_as_data_and_sends_nothing() {
    let (server, certificate) = secure().await;
    for (roots, verified) in [(vec![certificate], true), (vec![], false)] {
        let given = Given {
            resolver: Names::new(&[&[server.address]]),
            roots,
            ..Given::at("https://secure.example")
        };
        let chain = given.outbound().inspect("t", None).await.unwrap();
        assert_eq!(chain.verified.is_ok(), verified, "{chain:?}");
        assert_eq!(chain.certificates.len(), 1);
        let shown = &chain.certificates[0];
        assert_eq!(shown.subject, shown.issuer);
        assert!(shown.subject.starts_with("CN="), "{shown:?}");
        // rcgen's certificates end in the year 4096.
        assert!(shown.not_after_unix_ms > 4_000_000_000_000, "{shown:?}");
    }
    assert_eq!(server.seen(), 0);
    let outcome = Given::at("http://plain.example")
        .outbound()
        .inspect("t", None)
        .await;
    assert!(matches!(outcome, Err(NetFault::Tls(_))));
}
