use super::*;

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqVvXNvZbNdiQ9qHyxWDBPGpUKhLe
HhW0RFzR3qC5fYGwEkFZc0RbN5r3i0EVSeI1nIaYl4ZH7fQ7Zb2n1QF0Gw==
-----END PUBLIC KEY-----
";
const WORKFLOW: &str =
    "https://git.example.com/shop/storefront/.github/workflows/release.yaml@refs/heads/main";

fn keyless(change: impl FnOnce(&mut Keyless)) -> Signer {
    let mut keyless = Keyless {
        issuer: "https://token.actions.example.com".into(),
        identity: Some(WORKFLOW.into()),
        identity_pattern: None,
    };
    change(&mut keyless);
    Signer::Keyless(keyless)
}

fn pattern(pattern: &str) -> Keyless {
    Keyless {
        issuer: "https://token.actions.example.com".into(),
        identity: None,
        identity_pattern: Some(pattern.into()),
    }
}

fn problems(signer: &Signer) -> Vec<String> {
    signer.check().iter().map(ToString::to_string).collect()
}

#[test]
fn both_kinds_read_from_the_policy_file() {
    let signer: Signer = serde_json::from_value(json!({ "publicKey": KEY })).unwrap();
    assert_eq!(signer, Signer::PublicKey(KEY.into()));
    assert_eq!(problems(&signer), Vec::<String>::new());
    let value =
        json!({"keyless": {"issuer": "https://token.actions.example.com", "identity": WORKFLOW}});
    let signer: Signer = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(signer, keyless(|_| {}));
    assert_eq!(problems(&signer), Vec::<String>::new());
    assert_eq!(serde_json::to_value(&signer).unwrap(), value);
}

/// Attack 4, S3: a field that is not understood may be the one that was meant to restrict.
#[test]
fn an_unknown_field_is_an_error() {
    let issuer = "https://token.actions.example.com";
    for value in [
        json!({}),
        json!({"key": KEY}),
        json!({"publicKey": KEY, "keyless": {"issuer": issuer, "identity": "x"}}),
        json!({"publicKey": KEY, "annotations": {}}),
        json!({"keyless": {"issuer": issuer, "identity": "x", "ref": "refs/heads/main"}}),
        json!({"keyless": {"identity": "x"}}),
        json!({"keyless": {"issuer": issuer, "issuer-regexp": ".*"}}),
    ] {
        assert!(
            serde_json::from_value::<Signer>(value.clone()).is_err(),
            "{value}"
        );
    }
}

#[test]
fn a_definition_changes_with_all_that_is_meant() {
    let all = [
        Signer::PublicKey(KEY.into()),
        Signer::PublicKey(KEY.replace('q', "r")),
        keyless(|_| {}),
        keyless(|k| k.issuer.push('x')),
        keyless(|k| k.identity = Some("x".into())),
        keyless(|k| k.identity_pattern = k.identity.take()),
    ];
    let mut seen: Vec<_> = all.iter().map(Signer::definition).collect();
    assert!(seen.iter().all(|definition| definition.len() == 64));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all.len());
    assert_eq!(
        all[0].definition(),
        Signer::PublicKey(KEY.into()).definition()
    );
}

