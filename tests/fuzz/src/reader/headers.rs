//! Headers that a guest wants to send.

use std::time::Duration;

use sluice_plugins::proving;

use super::{Bytes, Target};
use crate::reference::headers::sent;

const PIECES: [&str; 30] = [
    "Host",
    "host",
    "content-length",
    "Content-Length",
    "Transfer-Encoding",
    "TE",
    "connection",
    "upgrade",
    "via",
    "trailer",
    "expect",
    "keep-alive",
    "x-a",
    "Authorization",
    "accept",
    ":",
    "\r\n",
    "\n",
    "\0",
    " ",
    "\t",
    "chunked",
    "${secret:token}",
    "Bearer ",
    "ü",
    "\u{7f}",
    "proxy-authorization",
    "http2-settings",
    "proxy-connection",
    ",",
];

pub(super) fn target() -> Target {
    Target {
        name: "headers",
        words: &["\u{1f}", "\u{1e}", "x-a", "Host"],
        limit: Duration::from_secs(1),
        seeds: || {
            // 30 ends a name, 31 a value; what is smaller is a piece.
            [
                &b"x-a\x1eb\x1f\x0d\x1e\x17\x16\x1f"[..],
                b"accept\x1e*/*\x1f",
                b"\x00\x1eevil\x1fx-a\x1eb\x10\x00\x1f",
            ]
            .map(<[u8]>::to_vec)
            .to_vec()
        },
        check: Box::new(check),
    }
}

fn check(input: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes::of(input);
    let mut wanted = Vec::new();
    let (mut name, mut text) = (None, String::new());
    while !bytes.is_over() {
        match bytes.byte() {
            30 => name = Some(std::mem::take(&mut text)),
            31 => wanted.push((name.take().unwrap_or_default(), std::mem::take(&mut text))),
            piece @ 0..=29 => text.push_str(PIECES[usize::from(piece)]),
            other => text.push(char::from(other)),
        }
    }
    let real = proving::headers(&wanted);
    let expected = sent(&wanted);
    let sorted = |mut all: Vec<(String, String)>| {
        all.sort();
        all
    };
    match (real, expected) {
        (Ok(real), Some(expected)) if sorted(real.clone()) == sorted(expected.clone()) => {
            match real.iter().any(|(name, value)| {
                name.contains(['\r', '\n', ':', ' ']) || value.contains(['\r', '\n', '\0'])
            }) {
                true => Err(format!("a line break goes out: {real:?}")),
                false => Ok(()),
            }
        }
        (Err(_), None) => Ok(()),
        (real, expected) => Err(format!(
            "{wanted:?}: {real:?}, and by the rules {expected:?}"
        )),
    }
}
