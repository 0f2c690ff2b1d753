//! What the registry was asked.

use std::collections::VecDeque;

use http::{Method, StatusCode};

/// The newest so many requests are kept; a test or a demo that makes more looks at the end anyway.
const KEPT: usize = 10_000;

/// What a request brought along to authenticate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// No `Authorization` header.
    None,
    /// Basic: user name and password as sent.
    Basic(String, String),
    /// Bearer: the token as sent.
    Bearer(String),
    /// A header that is neither.
    Other(String),
}

/// One request and its answer's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The path, such as `/v2/shop/storefront/tags/list`.
    pub path: String,
    /// The raw query, empty without one.
    pub query: String,
    /// What it authenticated itself with.
    pub credential: Credential,
    /// The `Accept` header, empty without one.
    pub accept: String,
    /// The status that was answered.
    pub status: StatusCode,
}

/// The newest requests, in the order of their answers, and how many were open at once.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    pub(crate) open: usize,
    pub(crate) most_open: usize,
}

impl Journal {
    pub(crate) fn record(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.most_open = self.open;
    }
}
