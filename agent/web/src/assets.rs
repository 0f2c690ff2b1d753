//! The style sheet, the script and the icon, built in.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

use sluice_core::hash::sha256_hex;

/// A file that the page needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    /// Style sheet.
    Style,
    /// Script.
    Script,
    /// Icon.
    Icon,
}

const STYLE: &str = include_str!("../assets/app.css");
const SCRIPT: &str = include_str!("../assets/app.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// Part of the addresses, so that a browser never mixes the files of two releases.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = sha256_hex([STYLE, SCRIPT, ICON].concat().as_bytes());
    all.chars().take(12).collect()
});

impl Asset {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Style => "text/css",
            Self::Script => "text/javascript",
            Self::Icon => "image/svg+xml",
        }
    }

    pub(crate) fn response(self) -> Response {
        let (media_type, text) = match self {
            Self::Style => ("text/css; charset=utf-8", STYLE),
            Self::Script => ("text/javascript; charset=utf-8", SCRIPT),
            Self::Icon => ("image/svg+xml", ICON),
        };
        let mut response = text.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=86400"),
        );
        response
    }
}
