//! The plugin under a scripted host.

use serde_json::{Value, json};
use sluice_sdk::testing::{Played, Reply, Script};
use sluice_sdk::{Certificate, Chain, Issue, NetError, Outcome, Report};

use crate::{Settings, run, validate};

/// 2026-11-27.
const NOW: i64 = 1_795_737_600_000;
const DAY: i64 = 24 * 60 * 60 * 1_000;

fn certificate(subject: &str, issuer: &str, days: i64) -> Certificate {
    Certificate {
        subject: subject.into(),
        issuer: issuer.into(),
        not_after_unix_ms: NOW + days * DAY,
    }
}

fn good() -> Chain {
    Chain {
        certificates: vec![
            certificate("CN=shop.example.com", "C=US, O=Example CA, CN=R1", 60),
            certificate(
                "C=US, O=Example CA, CN=R1",
                "C=US, O=Example CA, CN=Root",
                900,
            ),
        ],
        verified: Ok(()),
    }
}

fn play(host: Value, replies: Vec<Reply>) -> Played<Report> {
    let script = Script::new()
        .now_unix_ms(NOW.unsigned_abs())
        .settings(json!({"hosts": [host]}));
    replies
        .into_iter()
        .fold(script, |script, reply| script.inspect("public", reply))
        .smoke_test(run)
}

fn look(host: Value, chain: Chain) -> Played<Report> {
    play(host, vec![Reply::chain(chain)])
}

#[test]
fn a_good_chain_passes_line_by_line() {
    let host = json!({"target": "public", "name": "shop", "minDays": 30, "subject": "shop.example.com", "issuer": ["Other CA", "Example CA"]});
    let played = look(host, good());
    assert_eq!(
        played.report().outcome,
        Outcome::Pass,
        "{:?}",
        played.report()
    );
    assert_eq!(played.report().summary, "4 of 4 checks passed");
    assert_eq!(
        played.line("shop: certificate").message,
        "\"CN=shop.example.com\", issued by \"C=US, O=Example CA, CN=R1\", verifies for the host"
    );
    assert_eq!(
        played.line("shop: days left").message,
        "ends on 2027-01-26, in 59 days"
    );
}

#[test]
fn each_fault_is_told_in_words() {
    let one = |subject: &str, issuer: &str, days, why: &str| Chain {
        certificates: vec![certificate(subject, issuer, days)],
        verified: Err(why.into()),
    };
    let mut lost_intermediate = good();
    lost_intermediate.verified = Err("invalid peer certificate: UnknownIssuer".into());
    let mut old_intermediate = good();
    old_intermediate.certificates[1].not_after_unix_ms = NOW - 2 * DAY;
    old_intermediate.verified = Err("invalid peer certificate: certificate expired: …".into());
    let cases = [
        (
            one(
                "CN=a",
                "CN=b",
                -3,
                "invalid peer certificate: certificate expired: …",
            ),
            "\"CN=a\", issued by \"CN=b\", expired on 2026-11-24, 3 days ago",
        ),
        (
            old_intermediate,
            "has an intermediate, \"C=US, O=Example CA, CN=R1\", that expired on 2026-11-25, 2 days ago",
        ),
        (
            one(
                "CN=a",
                "CN=b",
                9,
                "invalid peer certificate: certificate not valid yet: verification time 1",
            ),
            "is not valid yet, or the agent's clock is wrong: invalid",
        ),
        (
            one(
                "CN=a",
                "CN=b",
                9,
                "invalid peer certificate: certificate not valid for name \"shop.example.com\"; certificate is only valid for DnsName(\"other\")",
            ),
            "is for another name: invalid peer certificate: certificate not valid for name \"shop.example.com\"",
        ),
        (
            one("CN=a", "CN=a", 9, "invalid peer certificate: UnknownIssuer"),
            "is self-signed by \"CN=a\", and nobody vouches for it",
        ),
        (
            lost_intermediate,
            "is signed by an authority that the agent does not trust, \"C=US, O=Example CA, CN=Root\", or the server leaves out an intermediate",
        ),
        (
            one("CN=a", "CN=b", 9, "invalid peer certificate: BadSignature"),
            "is signed with another key than that of the authority that the agent trusts under the name \"CN=b\"",
        ),
        (
            one("", "CN=b", 9, "odd"),
            "a name that is empty, issued by \"CN=b\", does not verify: odd",
        ),
    ];
    for (chain, words) in cases {
        let played = look(json!({"target": "public", "minDays": 0}), chain);
        let line = played.line("public: certificate");
        assert_eq!(line.outcome, Outcome::Fail);
        assert!(line.message.contains(words), "{}", line.message);
    }
}

#[test]
fn too_few_days_fail_even_where_the_chain_verifies() {
    let days = |least| {
        let played = look(json!({"target": "public", "minDays": least}), good());
        played.line("public: days left").clone()
    };
    // A moment has passed since the script began, so that the 60th day is no longer whole.
    assert_eq!(days(59).outcome, Outcome::Pass);
    let line = days(60);
    assert_eq!(line.outcome, Outcome::Fail);
    assert_eq!(
        line.message,
        "expected at least 60 days, but it ends on 2027-01-26, in 59 days"
    );
    let mut chain = good();
    chain.certificates[1].not_after_unix_ms = NOW + DAY + 1;
    let played = look(json!({"target": "public"}), chain);
    assert_eq!(
        played.line("public: days left").message,
        "expected at least 14 days, but it has an intermediate, \"C=US, O=Example CA, CN=R1\", \
         that ends on 2026-11-28, in 1 day"
    );
}

