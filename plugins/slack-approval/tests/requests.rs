//! The plugin against a Slack that checks what the real one checks.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests say what they expect by unwrapping, as tests do"
)]

#[path = "../../slack-notify/tests/slack_checker.rs"]
mod slack_checker;

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use slack_approval::{ask, on_callback, poll, withdraw};
use slack_checker::{Message, SlackChecker, rate_limited, refuse};
use sluice_sdk::testing::{Reply, Script};
use sluice_sdk::{Error, Request, Status};

/// The plugin writes a placeholder; the host would put the token there.
const TOKEN: &str = "xoxb-1";
const PLACEHOLDER: &str = "${secret:slack-token}";
/// The approval hash of the scripted release.
const SUBJECT: &str = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

#[derive(Clone)]
struct Workspace(Rc<RefCell<SlackChecker>>);

impl Workspace {
    fn new() -> Self {
        let mut slack = SlackChecker::new(TOKEN);
        slack.users = vec![
            json!({"id": "U024BE7LH", "name": "alice", "deleted": false, "is_bot": false}),
            json!({"id": "U0GUEST01", "is_restricted": true}),
            json!({"id": "U0GUEST02", "is_ultra_restricted": true}),
            json!({"id": "U0BOT0001", "is_bot": true}),
            json!({"id": "U0LEFT001", "deleted": true}),
            json!({"id": "U0OTHER01", "is_stranger": true}),
        ];
        Self(Rc::new(RefCell::new(slack)))
    }

