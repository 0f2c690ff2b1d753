//! Which requests a target admits, against the rules written a second time.

use std::time::Duration;

use sluice_plugins::proving;

use super::{Bytes, Target};
use crate::reference::paths::{Asked, admitted};

const PATTERNS: [&[&str]; 9] = [
    &["/api/*"],
    &["/health"],
    &["/*"],
    &["/"],
    &["/api/*", "/health"],
    &["/api/chat.postMessage"],
    &["/a/b/*", "/a/c"],
    &["/a/"],
    &[],
];
const METHODS: [&str; 10] = [
    "GET", "POST", "DELETE", "get", "CONNECT", "TRACE", "", "GET ", "PATCH", "HEAD",
];
const GRANTED: [&[&str]; 4] = [
    &["GET"],
    &["GET", "POST"],
    &[],
    &["DELETE", "HEAD", "PATCH"],
];
/// What paths are made of, beside single characters.
const PIECES: [&str; 40] = [
    "/",
    "//",
    ".",
    "..",
    "/..",
    "/.",
    "%2e",
    "%2E",
    "%2f",
    "%2F",
    "%5c",
    "%00",
    "%25",
    "%252e",
    "%",
    "?",
    "#",
    ";",
    ":",
    "@",
    "\\",
    " ",
    "\t",
    "\r\n",
    "api",
    "health",
    "chat.postMessage",
    "a",
    "b",
    "c",
    "ü",
    "\u{202e}",
    "{",
    "}",
    "\"",
    "'",
    "<",
    "^",
    "|",
    "~",
];

pub(super) fn target() -> Target {
    Target {
        name: "paths",
        words: &["/api/", "/health", "%2e", "..", "/"],
        limit: Duration::from_secs(1),
        seeds: || {
            // Patterns, patterns, methods, method, then pieces (below 64) and characters.
            [
                &b"\0\0\x01\0\0\x18\0\x1a"[..],
                b"\x01\x01\0\0/health",
                b"\x02\x02\0\0/items/a%2Fb?full=1",
                b"\x04\x00\x01\x01/api/x/../y",
                b"\x06\x06\x03\x08/a/b/c/../../c",
            ]
            .map(<[u8]>::to_vec)
            .to_vec()
        },
        check: Box::new(check),
    }
}

fn check(input: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes::of(input);
    let (asked, granted) = (bytes.pick(&PATTERNS), bytes.pick(&PATTERNS));
    let (methods, method) = (bytes.pick(&GRANTED), bytes.pick(&METHODS));
    let mut path = String::new();
    while !bytes.is_over() {
        match bytes.byte() {
            piece @ 0..=39 => path.push_str(PIECES[usize::from(piece)]),
            other => path.push(char::from(other)),
        }
    }
    let question = Asked {
        asked,
        granted,
        methods,
        method,
        path: &path,
    };
    let real = proving::admitted(asked, granted, methods, method, &path);
    let expected = admitted(&question);
    match (&real, &expected) {
        (Ok(sent), Some(expected)) if sent == expected => Ok(()),
        (Err(_), None) => Ok(()),
        _ => Err(format!(
            "{question:?}: {real:?}, and by the rules {expected:?}"
        )),
    }
}
