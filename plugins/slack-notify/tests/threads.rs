//! The plugin against a Slack that checks what the real one checks.

mod slack_checker;

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use slack_checker::{SlackChecker, broken, rate_limited, refuse};
use slack_notify::notify;
use sluice_sdk::testing::{Reply, Script};
use sluice_sdk::{Error, Event, NetError, Request, Severity};

/// The plugin writes a placeholder; the host would put the token there.
const TOKEN: &str = "xoxb-1";
const PLACEHOLDER: &str = "${secret:slack-token}";

#[derive(Clone)]
struct Workspace(Rc<RefCell<SlackChecker>>);

impl Workspace {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(SlackChecker::new(TOKEN))))
    }

    fn tell(&self, settings: Value, event: &Event) -> Result<Option<String>, Error> {
        let slack = Rc::clone(&self.0);
        let answer = move |request: &Request| {
            assert_eq!(request.target, "slack");
            assert!(request.path.starts_with("/api/chat."), "{request}");
            let headers: Vec<_> = request
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.replace(PLACEHOLDER, TOKEN)))
                .collect();
            let answer =
                slack
                    .borrow_mut()
                    .handle(&request.method, &request.path, &headers, &request.body);
            answer.headers.iter().fold(
                Reply::status(answer.status).body(answer.body.clone()),
                |reply, (name, value)| reply.header(name, value),
            )
        };
        let result = Script::new()
            .settings(settings)
            .answer_with(answer)
            .notify(notify, event)
            .result;
        assert_eq!(self.0.borrow().violations, Vec::<String>::new());
        result
    }

    fn messages(&self) -> Vec<slack_checker::Message> {
        self.0.borrow().messages.clone()
    }
}

fn deploys() -> Value {
    json!({"channel": "#deploys", "mention": "@here"})
}

fn event(number: u32, severity: Severity, title: &str, thread: Option<String>) -> Event {
    Event {
        id: format!("uid/{number}"),
        kind: "step".into(),
        severity,
        title: title.into(),
        body: "step 10%: 1 of 10 pods\nall checks passed".into(),
        links: vec![(
            "Dashboard".into(),
            "https://sluice.example.com/rollouts/1".into(),
        )],
        thread,
    }
}

#[test]
fn a_rollout_is_one_message_that_is_updated() {
    let slack = Workspace::new();
    let first = slack
        .tell(deploys(), &event(1, Severity::Info, "started", None))
        .unwrap();
    let second = slack
        .tell(
            deploys(),
            &event(2, Severity::Info, "at 10%", first.clone()),
        )
        .unwrap();
    slack
        .tell(deploys(), &event(3, Severity::Info, "succeeded", second))
        .unwrap();
    let [message] = &slack.messages()[..] else {
        panic!("{:#?}", slack.messages())
    };
    assert_eq!(message.text, "succeeded");
    assert_eq!((message.edits, &message.thread_ts), (2, &None));
    assert_eq!(message.metadata["event_payload"]["event_id"], "uid/3");
    assert_eq!(
        message.blocks[0]["text"]["text"],
        ":large_blue_circle: *succeeded*"
    );
    assert_eq!(
        message.blocks[1]["text"]["text"],
        "step 10%: 1 of 10 pods\nall checks passed"
    );
    assert_eq!(
        message.blocks[2]["elements"][0]["text"],
        "<https://sluice.example.com/rollouts/1|Dashboard>"
    );
    assert_eq!(
        message.blocks[3]["elements"][0]["text"],
        "shop/storefront · test · storefront-production-1"
    );
    assert_eq!(first.unwrap(), "C024BE91L 1503435956.000001 uid/1");
}

#[test]
fn what_somebody_has_to_look_at_is_also_a_reply() {
    let slack = Workspace::new();
    let thread = slack
        .tell(deploys(), &event(1, Severity::Info, "started", None))
        .unwrap();
    let thread = slack
        .tell(deploys(), &event(2, Severity::Warning, "held", thread))
        .unwrap();
    slack
        .tell(
            deploys(),
            &event(3, Severity::Critical, "rolled back", thread),
        )
        .unwrap();
    let [parent, held, back] = &slack.messages()[..] else {
        panic!("{:#?}", slack.messages())
    };
    assert_eq!((parent.text.as_str(), parent.edits), ("rolled back", 2));
    for reply in [held, back] {
        assert_eq!(reply.thread_ts.as_ref(), Some(&parent.ts));
    }
    let title =
        |m: &slack_checker::Message| m.blocks[0]["text"]["text"].as_str().unwrap().to_string();
    assert_eq!(
        title(held),
        ":warning: *held*",
        "only what cannot wait calls people"
    );
    assert_eq!(title(back), "<!here> :rotating_light: *rolled back*");
    assert_eq!(
        title(parent),
        ":rotating_light: *rolled back*",
        "an update calls nobody"
    );
}

