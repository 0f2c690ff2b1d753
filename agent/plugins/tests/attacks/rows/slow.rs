//! Attack 7: servers that take their time.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{bare, overrun};
use crate::ground::{Ground, Setting};

/// What a call may take here.
const WALL: Duration = Duration::from_millis(300);

/// A server that reads a little, then does as it likes.
pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Raw {
    pub(crate) async fn start<F>(answer: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Raw
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16 << 10];
                let _ = stream.read(&mut request).await;
                open.spawn(answer(stream));
            }
        });
        Raw {
            address,
            _tasks: tasks,
        }
    }
}

async fn silent() -> Raw {
    Raw::start(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await
}

async fn byte_by_byte(head: &'static [u8], piece: &'static [u8], pause: u64) -> Raw {
    Raw::start(move |mut stream| async move {
        let _ = stream.write_all(head).await;
        while stream.write_all(piece).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    })
    .await
}

/// A port whose queue of connections is full: the kernel lets a further one wait.
struct Full {
    address: SocketAddr,
    _held: (TcpListener, Vec<tokio::task::JoinHandle<()>>),
}

async fn full() -> Full {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(tokio::spawn(async move {
            let stream = TcpStream::connect(address).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(stream);
        }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Full {
        address,
        _held: (listener, waiting),
    }
}

pub(crate) async fn servers() -> String {
    let mut ground = bare(json!({ "wall-ms": 300 })).await;
    let endless = byte_by_byte(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n",
        50,
    )
    .await;
    let headers = byte_by_byte(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n", 50).await;
    let drip = byte_by_byte(
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n",
        b"x",
        1000,
    )
    .await;
    let (silent, full) = (silent().await, full().await);
    let stalled_handshake = format!("https://{}", silent.address);
    let mut told = Vec::new();
    for (what, url) in [
        ("slow connect", format!("http://{}", full.address)),
        ("TLS stall", stalled_handshake),
        ("silence", format!("http://{}", silent.address)),
        ("slow headers", format!("http://{}", headers.address)),
        ("1 byte/s", format!("http://{}", drip.address)),
        ("slow chunks", format!("http://{}", endless.address)),
    ] {
        ground.pods = vec![url];
        // The guest may still hear of it and report, or not any more.
        let late = overrun(WALL, Duration::from_millis(50), "late", || async {
            match ground.ending_and_rest("fetch").await {
                ended if ended == "plugin/deadline" => "late".to_owned(),
                ended if ended.contains("Timeout") => "late".to_owned(),
                ended => format!("{what}: {ended}"),
            }
        })
        .await;
        told.push(format!("{what} {late}"));
    }
    told.join(", ")
}

pub(crate) async fn ground() -> Ground {
    let silent = silent().await;
    let mut ground = Ground::new(Setting::limits(json!({ "wall-ms": 200 }))).await;
    ground.pods = vec![format!("http://{}", silent.address)];
    ground.servers.push(Box::new(silent));
    ground
}