    /// A call with these facts.
    fn script(&self, settings: Value, facts: Option<&Value>) -> Script {
        let slack = Rc::clone(&self.0);
        let answer = move |request: &Request| {
            assert_eq!(request.target, "slack");
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
        let script = Script::new().settings(settings).answer_with(answer);
        match facts {
            Some(facts) => script.attribute("approval-request", &facts.to_string()),
            None => script,
        }
    }

    fn ask(&self, facts: &Value) -> Result<String, Error> {
        let result = self.script(channel(), Some(facts)).approval(ask).result;
        self.fits();
        result.map(ticket)
    }

    fn poll(&self, facts: Option<&Value>, at: &str) -> Result<String, Error> {
        let played = self.script(channel(), facts);
        let result = played
            .approval(|client, settings| poll(client, settings, at))
            .result;
        self.fits();
        result.map(ticket)
    }

    fn withdraw(&self, facts: Option<&Value>, at: &str) -> Result<(), Error> {
        let played = self.script(channel(), facts);
        let result = played
            .approval(|client, settings| withdraw(client, settings, at))
            .result;
        self.fits();
        result
    }

    fn press(&self, settings: Value, at: &str, body: &[u8]) -> Result<Option<Status>, Error> {
        let played = self.script(settings, None);
        let result = played
            .approval(|client, settings| on_callback(client, settings, at, &[], body))
            .result;
        self.fits();
        result
    }

    fn fits(&self) {
        assert_eq!(self.0.borrow().violations, Vec::<String>::new());
    }

    fn messages(&self) -> Vec<Message> {
        self.0.borrow().messages.clone()
    }

    fn only(&self) -> Message {
        let messages = self.messages();
        assert_eq!(messages.len(), 1, "{messages:#?}");
        messages[0].clone()
    }
}

fn channel() -> Value {
    json!({"channel": "#deploys", "mention": "@here"})
}

fn ticket(status: Status) -> String {
    match status {
        Status::Pending(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn facts() -> Value {
    json!({
        "service": "storefront",
        "environment": "production",
        "namespace": "shop",
        "workload": "storefront",
        "image": {
            "repository": "registry.example.com/shop/storefront",
            "tag": "v1.2.0",
            "digest": "sha256:bbb",
            "revision": "4711abc",
            "sourceLink": "https://git.example.com/shop/storefront/commit/4711abc",
        },
        "replaces": {"tag": "v1.1.0", "digest": "sha256:aaa"},
        "changes": ["image v1.1.0 -> v1.2.0", "env FEATURE changed"],
        "plan": [{"name": "canary", "share": "10 %", "hold": "5m", "checked": true}, {"name": "all", "share": "100 %", "checked": false}],
        "earlier": [{"environment": "staging", "at": "2026-03-01T10:00:00Z"}],
        "checks": ["http-smoke"],
        "requester": "carol",
        "reason": "new checkout",
        "given": [{"role": "devops-lead", "person": "alice"}],
        "missing": ["tech-lead"],
        "opens": "opens with one more vote",
        "expiresAt": "2026-03-02T10:00:00Z",
        "link": "https://sluice.example.com/rollouts/1",
        "state": "open",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut facts = facts();
    facts[name] = value;
    facts
}

/// All that a person can read in a message.
fn shown(message: &Message) -> String {
    fn gather(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("text").and_then(Value::as_str).map(Into::into));
                fields.values().for_each(|value| gather(value, into));
            }
            Value::Array(list) => list.iter().for_each(|value| gather(value, into)),
            _ => {}
        }
    }
    let mut lines = Vec::new();
    gather(&message.blocks, &mut lines);
    lines.join("\n")
}

fn buttons(message: &Message) -> Vec<Value> {
    let blocks = message.blocks.as_array().unwrap();
    let actions = blocks.iter().filter(|block| block["type"] == "actions");
    actions
        .flat_map(|block| block["elements"].as_array().unwrap().clone())
        .collect()
}

fn press(button: &Value, message: &Message, user: &str) -> Value {
    json!({
        "type": "block_actions",
        "user": {"id": user, "name": "mallory", "team_id": "T123"},
        "container": {"type": "message", "channel_id": message.channel, "message_ts": message.ts},
        "channel": {"id": message.channel},
        "actions": [{"action_id": button["action_id"], "value": button["value"], "type": "button"}],
    })
}

#[test]
fn a_request_shows_everything_and_has_two_buttons() {
    let slack = Workspace::new();
    slack.ask(&facts()).unwrap();
    let message = slack.only();
    assert_eq!(message.text, "Approve storefront v1.2.0 to production?");
    assert_eq!(message.metadata["event_payload"]["subject"], SUBJECT);
    let shown = shown(&message);
    for wanted in [
        "<!here>",
        ":raised_hand: *Approve storefront v1.2.0 to production?*",
        "*Target* shop/storefront",
        "*Digest* sha256:bbb",
        "*Replaces* v1.1.0",
        "*Revision* 4711abc",
        "*Source* <https://git.example.com/shop/storefront/commit/4711abc|source>",
        "*Before* staging at 2026-03-01T10:00:00Z",
        "*Checks* http-smoke",
        "*Asked by* carol",
        "*Reason* new checkout",
        "opens with one more vote",
        "*Expires* 2026-03-02T10:00:00Z",
        "Changes\nimage v1.1.0 -> v1.2.0\nenv FEATURE changed",
        "Plan\ncanary: 10 %, then 5m, with checks\nall: 100 %",
        "*Given* devops-lead by alice\n*Missing* tech-lead",
        SUBJECT,
    ] {
        assert!(shown.contains(wanted), "{wanted}\nin\n{shown}");
    }
    let buttons = buttons(&message);
    let actions: Vec<_> = buttons
        .iter()
        .map(|b| b["action_id"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["sluice-approve", "sluice-reject", "sluice-page"]);
    assert_eq!(buttons[0]["value"], SUBJECT);
    assert_eq!(buttons[1]["value"], SUBJECT);
    assert_eq!(buttons[2]["url"], "https://sluice.example.com/rollouts/1");
}

/// Attack 22.
#[test]
fn foreign_text_is_text() {
    let evil = "<!channel> *x* <https://evil.example.com|click> &\r\n*Missing* nobody";
    let slack = Workspace::new();
    let mut facts = facts();
    for name in [
        "service",
        "environment",
        "namespace",
        "workload",
        "requester",
        "reason",
        "opens",
        "expiresAt",
        "emergency",
    ] {
        facts[name] = json!(evil);
    }
    facts["image"] = json!({"tag": evil, "repository": evil, "sourceLink": "javascript:alert(1)"});
    facts["given"] = json!([{"role": evil, "person": evil}]);
    facts["missing"] = json!([evil]);
    facts["earlier"] = json!([{"environment": evil, "at": evil}]);
    facts["checks"] = json!([evil]);
    facts["rejected"] = json!({"person": evil, "role": evil, "reason": evil});
    facts["plan"] = json!([{"name": evil, "share": evil}]);
    facts["changes"] = json!([evil]);
    facts["link"] = json!("https://sluice.example.com/|<!channel>");
    for state in ["open", "superseded", "closed"] {
        facts["state"] = json!(state);
        slack.ask(&facts).unwrap();
    }
    for message in slack.messages() {
        for block in message.blocks.as_array().unwrap() {
            let text = block.to_string();
            let plain = block["text"]["type"] == "plain_text";
            assert!(plain || !text.contains("<!channel>"), "{text}");
            assert!(plain || !text.contains("<https://evil"), "{text}");
            assert!(
                plain || !text.contains("\\n*Missing* nobody"),
                "a forged line: {text}"
            );
        }
        assert!(!message.text.contains("<!channel>"), "{}", message.text);
        assert!(!message.blocks.to_string().contains("javascript:"));
        assert!(
            buttons(&message)
                .iter()
                .all(|button| button["action_id"] != "sluice-page")
        );
    }
}

#[test]
fn texts_are_cut_to_what_slack_takes() {
    let slack = Workspace::new();
    let long = "<&>é".repeat(5_000);
    let mut facts = facts();
    for name in [
        "service",
        "environment",
        "requester",
        "reason",
        "opens",
        "emergency",
    ] {
        facts[name] = json!(long);
    }
    facts["changes"] = json!(vec![long.clone(); 50]);
    facts["given"] = json!(vec![json!({"role": long, "person": long}); 500]);
    facts["link"] = json!(format!("https://sluice.example.com/{}", "x".repeat(4_000)));
    slack.ask(&facts).unwrap();
    slack.ask(&json!({})).unwrap();
    slack
        .ask(&json!({"image": 7, "given": {}, "changes": [1, null]}))
        .unwrap();
    assert_eq!(slack.messages().len(), 3);
    let bare = &slack.messages()[1];
    assert_eq!(bare.text, "Approve shop/storefront?");
    assert_eq!(buttons(bare).len(), 2);
}

#[test]
fn the_message_follows_the_request_and_is_left_alone_otherwise() {
    let slack = Workspace::new();
    let first = slack.ask(&facts()).unwrap();
    assert_eq!(slack.poll(Some(&facts()), &first).unwrap(), first);
    assert_eq!(
        slack.poll(None, &first).unwrap(),
        first,
        "nothing known is no news"
    );
    assert_eq!(slack.only().edits, 0);
    let more = with("missing", json!([]));
    let second = slack.poll(Some(&more), &first).unwrap();
    assert_ne!(second, first);
    assert_eq!(slack.only().edits, 1);
    assert!(!shown(&slack.only()).contains("*Missing*"));
    assert_eq!(slack.poll(Some(&more), &second).unwrap(), second);
    assert_eq!(slack.only().edits, 1);
}

#[test]
fn a_message_that_somebody_deleted_is_posted_anew() {
    let slack = Workspace::new();
    let ticket = slack.ask(&facts()).unwrap();
    slack.0.borrow_mut().messages.clear();
    let anew = slack
        .poll(Some(&with("missing", json!([]))), &ticket)
        .unwrap();
    assert_eq!(buttons(&slack.only()).len(), 3);
    slack.0.borrow_mut().messages.clear();
    slack.withdraw(Some(&facts()), &anew).unwrap();
    assert_eq!(slack.messages(), []);
}

#[test]
fn a_withdrawn_request_says_why_and_has_no_buttons() {
    for (state, wanted) in [
        ("superseded", "Superseded: storefront v1.2.0 to production"),
        ("begun", "Begun: storefront v1.2.0 to production"),
        ("closed", "Closed: storefront v1.2.0 to production"),
        ("open", "Closed: storefront v1.2.0 to production"),
    ] {
        let slack = Workspace::new();
        let ticket = slack.ask(&facts()).unwrap();
        let mut last = with("state", json!(state));
        last["opens"] = json!("v1.2.1 is newer");
        last["rejected"] = json!({"person": "erin", "role": "tech-lead", "reason": "not today"});
        slack.withdraw(Some(&last), &ticket).unwrap();
        slack.withdraw(Some(&last), &ticket).unwrap();
        let message = slack.only();
        assert_eq!(message.text, wanted);
        assert_eq!(buttons(&message), Vec::<Value>::new());
        let shown = shown(&message);
        for wanted in [
            "|Open the page>",
            "*Given* devops-lead by alice",
            "*Rejected* erin (tech-lead): not today",
            "v1.2.1 is newer",
        ] {
            assert!(shown.contains(wanted), "{wanted}\nin\n{shown}");
        }
    }
    let slack = Workspace::new();
    let ticket = slack.ask(&facts()).unwrap();
    slack.withdraw(None, &ticket).unwrap();
    assert_eq!(slack.only().text, "Closed: shop/storefront");
}

#[test]
fn buttons_are_there_while_somebody_can_press_them() {
    for (state, wanted) in [
        (
            "open",
            vec!["sluice-approve", "sluice-reject", "sluice-page"],
        ),
        ("approved", vec!["sluice-reject", "sluice-page"]),
        ("waiting", vec![]),
        ("begun", vec![]),
        ("closed", vec![]),
        ("superseded", vec![]),
        ("some-day", vec![]),
    ] {
        let slack = Workspace::new();
        let ticket = slack.ask(&with("state", json!("waiting"))).unwrap();
        slack
            .poll(Some(&with("state", json!(state))), &ticket)
            .unwrap();
        let shown = buttons(&slack.only());
        let actions: Vec<_> = shown
            .iter()
            .map(|b| b["action_id"].as_str().unwrap())
            .collect();
        assert_eq!(actions, wanted, "{state}");
    }
}

#[test]
fn an_emergency_is_loud() {
    let slack = Workspace::new();
    slack
        .ask(&with("emergency", json!({"breakGlass": true})))
        .unwrap();
    assert_eq!(
        slack.only().text,
        "BREAKS THE GLASS: Approve storefront v1.2.0 to production?"
    );
    assert!(shown(&slack.only()).contains(":rotating_light:"));
}

#[test]
fn a_press_says_which_button_and_about_what() {
    let slack = Workspace::new();
    let ticket = slack.ask(&facts()).unwrap();
    let message = slack.only();
    let buttons = buttons(&message);
    for (index, approved, reason) in [
        (0, true, "approved in Slack"),
        (1, false, "rejected in Slack"),
    ] {
        let body = press(&buttons[index], &message, "U024BE7LH").to_string();
        let Some(Status::Decided(decision)) =
            slack.press(channel(), &ticket, body.as_bytes()).unwrap()
        else {
            panic!("no decision")
        };
        assert_eq!(
            (decision.approved, decision.reason.as_str()),
            (approved, reason)
        );
        assert_eq!(decision.approver, "U024BE7LH");
        assert_eq!(decision.subject_digest, SUBJECT);
    }
    let page = press(&buttons[2], &message, "U024BE7LH").to_string();
    assert_eq!(slack.press(channel(), &ticket, page.as_bytes()), Ok(None));
}

#[test]
fn what_is_about_another_message_decides_nothing() {
    let slack = Workspace::new();
    let ticket = slack.ask(&facts()).unwrap();
    let message = slack.only();
    let good = press(&buttons(&message)[0], &message, "U024BE7LH");
    let change = |place: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(place).unwrap() = value;
        body
    };
    let twice = json!([good["actions"][0], good["actions"][0]]);
    for body in [
        change("/container/message_ts", json!("1503435956.000999")),
        change("/container/channel_id", json!("C999")),
        change("/actions/0/action_id", json!("approve")),
        change("/actions/0/value", json!(null)),
        change("/actions", json!([])),
        change("/actions", twice),
        change("/user", json!("U024BE7LH")),
        json!({}),
        json!([[[[]]]]),
    ] {
        let answer = slack.press(channel(), &ticket, body.to_string().as_bytes());
        assert_eq!(answer, Ok(None), "{body}");
    }
    for body in [
        &b""[..],
        b"{",
        &[0x1f, 0x8b, 8, 0],
        "[".repeat(100_000).as_bytes(),
    ] {
        assert_eq!(slack.press(channel(), &ticket, body), Ok(None));
    }
    let odd = slack.press(channel(), "C1 1.0", good.to_string().as_bytes());
    assert!(matches!(odd, Err(Error::Denied(_))), "{odd:?}");
}

/// Attack 9: the callback does not tell a guest from a colleague, so Slack is asked.
#[test]
fn guests_bots_and_strangers_do_not_decide() {
    let slack = Workspace::new();
    let ticket = slack.ask(&facts()).unwrap();
    let message = slack.only();
    let press_of = |user: &str| press(&buttons(&message)[0], &message, user).to_string();
    for user in [
        "U0GUEST01",
        "U0GUEST02",
        "U0BOT0001",
        "U0LEFT001",
        "U0OTHER01",
        "U0NOBODY1",
    ] {
        let answer = slack.press(channel(), &ticket, press_of(user).as_bytes());
        assert!(
            matches!(answer, Err(Error::Denied(_))),
            "{user}: {answer:?}"
        );
    }
    let odd = slack.press(channel(), &ticket, press_of("U1&x=1").as_bytes());
    assert!(odd.is_err(), "{odd:?}");
    let outage = |answer| slack.0.borrow_mut().outage.push(answer);
    outage(refuse("missing_scope"));
    outage(rate_limited(7));
    outage(slack_checker::broken(503));
    for _ in 0..3 {
        assert!(
            slack
                .press(channel(), &ticket, press_of("U024BE7LH").as_bytes())
                .is_err()
        );
    }
    let trusting = json!({"channel": "#deploys", "lookUpUser": false});
    let answer = slack.press(trusting, &ticket, press_of("U0GUEST01").as_bytes());
    assert!(
        matches!(answer, Ok(Some(_))),
        "whoever turns it off asks nobody"
    );
}

#[test]
fn slack_s_refusals_say_what_to_do() {
    let slack = Workspace::new();
    slack
        .0
        .borrow_mut()
        .outage
        .push(refuse("channel_not_found"));
    assert!(matches!(slack.ask(&facts()), Err(Error::InvalidConfig(_))));
    slack.0.borrow_mut().outage.push(rate_limited(7));
    assert_eq!(slack.ask(&facts()), Err(Error::RateLimited(7_000)));
    slack.0.borrow_mut().outage.push(refuse("invalid_auth"));
    assert!(matches!(slack.ask(&facts()), Err(Error::Denied(_))));
    assert_eq!(slack.messages(), []);
}