#[test]
fn a_private_authority_can_be_left_unverified_but_not_its_dates() {
    let chain = |days| Chain {
        certificates: vec![certificate("CN=a", "CN=private", days)],
        verified: Err("invalid peer certificate: UnknownIssuer".into()),
    };
    let host = json!({"target": "public", "verify": false, "issuer": "CN=private"});
    let played = look(host.clone(), chain(60));
    assert_eq!(played.report().outcome, Outcome::Pass);
    let told = &played.line("public: certificate").message;
    assert!(
        told.contains("does not trust") && told.ends_with("do not ask for that"),
        "{told}"
    );
    assert_eq!(look(host, chain(-1)).report().outcome, Outcome::Fail);
}

#[test]
fn another_name_than_expected_says_what_came() {
    let host = json!({"target": "public", "subject": ["api", "www"], "issuer": "Other CA"});
    let played = look(host, good());
    assert_eq!(
        played.line("public: subject").message,
        "expected the subject to contain \"api\" or \"www\", came \"CN=shop.example.com\""
    );
    assert_eq!(played.line("public: issuer").outcome, Outcome::Fail);
}

#[test]
fn no_handshake_is_tried_again_and_says_nothing_about_the_candidate() {
    let refused = || Reply::error(NetError::Connect("refused".into()));
    let played = play(
        json!({"target": "public"}),
        vec![refused(), Reply::chain(good())],
    );
    assert_eq!(played.report().outcome, Outcome::Pass);
    assert_eq!(played.slept_ms, 500);
    let played = play(
        json!({"target": "public", "retries": 1}),
        vec![refused(), refused()],
    );
    assert_eq!(played.report().outcome, Outcome::Inconclusive);
    let denied = || Reply::error(NetError::NotGranted("target \"public\"".into()));
    let played = play(json!({"target": "public"}), vec![denied()]);
    assert_eq!(played.report().outcome, Outcome::Inconclusive);
}

#[test]
fn a_certificate_that_cannot_be_read_is_never_a_pass() {
    for verified in [Ok(()), Err("odd".to_owned())] {
        let certificates = vec![];
        let chain = Chain {
            certificates,
            verified,
        };
        let played = look(json!({"target": "public", "verify": false}), chain);
        assert_eq!(played.report().outcome, Outcome::Inconclusive);
    }
}

#[test]
fn plain_http_has_to_lead_to_https() {
    let lead = |permanent: bool, reply: Reply| {
        Script::new()
            .settings(json!({"redirects": [{"target": "plain", "to": "https://shop.example.com/*", "permanent": permanent}]}))
            .answer_with(move |_| reply.clone())
            .smoke_test(run)
            .line("plain: leads to HTTPS")
            .clone()
    };
    let to = |status, place: &str| Reply::status(status).header("location", place);
    let home = "https://shop.example.com/";
    assert_eq!(lead(false, to(302, home)).outcome, Outcome::Pass);
    assert_eq!(lead(true, to(308, home)).outcome, Outcome::Pass);
    assert_eq!(lead(true, to(302, home)).outcome, Outcome::Fail);
    assert_eq!(lead(false, to(200, home)).outcome, Outcome::Fail);
    let elsewhere = lead(false, to(301, "http://shop.example.com/"));
    assert!(
        elsewhere.message.contains("came http://shop.example.com/"),
        "{}",
        elsewhere.message
    );
}

fn issues(settings: &Value) -> Vec<Issue> {
    sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
}

#[test]
fn settings_are_refused_with_their_place() {
    let good = json!({"hosts": [{"target": "public", "minDays": 21, "issuer": ["Let's Encrypt"]}], "redirects": [{"target": "plain"}]});
    assert_eq!(issues(&good), []);
    let cases = [
        (json!({}), "/hosts"),
        (json!({"hosts": [{}]}), "/hosts/0"),
        (json!({"hosts": [{"target": "A"}]}), "/hosts/0/target"),
        (
            json!({"hosts": [{"target": "a", "minDays": 4000}]}),
            "/hosts/0/minDays",
        ),
        (
            json!({"hosts": [{"target": "a", "subject": ""}]}),
            "/hosts/0/subject",
        ),
        (
            json!({"hosts": [{"target": "a", "timeoutMs": 0}]}),
            "/hosts/0/timeoutMs",
        ),
        (
            json!({"hosts": [{"target": "a", "retries": 11}]}),
            "/hosts/0/retries",
        ),
        (
            json!({"hosts": [{"target": "a", "days": 3}]}),
            "/hosts/0/days",
        ),
        (
            json!({"redirects": [{"target": "a", "to": "http://x"}]}),
            "/redirects/0/to",
        ),
        (
            json!({"redirects": [{"target": "a", "path": "x"}]}),
            "/redirects/0/path",
        ),
    ];
    for (settings, place) in cases {
        let found = issues(&settings);
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!(found[0].pointer, place, "{settings}: {found:?}");
    }
    let many: Vec<Value> = (0..17).map(|_| json!({"target": "a"})).collect();
    assert_eq!(issues(&json!({"hosts": many})).len(), 1);
}