#[test]
fn without_updates_every_event_is_a_reply() {
    let slack = Workspace::new();
    let settings = || json!({"channel": "C024BE91L", "updateInPlace": false});
    let thread = slack
        .tell(settings(), &event(1, Severity::Info, "started", None))
        .unwrap();
    slack
        .tell(settings(), &event(2, Severity::Info, "at 10%", thread))
        .unwrap();
    let [parent, reply] = &slack.messages()[..] else {
        panic!("{:#?}", slack.messages())
    };
    assert_eq!((parent.text.as_str(), parent.edits), ("started", 0));
    assert_eq!(reply.thread_ts.as_ref(), Some(&parent.ts));
}

#[test]
fn an_event_that_was_told_is_not_told_again() {
    let slack = Workspace::new();
    let thread = slack
        .tell(deploys(), &event(1, Severity::Info, "started", None))
        .unwrap();
    let told = slack
        .tell(deploys(), &event(2, Severity::Critical, "bad", thread))
        .unwrap();
    let before = slack.messages();
    let again = slack
        .tell(
            deploys(),
            &event(2, Severity::Critical, "bad", told.clone()),
        )
        .unwrap();
    assert_eq!(again, told);
    assert_eq!(slack.messages(), before);
}

#[test]
fn a_message_that_somebody_deleted_is_posted_anew() {
    let slack = Workspace::new();
    let thread = slack
        .tell(deploys(), &event(1, Severity::Info, "started", None))
        .unwrap();
    slack.0.borrow_mut().messages.clear();
    let anew = slack
        .tell(deploys(), &event(2, Severity::Info, "at 10%", thread))
        .unwrap()
        .unwrap();
    assert!(anew.ends_with(" uid/2"), "{anew}");
    assert_eq!(slack.messages().len(), 1);
    let odd = Some("from another notifier".to_string());
    slack
        .tell(deploys(), &event(3, Severity::Info, "at 50%", odd))
        .unwrap();
    assert_eq!(
        slack.messages().len(),
        2,
        "a reference that is none begins a thread"
    );
}

#[test]
fn foreign_text_stays_text_and_within_the_limits() {
    let slack = Workspace::new();
    let mut event = event(1, Severity::Info, "<!channel> a & b", None);
    event.title.push_str(&"<".repeat(5_000));
    event.body = "<!here> ".repeat(5_000);
    event.links = (0..50)
        .map(|i| (format!("l{i}|<"), format!("https://x.example.com/{i}")))
        .collect();
    event
        .links
        .push(("bad".into(), "https://x.example.com/|<!here>".into()));
    slack.tell(deploys(), &event).unwrap();
    let message = &slack.messages()[0];
    assert!(
        message.text.starts_with("&lt;!channel&gt; a &amp; b&lt;"),
        "{}",
        message.text
    );
    assert_eq!(
        message.blocks[1]["text"]["type"], "plain_text",
        "Slack parses nothing in it"
    );
    for block in message.blocks.as_array().unwrap() {
        let mrkdwn = block["text"]["type"] == "mrkdwn" || block["type"] == "context";
        assert!(!mrkdwn || !block.to_string().contains("<!"), "{block}");
    }
    assert_eq!(message.blocks[2]["elements"].as_array().unwrap().len(), 9);
}

#[test]
fn an_event_without_body_or_links_is_a_short_message() {
    let slack = Workspace::new();
    let mut event = event(1, Severity::Info, "started", None);
    (event.body, event.links) = (" \n".into(), vec![]);
    slack.tell(deploys(), &event).unwrap();
    assert_eq!(slack.messages()[0].blocks.as_array().unwrap().len(), 2);
}

