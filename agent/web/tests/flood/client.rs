//! A client that costs little: blocking sockets, requests as bytes, answers read as far as needed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request, as bytes.
pub(crate) fn request(
    method: &str,
    path: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A connection that stays open, and is opened anew where the server closes it.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            address,
            stream,
            buffer: Vec::with_capacity(64 << 10),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_err() {
            *self = Self::open(self.address);
            self.stream.write_all(bytes).unwrap();
        }
    }

    /// The next answer.
    pub(crate) fn read(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more();
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        let length: usize = answer
            .header("content-length")
            .unwrap_or_else(|| panic!("an answer without a length: {}", answer.head))
            .parse()
            .unwrap();
        while self.buffer.len() < length {
            self.more();
        }
        answer.body = self.buffer.drain(..length).collect();
        answer
    }

    fn more(&mut self) {
        let mut chunk = [0; 16 << 10];
        let n = self.stream.read(&mut chunk).expect("the server answers");
        assert!(
            n > 0,
            "the server closed the connection in the middle of answers"
        );
        self.buffer.extend_from_slice(&chunk[..n]);
    }
}

/// Somebody with a session.
pub(crate) struct Person {
    cookie: String,
    csrf: String,
}

/// Signs in over a connection of its own.
pub(crate) fn sign_in(address: SocketAddr, token: &str) -> Person {
    let (host, mut connection) = (address.to_string(), Connection::open(address));
    let origin = format!("http://{host}");
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
    ];
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .finish();
    connection.write(&request("POST", "/sign-in", &host, &form, &body));
    let answer = connection.read();
    assert_eq!(answer.status, 303, "{}", answer.head);
    let cookie = answer.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    connection.write(&request("GET", "/", &host, &[("cookie", &cookie)], ""));
    let page = String::from_utf8(connection.read().body).unwrap();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap().to_owned();
    Person { cookie, csrf }
}

impl Person {
    /// Votes yes over a new connection, as a browser may have to; answers with the status.
    pub(crate) fn approve(&self, address: SocketAddr, path: &str, hash: &str) -> u16 {
        let (host, mut connection) = (address.to_string(), Connection::open(address));
        let origin = format!("http://{host}");
        let headers = [
            ("content-type", "application/json"),
            ("origin", origin.as_str()),
            ("cookie", self.cookie.as_str()),
            ("x-sluice-csrf", self.csrf.as_str()),
        ];
        let body = format!("{{\"hash\":\"{hash}\"}}");
        connection.write(&request("POST", path, &host, &headers, &body));
        connection.read().status
    }
}
