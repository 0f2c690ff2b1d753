//! One thing that a plugin asks of the outside, and what comes back.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::compare::{Difference, differences, shown};

/// A request that is expected, and its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What the plugin must ask.
    pub request: Wanted,
    /// What it gets.
    pub response: Answered,
}

/// What a plugin must ask: a part of it. What is not named is not compared, but for target and method,
/// which have defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wanted {
    /// The name of the target. None: `candidate`.
    #[serde(default)]
    pub target: Option<String>,
    /// None: `GET`.
    #[serde(default)]
    pub method: Option<String>,
    /// Path and query.
    #[serde(default)]
    pub path: Option<String>,
    /// Headers that must be there, by name in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default)]
    pub body: Option<String>,
    /// The body as a JSON document; a part of it.
    #[serde(default)]
    pub json: Option<Value>,
    /// A look at the certificates of this target, instead of a request.
    #[serde(default)]
    pub inspect: Option<String>,
}

/// What comes back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answered {
    /// HTTP status.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default)]
    pub body: Option<String>,
    /// The body as a JSON document.
    #[serde(default)]
    pub json: Option<Value>,
    /// Whether the host cut the body.
    #[serde(default)]
    pub truncated: bool,
    /// How long it takes.
    #[serde(default)]
    pub after_ms: u32,
    /// No answer.
    #[serde(default)]
    pub error: Option<Trouble>,
    /// Certificates.
    #[serde(default)]
    pub chain: Option<Chain>,
}

/// The contract's `net-error`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The grant does not cover it.
    NotGranted(String),
    /// No usable address.
    Resolve(String),
    /// No connection.
    Connect(String),
    /// No TLS.
    Tls(String),
    /// The deadline passed.
    Timeout,
    /// Larger than this.
    TooLarge(u64),
    /// The budget of requests is used up.
    Quota,
    /// No HTTP.
    Protocol(String),
    /// Anything else.
    Other(String),
}

/// The contract's `tls.chain`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chain {
    /// The server's own first.
    pub certificates: Vec<Certificate>,
    /// Why it does not verify. None: it does.
    #[serde(default)]
    pub unverified: Option<String>,
}

/// The contract's `tls.certificate`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// Whose it is.
    #[serde(default)]
    pub subject: String,
    /// Who signed it.
    #[serde(default)]
    pub issuer: String,
    /// End of its time.
    pub not_after_unix_ms: i64,
}

/// A request that a plugin made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The name of the target.
    pub target: String,
    /// Empty for a look at certificates.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names and values; secrets unexpanded.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Made {
    /// `GET /health on candidate`, or `certificates of candidate`.
    #[must_use]
    pub fn line(&self) -> String {
        if self.method.is_empty() {
            format!("certificates of {}", self.target)
        } else {
            format!("{} {} on {}", self.method, self.path, self.target)
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Exchange {
    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let (request, response) = (&self.request, &self.response);
        let plain = Wanted {
            inspect: request.inspect.clone(),
            ..Wanted::default()
        };
        let kinds = [
            response.status.is_some(),
            response.error.is_some(),
            response.chain.is_some(),
        ];
        if request.inspect.is_some() && *request != plain {
            Some("request: a look at certificates has no other fields than inspect")
        } else if request.body.is_some() && request.json.is_some() {
            Some("request: write either body or json")
        } else if response.body.is_some() && response.json.is_some() {
            Some("response: write either body or json")
        } else if kinds.iter().filter(|is| **is).count() != 1 {
            Some("response: write one of status, error and chain")
        } else if response.error.is_none() && request.inspect.is_some() != response.chain.is_some()
        {
            Some("response: certificates answer inspect, and nothing else")
        } else {
            None
        }
    }
}

impl Wanted {
    /// As [`Made::line`].
    #[must_use]
    pub fn line(&self) -> String {
        match &self.inspect {
            Some(target) => format!("certificates of {target}"),
            None => format!(
                "{} {} on {}",
                self.method(),
                self.path.as_deref().unwrap_or("*"),
                self.target()
            ),
        }
    }

    /// The target that is asked.
    #[must_use]
    pub fn target(&self) -> &str {
        let named = self.inspect.as_deref().or(self.target.as_deref());
        named.unwrap_or("candidate")
    }

    /// The method that is asked with.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    /// In what the request that was made differs from the one that was expected. Pointers are into
    /// the case's `request`.
    #[must_use]
    pub fn differences(&self, made: &Made) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut same = |place: &str, expected: &str, came: Option<&str>| {
            if !came.is_some_and(|came| crate::matches_text(expected, came)) {
                let came = came.map_or("nothing".to_owned(), shown);
                found.push(Difference::of(place, shown(expected), came));
            }
        };
        if let Some(target) = &self.inspect {
            if !made.method.is_empty() {
                same("", &self.line(), Some(&made.line()));
            } else {
                same("/inspect", target, Some(&made.target));
            }
            return found;
        }
        if made.method.is_empty() {
            same("", &self.line(), Some(&made.line()));
            return found;
        }
        same("/target", self.target(), Some(&made.target));
        same("/method", self.method(), Some(&made.method));
        if let Some(path) = &self.path {
            same("/path", path, Some(&made.path));
        }
        let text = String::from_utf8_lossy(&made.body);
        if let Some(body) = &self.body {
            same("/body", body, Some(&text));
        }
        for (name, value) in &self.headers {
            let place = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            match made.header(name) {
                Some(came) => same(&place, value, Some(came)),
                None => same(&place, value, None),
            }
        }
        if let Some(json) = &self.json {
            match serde_json::from_slice::<Value>(&made.body) {
                Ok(came) => {
                    found.extend(
                        differences(json, &came)
                            .into_iter()
                            .map(|inner| Difference {
                                pointer: format!("/json{}", inner.pointer),
                                ..inner
                            }),
                    )
                }
                Err(_) => found.push(Difference::of("/json", "a JSON document", shown(&*text))),
            }
        }
        found
    }
}

impl Answered {
    /// The body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        body(self.body.as_deref(), self.json.as_ref())
    }

    /// The headers, with the content type of a JSON document where none is said.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        let typed = headers.iter().any(|(name, _)| name == "content-type");
        if self.json.is_some() && !typed {
            headers.push(("content-type".into(), "application/json".into()));
        }
        headers
    }
}

pub(crate) fn body(text: Option<&str>, json: Option<&Value>) -> Vec<u8> {
    match (text, json) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(json)) => json.to_string().into_bytes(),
        (None, None) => Vec::new(),
    }
}
