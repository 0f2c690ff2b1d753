//! A secret's bytes are nowhere but on the wire to its target: not in the guest's memory, which it
//! scans itself to the last byte, not in logs of plugin or host, reports, faults, cards or tapes.
//!
//! The server gives back what it was sent in every way that an answer has. What it transforms
//! (reversed, in base64) nobody can find: docs/plugin-authors.md says so.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sluice_plugins::{Host, HostOptions, Tape, Wire};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{Folder, invocation, operator_file, smoke, with_lines, with_token};

const SECRET: &str = "xoxb-4711-rarely-seen-words";
/// Every way in which a server can give back what it was sent.
const PATHS: [&str; 13] = [
    "/body",
    "/header",
    "/header-name",
    "/redirect",
    "/reason",
    "/challenge",
    "/pieces",
    "/cut-short",
    "/no-http",
    "/bad-header",
    "/long-header",
    "/trailer",
    "/silence-after",
];

/// What stands at `path` for whoever sent `secret`.
fn answer(path: &str, secret: &str) -> String {
    let ok = "HTTP/1.1 200 OK\r\n";
    match path {
        "/header" => format!(
            "{ok}x-request-id: {secret}\r\nset-cookie: {secret}\r\netag: \"{secret}\"\r\ncontent-length: 0\r\n\r\n"
        ),
        "/header-name" => {
            format!("{ok}x-ratelimit-{secret}: 1\r\nx-{secret}: 1\r\ncontent-length: 0\r\n\r\n")
        }
        "/redirect" => format!(
            "HTTP/1.1 307 Go\r\nlocation: https://evil.example/?{secret}\r\ncontent-length: 0\r\n\r\n"
        ),
        "/reason" => format!("HTTP/1.1 500 {secret}\r\ncontent-length: 0\r\n\r\n"),
        "/challenge" => format!(
            "HTTP/1.1 401 No\r\nwww-authenticate: Bearer realm=\"{secret}\"\r\ncontent-length: 0\r\n\r\n"
        ),
        "/pieces" => {
            let (one, two) = secret.split_at(secret.len() / 2);
            format!(
                "{ok}transfer-encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
                one.len(),
                two.len()
            )
        }
        "/cut-short" => format!("{ok}content-length: 5000\r\n\r\n{secret}"),
        "/no-http" => format!("{secret} {secret}\r\n\r\n"),
        "/bad-header" => format!("{ok}{secret}\u{1}: {secret}\r\n\r\n"),
        "/long-header" => format!("{ok}etag: {}\r\n\r\n", secret.repeat(3000)),
        "/trailer" => format!(
            "{ok}transfer-encoding: chunked\r\ntrailer: etag\r\n\r\n1\r\nx\r\n0\r\netag: {secret}\r\n\r\n"
        ),
        _ => format!(
            "{ok}content-length: {}\r\n\r\nyou sent {secret}",
            secret.len() + 9
        ),
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 64 << 10];
    let Ok(read) = stream.read(&mut buffer).await else {
        return;
    };
    let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
    if !request.contains(SECRET) {
        return;
    }
    seen.fetch_add(1, Ordering::Relaxed);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let _ = stream.write_all(answer(path, SECRET).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Serves both ways; the certificate bears the secret as its name.
struct Echo {
    clear: String,
    encrypted: String,
    certificate: CertificateDer<'static>,
    seen: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

async fn start() -> Echo {
    let seen = Arc::new(AtomicUsize::new(0));
    let mut names = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let mut subject = rcgen::DistinguishedName::new();
    subject.push(rcgen::DnType::CommonName, SECRET);
    subject.push(rcgen::DnType::OrganizationName, format!("of {SECRET}"));
    names.distinguished_name = subject;
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = names.self_signed(&key).unwrap().der().clone();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (clear, encrypted) = (
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let urls = (
        format!("http://{}", clear.local_addr().unwrap()),
        format!("https://{}", encrypted.local_addr().unwrap()),
    );
    let mut tasks = JoinSet::new();
    let told = seen.clone();
    tasks.spawn(async move {
        while let Ok((stream, _)) = clear.accept().await {
            echo(stream, told.clone()).await;
        }
    });
    let told = seen.clone();
    tasks.spawn(async move {
        while let Ok((stream, _)) = encrypted.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                echo(stream, told.clone()).await;
            }
        }
    });
    Echo {
        clear: urls.0,
        encrypted: urls.1,
        certificate,
        seen,
        _tasks: tasks,
    }
}

fn target(url: &str, methods: &[&str]) -> Value {
    json!({
        "url": url, "methods": methods, "paths": ["/*"], "secrets": ["token"],
        "allowLoopback": true, "plaintextSecrets": true,
    })
}

async fn host(echo: &Echo, url: &str, options: HostOptions) -> (Folder, Host) {
    let entry = json!({
        "grants": {
            "http": { "echo": target(url, &["GET"]), "tls": target(&echo.encrypted, &[]) },
            "limits": { "cpu-ms": 10000, "requests": 32 },
        },
        "secrets": { "token": { "secret": "hostile", "key": "token" } },
    });
    let folder = Folder::new().plugin("hostile", "hostile.wasm").file(
        "plugins.yaml",
        operator_file("hostile", "hostile.wasm", entry),
    );
    let options = HostOptions {
        extra_roots: vec![echo.certificate.clone()],
        ..with_token(options, "hostile", SECRET)
    };
    let host = folder.host_with(options).await;
    (folder, host)
}

/// The scan, which knows only a mask of what it looks for.
fn scan(paths: &[&str]) -> Value {
    let masked: String = SECRET
        .bytes()
        .map(|byte| format!("{:02x}", byte ^ 0x5a))
        .collect();
    json!({ "attack": "scan", "masked": masked, "paths": paths.join(","), "inspect": "tls" })
}

/// The calls that a scan of all paths takes: a call may make eight requests.
fn scans() -> impl Iterator<Item = (usize, Value)> {
    PATHS.chunks(7).map(|paths| (paths.len(), scan(paths)))
}

/// Listens to everything that the host itself logs, at every level.
struct Listener;

/// Whether the secret was ever heard.
static HEARD: AtomicBool = AtomicBool::new(false);
static LISTENING: OnceLock<bool> = OnceLock::new();

struct Words;

impl Visit for Words {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        if format!("{value:?}").contains(SECRET) {
            HEARD.store(true, Ordering::Relaxed);
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Words);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Words);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Words);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Guests run on threads of their own, so the listener is that of the whole program.
fn listen() {
    let listening =
        LISTENING.get_or_init(|| tracing::subscriber::set_global_default(Listener).is_ok());
    assert!(*listening, "another test listens to the log");
}

fn not_in(what: &str, words: &str) {
    assert!(!words.contains(SECRET), "{what}: {words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_13_no_byte_of_a_secret_is_anywhere_in_guest_memory() {
    listen();
    let echo = start().await;
    for url in [&echo.clear, &echo.encrypted] {
        let (options, lines) = with_lines();
        let (_folder, host) = host(&echo, url, options).await;
        assert_eq!(host.problems(), []);
        for (requests, settings) in scans() {
            let before = echo.seen.load(Ordering::Relaxed);
            let call = invocation(settings, &["http://127.0.0.1:9".to_owned()]);
            let report = smoke(&host, "hostile", call).await.unwrap();
            let asked = echo.seen.load(Ordering::Relaxed) - before;
            assert_eq!(asked, requests, "the server had it each time");
            assert!(
                report.summary.contains("found 0 times in "),
                "{}",
                report.summary
            );
            let told = format!("{report:?}");
            not_in("report", &told);
            assert!(told.contains("[redacted:token]"), "{told}");
        }
        not_in("lines of the plugin", &format!("{:?}", lines.taken()));
        not_in("cards", &format!("{:?}", host.problems()));
    }
    assert!(!HEARD.load(Ordering::Relaxed), "the host's own log has it");
}

/// Had the host let one byte sequence through, the scan would have seen it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scan_finds_what_is_there() {
    let echo = start().await;
    let (options, _) = with_lines();
    let (_folder, host) = host(&echo, &echo.clear, options).await;
    let mut settings = scan(&["/body"]);
    settings["planted"] = json!("yes");
    let call = invocation(settings, &["http://127.0.0.1:9".to_owned()]);
    let report = smoke(&host, "hostile", call).await.unwrap();
    assert!(
        !report.summary.contains("found 0 times"),
        "{}",
        report.summary
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tape_holds_the_name_of_a_secret_and_not_its_value() {
    let echo = start().await;
    let tape = Tape::default();
    let (options, _) = with_lines();
    let options = HostOptions {
        wire: Wire::Record(tape.clone()),
        ..options
    };
    let (_folder, host) = host(&echo, &echo.clear, options).await;
    for (_, settings) in scans() {
        let call = invocation(settings, &["http://127.0.0.1:9".to_owned()]);
        smoke(&host, "hostile", call).await.unwrap();
    }
    let written = serde_json::to_string(&tape.recorded()).unwrap();
    assert!(written.contains("${secret:token}"), "{written}");
    not_in("tape", &written);
}

/// What a plugin says in an error, a card or settings goes to status and record: the guest never had
/// the bytes, and what it makes of the host's words about a failed request does not bring them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_about_a_request_with_a_secret_do_not_say_it() {
    let echo = start().await;
    let (options, lines) = with_lines();
    let (_folder, host) = host(&echo, &echo.encrypted, options).await;
    for pod in ["http://127.0.0.1:9", "no url"] {
        let call = invocation(scan(&["/no-http", "/reason"]), &[pod.to_owned()]);
        let told = format!("{:?}", smoke(&host, "hostile", call).await);
        not_in("answer", &told);
    }
    not_in("lines", &format!("{:?}", lines.taken()));
}
