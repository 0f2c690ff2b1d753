//! Requests and answers in the order in which they happened, as values that fit into a file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::net::fault::NetFault;

/// Most surprises that are kept: a plugin that is off its script by more than this is not helped
/// by a longer list.
const MAX_SURPRISES: usize = 64;
/// Most exchanges that are recorded. One call makes at most 128 requests.
const MAX_RECORDED: usize = 1024;

/// Which of a guest's doors a request came through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// `sluice:plugin/http` or `wasi:http`: to a test it is the same request.
    #[default]
    Http,
    /// `sluice:plugin/tls`: a handshake without a request.
    Tls,
}

/// A body: text where it is text, otherwise `{ base64 = "…" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

impl Body {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BodyText {
    Text(String),
    Bytes { base64: String },
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => BodyText::Bytes {
                base64: STANDARD.encode(&self.0),
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
        Ok(Body(match BodyText::deserialize(deserializer)? {
            BodyText::Text(text) => text.into_bytes(),
            BodyText::Bytes { base64 } => STANDARD
                .decode(base64)
                .map_err(|_| serde::de::Error::custom("a body's base64 is malformed"))?,
        }))
    }
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exchange {
    /// The door. Left out: HTTP.
    #[serde(default)]
    pub door: Door,
    /// Named target.
    pub target: String,
    /// Method. Empty for a handshake.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// Path and query as they are sent. Empty for a handshake. Played: left out, any path will do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The guest's headers, names in lower case, sorted, secrets unexpanded: `${secret:NAME}`
    /// stays. Played: those that must be there; others are free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The guest's body. Played: left out, any body will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// What the guest sees of the answer.
    pub outcome: SeenOutcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenOutcome {
    /// A response.
    Response(SeenResponse),
    /// A chain of certificates.
    Chain(SeenChain),
    /// Neither, for this reason.
    Fault(NetFault),
}

/// A response as a guest sees it: headers filtered, secrets hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeenResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Body.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
    /// Whether the body was cut at its limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What a server showed in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeenChain {
    /// The server's own certificate first.
    #[serde(default)]
    pub certificates: Vec<SeenCertificate>,
    /// Why the chain does not verify. Left out: it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverified: Option<String>,
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeenCertificate {
    /// For whom.
    pub subject: String,
    /// By whom.
    pub issuer: String,
    /// Until when, in milliseconds since 1970.
    pub not_after_unix_ms: i64,
}

/// A request that the tape did not expect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Surprise {
    /// What came. Its outcome is the fault that the guest was given.
    pub came: Exchange,
    /// What was expected instead; none: the tape was at its end.
    pub expected: Option<Exchange>,
    /// The fields that differ, such as `path` or `headers.accept`.
    pub differs: Vec<String>,
}

#[derive(Debug, Default)]
struct Reels {
    /// Not yet played.
    waiting: VecDeque<Exchange>,
    /// How long each of those takes, as far as it is known.
    delays: VecDeque<Duration>,
    /// What came, and the answer that it got.
    played: Vec<Exchange>,
    recorded: Vec<Exchange>,
    surprises: Vec<Surprise>,
}

/// Exchanges in order. Clones are the same tape.
#[derive(Clone, Debug, Default)]
pub struct Tape(Arc<Mutex<Reels>>);

impl Tape {
    /// A tape to play: these exchanges, in this order.
    pub fn of(exchanges: Vec<Exchange>) -> Tape {
        Tape(Arc::new(Mutex::new(Reels {
            waiting: exchanges.into(),
            ..Reels::default()
        })))
    }

    /// Forgets everything and begins anew with these, each of which takes so long: one host plays many
    /// cases without compiling the plugin again.
    pub fn load(&self, exchanges: Vec<(Exchange, Duration)>) {
        self.reels(|reels| {
            let (waiting, delays): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
            *reels = Reels {
                waiting: waiting.into(),
                delays: delays.into(),
                ..Reels::default()
            };
        });
    }

    /// What came and was expected, as it came, with the answers that it got.
    pub fn played(&self) -> Vec<Exchange> {
        self.reels(|reels| reels.played.clone())
    }

    /// What was recorded so far.
    pub fn recorded(&self) -> Vec<Exchange> {
        self.reels(|reels| reels.recorded.clone())
    }

    /// What was expected and has not come.
    pub fn left(&self) -> Vec<Exchange> {
        self.reels(|reels| reels.waiting.iter().cloned().collect())
    }

    /// What came and was not expected.
    pub fn surprises(&self) -> Vec<Surprise> {
        self.reels(|reels| reels.surprises.clone())
    }

    pub(crate) fn record(&self, exchange: Exchange) {
        self.reels(|reels| {
            if reels.recorded.len() < MAX_RECORDED {
                reels.recorded.push(exchange);
            }
        });
    }

    /// How long the next answer takes.
    pub(crate) fn delay(&self) -> Duration {
        self.reels(|reels| reels.delays.front().copied().unwrap_or_default())
    }

    /// The answer to `came`, if it is the one that comes next. Otherwise the tape stays where it is.
    pub(crate) fn play(&self, mut came: Exchange) -> SeenOutcome {
        self.reels(|reels| {
            let differs = reels.waiting.front().map(|next| differences(next, &came));
            if differs.as_ref().is_some_and(Vec::is_empty)
                && let Some(next) = reels.waiting.pop_front()
            {
                reels.delays.pop_front();
                came.outcome = next.outcome.clone();
                reels.played.push(came);
                return next.outcome;
            }
            let fault = SeenOutcome::Fault(NetFault::Other(match &differs {
                Some(fields) => format!(
                    "the recorded case expects another request here: {} differs",
                    fields.join(", ")
                ),
                None => "the recorded case expects no further request".to_owned(),
            }));
            came.outcome = fault.clone();
            if reels.surprises.len() < MAX_SURPRISES {
                reels.surprises.push(Surprise {
                    came,
                    expected: reels.waiting.front().cloned(),
                    differs: differs.unwrap_or_default(),
                });
            }
            fault
        })
    }

