//! The sample and its client on loopback.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping; clippy.toml excepts the test functions \
              themselves, not what they share"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_sample::load::{self, Counts, Plan};
use sluice_sample::{Behaviour, Error, Place, Result, Rule, Sample, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// A running sample; dropped without a word it is cut off.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinSet<Result<()>>,
}

impl Running {
    async fn start(behaviour: Behaviour, place: Place) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(serve(
            listener,
            Sample::new("v1.0.0", behaviour, place),
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            address,
            stop: Some(stop),
            task,
        }
    }

    fn terminate(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn ended(&mut self) -> Result<()> {
        self.task.join_next().await.unwrap().unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        exchange(self.address, "GET", path).await
    }

    async fn status_of(&self, path: &str) -> u16 {
        self.get(path).await.0
    }

    /// `status` in the answer of `/health`.
    async fn health(&self) -> Value {
        let (_, text) = self.get("/health").await;
        let body = text.split("\r\n\r\n").nth(1).unwrap();
        serde_json::from_str::<Value>(body).unwrap()["status"].clone()
    }
}

async fn exchange(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

fn quick() -> Behaviour {
    Behaviour {
        startup: Duration::ZERO,
        drain: Duration::from_millis(300),
        ..Behaviour::good()
    }
}

#[tokio::test]
async fn it_says_its_version_and_pod() {
    let place = Place {
        pod: "storefront-1".to_owned(),
        ..Place::default()
    };
    let sample = Running::start(quick(), place).await;
    let (status, text) = sample.get("/").await;
    assert_eq!(status, 200);
    assert!(text.contains("x-version: v1.0.0"), "{text}");
    assert!(text.contains("\"pod\":\"storefront-1\""), "{text}");
    assert_eq!(sample.health().await, "ok");
    assert_eq!(sample.status_of("/ready").await, 200);
    assert_eq!(sample.status_of("/no-such-path").await, 404);
}

#[tokio::test]
async fn it_serves_nothing_before_it_has_started() {
    let slow = Behaviour {
        startup: Duration::from_millis(300),
        ..quick()
    };
    let sample = Running::start(slow, Place::default()).await;
    assert_eq!(sample.status_of("/ready").await, 503);
    assert_eq!(sample.status_of("/").await, 503);
    sleep(Duration::from_millis(350)).await;
    assert_eq!(sample.status_of("/ready").await, 200);
    assert_eq!(sample.status_of("/").await, 200);
    let never = Running::start(Behaviour::never_ready(), Place::default()).await;
    assert_eq!(never.status_of("/ready").await, 503);
}

#[tokio::test]
async fn it_is_unwell_under_productions_data_alone() {
    let bad = Behaviour {
        startup: Duration::ZERO,
        ..Behaviour::unhealthy_in_production()
    };
    let place = |namespace: &str, environment: &str| Place {
        namespace: namespace.to_owned(),
        variables: [("ENVIRONMENT".to_owned(), environment.to_owned())].into(),
        ..Place::default()
    };
    for (place, health) in [
        (place("staging", "staging"), "ok"),
        (place("production", ""), "degraded"),
        (place("shop", "production"), "degraded"),
    ] {
        let sample = Running::start(bad.clone(), place).await;
        assert_eq!(sample.health().await, health);
        assert_eq!(sample.status_of("/ready").await, 200);
    }
}

#[tokio::test]
async fn after_sigterm_it_serves_on_and_finishes_what_it_began() {
    let mut behaviour = quick();
    behaviour.rules = vec![Rule {
        path: Some("/slow".to_owned()),
        latency_ms: 600,
        ..Rule::default()
    }];
    let mut sample = Running::start(behaviour, Place::default()).await;
    let slow = exchange(sample.address, "GET", "/slow");
    let meanwhile = async {
        sleep(Duration::from_millis(50)).await;
        let begin = Instant::now();
        sample.terminate();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(sample.status_of("/ready").await, 503);
        assert_eq!(sample.status_of("/").await, 200);
        sample.ended().await.unwrap();
        begin.elapsed()
    };
    let ((status, _), took) = tokio::join!(slow, meanwhile);
    assert_eq!(status, 200);
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(TcpStream::connect(sample.address).await.is_err());
}

#[tokio::test]
async fn a_crash_loop_ends_by_itself() {
    let behaviour = Behaviour {
        startup: Duration::from_millis(100),
        ..Behaviour::crash_loop()
    };
    let mut sample = Running::start(behaviour, Place::default()).await;
    assert!(matches!(sample.ended().await, Err(Error::Crashed)));
}

#[tokio::test]
async fn it_crashes_after_it_was_ready_for_a_while() {
    let behaviour = Behaviour {
        startup: Duration::from_millis(100),
        ..Behaviour::crashes_after(Duration::from_millis(400))
    };
    let begin = Instant::now();
    let mut sample = Running::start(behaviour, Place::default()).await;
    sleep(Duration::from_millis(250)).await;
    assert_eq!(sample.status_of("/ready").await, 200);
    assert!(matches!(sample.ended().await, Err(Error::Crashed)));
    assert!(begin.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn every_fifth_answer_is_an_error_and_prometheus_is_told() {
    let mut behaviour = quick();
    behaviour.rules = Behaviour::errors(20.0).rules;
    let sample = Running::start(behaviour, Place::default()).await;
    let mut failed = 0;
    for _ in 0..50 {
        failed += u32::from(sample.status_of("/shop").await == 500);
        assert_eq!(sample.status_of("/health").await, 200);
    }
    assert_eq!(failed, 10);
    let (status, text) = sample.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "content-type: application/openmetrics-text",
        "http_requests_total{version=\"v1.0.0\",code=\"500\"} 10\n",
        "http_requests_total{version=\"v1.0.0\",code=\"200\"} 40\n",
        "http_request_duration_seconds_count{version=\"v1.0.0\"} 50\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn slow_answers_are_right_and_late() {
    let mut behaviour = quick();
    behaviour.rules = Behaviour::slow_answers(Duration::from_millis(300)).rules;
    let sample = Running::start(behaviour, Place::default()).await;
    let begin = Instant::now();
    let (status, text) = sample.get("/shop").await;
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(
        status == 200 && text.contains("\"version\":\"v1.0.0\""),
        "{text}"
    );
    let begin = Instant::now();
    assert_eq!(sample.status_of("/ready").await, 200);
    assert!(begin.elapsed() < Duration::from_millis(300));
}

#[tokio::test]
async fn the_client_counts_every_request_by_version_and_mark() {
    let sample = Running::start(quick(), Place::default()).await;
    let url = format!("http://{}/", sample.address);
    let plan = Plan::new(&url, 300, 1, Duration::from_secs(5))
        .await
        .unwrap();
    let counts = Arc::new(Counts::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = listener.local_addr().unwrap();
    let mut control = JoinSet::new();
    control.spawn(load::control(listener, counts.clone()));

    let mut lines = Vec::new();
    let marks = async {
        sleep(Duration::from_millis(400)).await;
        assert_eq!(exchange(door, "POST", "/mark?name=step1").await.0, 200);
        assert_eq!(exchange(door, "POST", "/mark").await.0, 400);
        assert_eq!(exchange(door, "POST", "/elsewhere").await.0, 404);
    };
    let asks = load::run(&plan, &counts, std::future::pending(), |line| {
        lines.push(line.clone());
    });
    tokio::join!(asks, marks);

    let total = &lines.last().unwrap()["total"];
    let answered = total["ok"].as_u64().unwrap();
    assert_eq!(total["failed"], 0, "{total}");
    assert_eq!(answered + total["skipped"].as_u64().unwrap(), 300);
    assert_eq!(total["by_version"], json!({"v1.0.0": answered}));
    let marks = total["marks"].as_array().unwrap();
    assert_eq!(marks[1]["name"], "step1");
    assert!(marks.iter().all(|mark| mark["ok"].as_u64().unwrap() > 0));
    let of_seconds: u64 = lines.iter().filter_map(|line| line["ok"].as_u64()).sum();
    assert_eq!(of_seconds, answered);
    let (status, text) = exchange(door, "GET", "/totals").await;
    assert!(status == 200 && text.contains("step1"), "{text}");
}

#[tokio::test]
async fn the_client_says_what_failed_and_stops_when_told() {
    let mut behaviour = quick();
    behaviour.rules = Behaviour::failing().rules;
    let sample = Running::start(behaviour, Place::default()).await;
    for (url, kind) in [
        (format!("http://{}/", sample.address), "status_500"),
        // Port 1 of loopback: nothing listens there.
        ("http://127.0.0.1:1/".to_owned(), "refused"),
    ] {
        let plan = Plan::new(&url, 100, 600, Duration::from_secs(5))
            .await
            .unwrap();
        let counts = Arc::new(Counts::default());
        let begin = Instant::now();
        load::run(&plan, &counts, sleep(Duration::from_millis(300)), |_| ()).await;
        assert!(begin.elapsed() < Duration::from_secs(5));
        let totals = counts.totals();
        assert!(totals["failed"].as_u64().unwrap() > 5, "{totals}");
        assert_eq!(totals["failed"], totals["errors"][kind], "{totals}");
        assert_eq!(totals["failures"].as_array().unwrap().len().min(5), 5);
    }
}

/// A few hundred connections a second are its daily work; more is not asked of a busy machine.
#[tokio::test]
async fn a_burst_of_connections_is_served() {
    let sample = Running::start(quick(), Place::default()).await;
    let mut asked = JoinSet::new();
    for _ in 0..300 {
        let address = sample.address;
        asked.spawn(async move { exchange(address, "GET", "/").await.0 });
    }
    let answers = asked.join_all().await;
    assert!(answers.iter().all(|status| *status == 200));
}