#[test]
fn refusals_say_what_to_change_and_what_may_be_tried_again() {
    let kind = |error: &Error| match error {
        Error::InvalidConfig(_) => "invalid-config",
        Error::Unavailable(_) => "unavailable",
        Error::RateLimited(_) => "rate-limited",
        Error::Denied(_) => "denied",
        Error::Other(_) => "other",
    };
    let cases = [
        (refuse("channel_not_found"), "invalid-config"),
        (refuse("not_in_channel"), "invalid-config"),
        (refuse("is_archived"), "invalid-config"),
        (refuse("invalid_auth"), "denied"),
        (refuse("token_revoked"), "denied"),
        (refuse("missing_scope"), "denied"),
        (refuse("internal_error"), "unavailable"),
        (refuse("ratelimited"), "rate-limited"),
        (refuse("invalid_blocks"), "other"),
        (refuse("thread_not_found"), "other"),
        (broken(502), "unavailable"),
        (broken(200), "unavailable"),
        (broken(404), "other"),
        (
            slack_checker::Answer {
                status: 200,
                headers: vec![],
                body: "{\"ok\":true}".into(),
            },
            "other",
        ),
    ];
    for (answer, expected) in cases {
        let slack = Workspace::new();
        slack.0.borrow_mut().outage = vec![answer.clone()];
        let error = slack
            .tell(deploys(), &event(1, Severity::Info, "x", None))
            .unwrap_err();
        assert_eq!(kind(&error), expected, "{answer:?}: {error:?}");
        assert!(!format!("{error:?}").contains("html"), "{error:?}");
    }
    let slack = Workspace::new();
    let missing = json!({"channel": "#nowhere"});
    let error = slack
        .tell(missing, &event(1, Severity::Info, "x", None))
        .unwrap_err();
    assert_eq!(kind(&error), "invalid-config");
}

#[test]
fn patience_is_what_slack_asks_for() {
    for (answer, ms) in [
        (rate_limited(7), 7_000),
        (rate_limited(u32::MAX), u32::MAX),
        (refuse("ratelimited"), 30_000),
    ] {
        let slack = Workspace::new();
        slack.0.borrow_mut().outage = vec![answer];
        let told = slack.tell(deploys(), &event(1, Severity::Info, "x", None));
        assert_eq!(told, Err(Error::RateLimited(ms)));
    }
}

#[test]
fn a_reply_that_is_refused_leaves_an_updated_message_and_is_tried_again() {
    let slack = Workspace::new();
    let thread = slack
        .tell(deploys(), &event(1, Severity::Info, "started", None))
        .unwrap();
    let critical = event(2, Severity::Critical, "bad", thread);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let calls = Rc::clone(&seen);
    let refused = Script::new()
        .settings(deploys())
        .answer_with(move |request| {
            calls.borrow_mut().push(request.path.clone());
            if request.path.ends_with("update") {
                Reply::json(
                    200,
                    &json!({"ok": true, "channel": "C024BE91L", "ts": "1.0"}),
                )
            } else {
                Reply::status(503)
            }
        });
    let result = refused.notify(notify, &critical).result;
    assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
    assert_eq!(
        *seen.borrow(),
        ["/api/chat.update", "/api/chat.postMessage"]
    );
    slack.tell(deploys(), &critical).unwrap();
    assert_eq!(slack.messages().len(), 2);
}

#[test]
fn trouble_on_the_way_is_no_verdict_on_the_settings() {
    let tell = |error: NetError| {
        Script::new()
            .settings(deploys())
            .call_on(
                "slack",
                "POST",
                "/api/chat.postMessage",
                Reply::error(error),
            )
            .notify(notify, &event(1, Severity::Info, "x", None))
            .result
            .unwrap_err()
    };
    assert!(matches!(tell(NetError::Timeout), Error::Unavailable(_)));
    assert!(matches!(
        tell(NetError::Connect("refused".into())),
        Error::Unavailable(_)
    ));
    assert!(matches!(
        tell(NetError::NotGranted("target".into())),
        Error::Denied(_)
    ));
    assert!(matches!(tell(NetError::TooLarge(1)), Error::Other(_)));
}

#[test]
fn the_token_is_a_placeholder_in_a_header_and_nowhere_else() {
    let played = Script::new()
        .settings(deploys())
        .answer_with(|_| Reply::json(200, &json!({"ok": true, "channel": "C1", "ts": "1.0"})))
        .notify(notify, &event(1, Severity::Info, "x", None));
    let [request] = played.requests.as_slice() else {
        panic!("one request")
    };
    let bearer = ("authorization".to_string(), format!("Bearer {PLACEHOLDER}"));
    assert_eq!(request.headers[0], bearer);
    assert!(!String::from_utf8_lossy(&request.body).contains("secret"));
}