    fn reels<T>(&self, with: impl FnOnce(&mut Reels) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The fields in which a request is not the expected one.
fn differences(expected: &Exchange, came: &Exchange) -> Vec<String> {
    let mut differs = Vec::new();
    let mut field = |name: &str, same: bool| {
        if !same {
            differs.push(name.to_owned());
        }
    };
    field("door", expected.door == came.door);
    field("target", expected.target == came.target);
    field("method", expected.method == came.method);
    field(
        "path",
        expected.path.is_empty() || expected.path == came.path,
    );
    field(
        "body",
        expected
            .body
            .as_ref()
            .is_none_or(|body| *body == came.body.clone().unwrap_or_default()),
    );
    for (name, value) in &expected.headers {
        let name = name.to_ascii_lowercase();
        let there = came.headers.iter().any(|(n, v)| *n == name && v == value);
        field(&format!("headers.{name}"), there);
    }
    differs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Exchange {
        Exchange {
            door: Door::Http,
            target: "api".to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: vec![("accept".to_owned(), "text/plain".to_owned())],
            body: Some(Body::default()),
            outcome: SeenOutcome::Response(SeenResponse {
                status: 200,
                ..SeenResponse::default()
            }),
        }
    }

    #[test]
    fn it_plays_in_order_and_stays_where_a_request_surprises_it() {
        let tape = Tape::of(vec![get("/a"), get("/b")]);
        let fault = tape.play(get("/b"));
        assert_eq!(
            fault,
            SeenOutcome::Fault(NetFault::Other(
                "the recorded case expects another request here: path differs".to_owned()
            ))
        );
        assert_eq!(tape.play(get("/a")), get("/a").outcome);
        assert_eq!(tape.left(), [get("/b")]);
        assert_eq!(tape.play(get("/b")), get("/b").outcome);
        assert!(matches!(tape.play(get("/c")), SeenOutcome::Fault(_)));
        let surprises = tape.surprises();
        assert_eq!(surprises[0].differs, ["path"]);
        assert_eq!(surprises[0].expected, Some(get("/a")));
        assert_eq!((surprises.len(), &surprises[1].expected), (2, &None));
    }

    #[test]
    fn what_came_is_kept_until_the_next_case_is_loaded() {
        let tape = Tape::of(vec![Exchange {
            path: String::new(),
            headers: Vec::new(),
            body: None,
            ..get("")
        }]);
        tape.play(get("/anything"));
        assert_eq!(tape.played(), [get("/anything")]);
        assert_eq!(tape.delay(), Duration::ZERO);
        tape.load(vec![(get("/a"), Duration::from_millis(7))]);
        assert!(tape.played().is_empty());
        assert_eq!(tape.delay(), Duration::from_millis(7));
        tape.play(get("/b"));
        assert_eq!(tape.delay(), Duration::from_millis(7));
        tape.play(get("/a"));
        assert_eq!(tape.delay(), Duration::ZERO);
    }

    #[test]
    fn what_a_case_leaves_out_is_free_and_the_rest_is_not() {
        let case = Exchange {
            headers: vec![("Accept".to_owned(), "text/plain".to_owned())],
            body: None,
            ..get("/")
        };
        let mut came = Exchange {
            body: Some(Body(b"anything".to_vec())),
            ..get("/")
        };
        came.headers.push(("x-more".to_owned(), "1".to_owned()));
        assert_eq!(differences(&case, &came), Vec::<String>::new());
        came.headers[0].1 = "text/html".to_owned();
        came.door = Door::Tls;
        assert_eq!(differences(&case, &came), ["door", "headers.accept"]);
        let case = Exchange {
            body: Some(Body(b"this".to_vec())),
            ..case
        };
        came.body = None;
        assert!(differences(&case, &came).contains(&"body".to_owned()));
    }

    #[test]
    fn a_tape_survives_its_file() {
        let exchanges = vec![
            Exchange {
                body: Some(Body(vec![0xff, 0])),
                outcome: SeenOutcome::Fault(NetFault::Timeout),
                ..get("/")
            },
            Exchange {
                door: Door::Tls,
                method: String::new(),
                path: String::new(),
                headers: Vec::new(),
                body: None,
                outcome: SeenOutcome::Chain(SeenChain {
                    certificates: vec![SeenCertificate {
                        subject: "CN=a".to_owned(),
                        issuer: "CN=b".to_owned(),
                        not_after_unix_ms: 1,
                    }],
                    unverified: Some("expired".to_owned()),
                }),
                ..get("")
            },
            Exchange {
                outcome: SeenOutcome::Fault(NetFault::Connect("refused".to_owned())),
                ..get("/x")
            },
        ];
        let text = serde_json::to_string(&exchanges).unwrap();
        assert_eq!(
            serde_json::from_str::<Vec<Exchange>>(&text).unwrap(),
            exchanges
        );
        // As an author writes it.
        let short: Exchange = toml::from_str(
            "target = \"api\"\nmethod = \"GET\"\npath = \"/\"\n[outcome.response]\nstatus = 204\n",
        )
        .unwrap();
        assert_eq!((short.body, short.headers.len()), (None, 0));
        let fault: Exchange =
            toml::from_str("target = \"api\"\ndoor = \"tls\"\noutcome = { fault = \"timeout\" }")
                .unwrap();
        assert_eq!(fault.outcome, SeenOutcome::Fault(NetFault::Timeout));
    }
}