#[test]
fn a_public_key_is_one_pem_block() {
    let of = |text: &str| problems(&Signer::PublicKey(text.into()));
    assert_eq!(of(KEY.trim()), Vec::<String>::new());
    assert_eq!(of(&KEY.replace('\n', "\r\n")), Vec::<String>::new());
    for (text, why) in [
        (String::new(), "not one PEM block"),
        (KEY.replace("PUBLIC", "EC PRIVATE"), "private key"),
        (KEY.replace("PUBLIC KEY", "CERTIFICATE"), "a certificate"),
        (format!("{KEY}{KEY}"), "not base64"),
        (KEY.replace("MFkw", "MF!w"), "not base64"),
        (KEY.replace("MFkw", "MFk"), "not base64"),
        (KEY.replace("==", "===="), "not base64"),
        (format!("x{KEY}"), "not one PEM block"),
        ("k8s://shop/cosign".to_owned(), "not one PEM block"),
        (format!("{KEY}{}", " ".repeat(PEM_LIMIT)), "longer than"),
    ] {
        let found = of(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert!(
            found[0].starts_with("publicKey: ") && found[0].contains(why),
            "{found:?}"
        );
    }
}

#[test]
fn all_problems_come_at_once() {
    let found = problems(&keyless(|k| {
        k.issuer = "http://token.actions.example.com".into();
        k.identity_pattern = Some("x".into());
    }));
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("keyless.issuer: ") && found[0].contains("not an https"));
    assert!(found[1].starts_with("keyless.identityPattern: ") && found[1].contains("only one"));
    assert!(problems(&keyless(|k| k.identity = None))[0].contains("everybody"));
    for issuer in [
        "",
        "https://",
        "https://*",
        "https://a b",
        "https://a@b",
        "https://a?b",
    ] {
        let found = problems(&keyless(|k| k.issuer = issuer.into()));
        assert_eq!(found.len(), 1, "{issuer}");
    }
    assert_eq!(
        problems(&keyless(|k| k.identity = Some("a b".into()))).len(),
        1
    );
    assert_eq!(
        problems(&keyless(|k| k.identity = Some(String::new()))).len(),
        1
    );
}

#[test]
fn an_exact_identity_is_exact() {
    let Signer::Keyless(keyless) = keyless(|_| {}) else {
        unreachable!()
    };
    let subject = keyless.subject().unwrap();
    assert!(subject.matches(WORKFLOW));
    assert!(!subject.matches(&format!("{WORKFLOW}-evil")));
    assert!(!subject.matches(&WORKFLOW.to_uppercase()));
}

/// Attack 4: a subject that only begins as the right one does not fit, however the pattern is
/// written.
#[test]
fn a_pattern_is_for_the_whole_subject() {
    for text in [
        r"^https://git\.example\.com/shop/[a-z]+/\.github/workflows/release\.yaml@refs/heads/main$",
        r"^https://git\.example\.com/shop/.*main|https://git\.example\.com/x$",
        r"^(?m)https://git\.example\.com/shop/.*main$",
    ] {
        let subject = pattern(text).subject().unwrap();
        assert!(subject.matches(WORKFLOW), "{text}");
        assert!(!subject.matches(&format!("{WORKFLOW}-evil")), "{text}");
        assert!(!subject.matches(&format!("{WORKFLOW}\nevil")), "{text}");
        assert!(
            !subject.matches(&format!("https://evil.example/{WORKFLOW}")),
            "{text}"
        );
    }
}

/// Attack 4: at load, so that nobody believes in a rule that is none.
#[test]
fn a_pattern_that_is_not_anchored_is_refused() {
    for (text, why) in [
        (
            r"https://git\.example\.com/.*@refs/heads/main",
            "where the subject begins and ends",
        ),
        (
            r"^https://git\.example\.com/.*@refs/heads/main",
            "where the subject begins and ends",
        ),
        (
            r"https://git\.example\.com/.*@refs/heads/main$",
            "where the subject begins and ends",
        ),
        (
            r"^https://git\.example\.com/main\$",
            "where the subject begins and ends",
        ),
        (r"^a)|(b$", "not a regular expression"),
        (r"^(a$", "not a regular expression"),
        (r"^(a{1000}){1000}$", "not a regular expression"),
        (r"^.*$", "fits every subject"),
        (r"^.+|x$", "fits every subject"),
        ("^ $", "spaces"),
        ("", "is empty"),
    ] {
        let problem = pattern(text).subject().unwrap_err().to_string();
        assert!(problem.contains(why), "{text}: {problem}");
    }
    let long = format!("^{}$", "a".repeat(TEXT_LIMIT));
    assert!(
        pattern(&long)
            .subject()
            .unwrap_err()
            .message
            .contains("longer")
    );
    assert!(pattern(r"^a\\$").subject().is_ok());
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let schema = serde_json::to_value(schemars::schema_for!(Signer)).unwrap();
    let kinds = schema["oneOf"].as_array().unwrap();
    assert_eq!(kinds.len(), 2);
    assert!(
        kinds
            .iter()
            .all(|kind| kind["additionalProperties"] == false)
    );
    assert_eq!(schema["$defs"]["Keyless"]["additionalProperties"], false);
}
