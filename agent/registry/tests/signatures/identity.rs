//! Keyless signatures: a certificate for an identity, used while it was valid.

use sluice_registry_sim::signing::{self, Certified, Instance};

use super::*;

impl Bench {
    /// Signs the image in both places, each by a test of its own.
    async fn signs_twice(&self, by: &Certified, seconds: u64, signer: &Signer) -> [bool; 2] {
        let (name, digest) = ("shop/storefront", &self.digest);
        let layer = self.instance.attach(by, &self.repository, digest, seconds);
        self.registry.attach(name, digest, &[layer]);
        let attached = self.is_signed_by(signer.clone()).await;
        self.registry.attach(name, digest, &[]);
        let bundle = self.instance.bundle(by, digest, seconds);
        self.registry.refer(name, digest, &bundle);
        [attached, self.is_signed_by(signer.clone()).await]
    }
}

fn pattern(pattern: &str) -> Signer {
    Signer::Keyless(Keyless {
        issuer: ISSUER.to_owned(),
        identity: None,
        identity_pattern: Some(pattern.to_owned()),
    })
}

#[tokio::test]
async fn an_identity_is_found_in_both_places() {
    let bench = Bench::new().await;
    let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    assert_eq!(bench.signs_twice(&by, NOW, &release()).await, [true, true]);
    let signer = pattern(
        r"^https://git\.example\.com/shop/[a-z]+/\.github/workflows/release\.yaml@refs/heads/main$",
    );
    assert_eq!(bench.signs_twice(&by, NOW, &signer).await, [true, true]);
}

/// Attack 4: the subject is compared as a whole, letter by letter.
#[tokio::test]
async fn a_subject_that_begins_as_the_right_one_is_another() {
    for subject in [
        format!("{WORKFLOW}-evil"),
        WORKFLOW.replace("shop/storefront", "shop-evil/storefront"),
        WORKFLOW.replace("release.yaml", "test.yaml"),
        WORKFLOW.to_uppercase(),
        format!("https://evil.example/{WORKFLOW}"),
    ] {
        let bench = Bench::new().await;
        let by = bench.instance.certify(&subject, ISSUER, TEN_MINUTES);
        for signer in [
            release(),
            pattern(
                r"^https://git\.example\.com/shop/storefront/.*/release\.yaml@refs/heads/main$",
            ),
        ] {
            let found = bench.signs_twice(&by, NOW, &signer).await;
            assert_eq!(found, [false, false], "{subject}");
        }
        // The certificate itself is right: it is of somebody else.
        let itself = by_identity(ISSUER, &subject);
        assert_eq!(bench.signs_twice(&by, NOW, &itself).await, [true, true]);
    }
}

/// Attack 4: refused when the policy is read; and should one come as far as here, it fits nobody.
#[tokio::test]
async fn a_pattern_without_an_anchor_fits_nobody() {
    let bench = Bench::new().await;
    let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    for text in [
        r"https://git\.example\.com/shop/.*",
        r"^https://git\.example\.com/shop/.*",
        "^.*$",
    ] {
        let signer = pattern(text);
        assert!(!signer.check().is_empty(), "{text}");
        assert_eq!(bench.signs_twice(&by, NOW, &signer).await, [false, false]);
    }
}

/// Attack 4: whoever can have a certificate from another issuer is not the workflow.
#[tokio::test]
async fn another_issuer_is_another() {
    for issuer in [
        "https://accounts.example.com",
        "https://token.actions.example.com/evil",
    ] {
        let bench = Bench::new().await;
        let by = bench.instance.certify(WORKFLOW, issuer, TEN_MINUTES);
        assert_eq!(
            bench.signs_twice(&by, NOW, &release()).await,
            [false, false]
        );
    }
}

/// S4: the old and the new field for the issuer may not say two things.
#[tokio::test]
async fn a_certificate_with_two_issuers_is_of_neither() {
    let bench = Bench::new().await;
    let by = bench
        .instance
        .certify_with(WORKFLOW, ISSUER, TEN_MINUTES, |params| {
            let other = rcgen::CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 57264, 1, 1],
                b"https://accounts.example.com".to_vec(),
            );
            params.custom_extensions[0] = other;
        });
    assert_eq!(
        bench.signs_twice(&by, NOW, &release()).await,
        [false, false]
    );
}

#[tokio::test]
async fn a_certificate_with_two_subjects_or_for_servers_is_refused() {
    let changes: [fn(&mut rcgen::CertificateParams); 3] = [
        |params| {
            let also = "https://evil.example".try_into().unwrap();
            params.subject_alt_names.push(rcgen::SanType::URI(also));
        },
        |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
        |params| params.extended_key_usages = Vec::new(),
    ];
    for change in changes {
        let bench = Bench::new().await;
        let by = bench
            .instance
            .certify_with(WORKFLOW, ISSUER, TEN_MINUTES, change);
        assert_eq!(
            bench.signs_twice(&by, NOW, &release()).await,
            [false, false]
        );
    }
}

/// A key that leaks after its ten minutes signs nothing any more.
#[tokio::test]
async fn a_certificate_counts_only_while_it_is_valid() {
    let bench = Bench::new().await;
    let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    for seconds in [NOW - 61, NOW + 541, NOW + 80_000_000] {
        assert_eq!(
            bench.signs_twice(&by, seconds, &release()).await,
            [false, false]
        );
    }
    for seconds in [NOW - 60, NOW + 540] {
        assert_eq!(
            bench.signs_twice(&by, seconds, &release()).await,
            [true, true]
        );
    }
}

/// Attack 5, CVE-2026-24122: an authority that had expired when it was used, intermediate or root.
#[tokio::test]
async fn an_expired_authority_vouches_for_nobody() {
    let past = Validity {
        from: NOW - 100_000_000,
        to: NOW - 1,
    };
    for (root, intermediate) in [(YEARS, past), (past, YEARS)] {
        let bench = Bench::with(Instance::new(root, intermediate), |_| ()).await;
        let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
        assert_eq!(
            bench.signs_twice(&by, NOW, &release()).await,
            [false, false]
        );
    }
}

/// The trust root says until when an authority was used, whatever its certificate says.
#[tokio::test]
async fn a_retired_authority_vouches_for_nobody() {
    let bench = Bench::with(Instance::new(YEARS, YEARS), |root| {
        root["certificateAuthorities"][0]["validFor"]["end"] = "2021-01-01T00:00:00Z".into();
    })
    .await;
    let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    assert_eq!(
        bench.signs_twice(&by, NOW, &release()).await,
        [false, false]
    );
}

#[tokio::test]
async fn another_instance_vouches_for_nobody() {
    let bench = Bench::new().await;
    let evil = Instance::new(YEARS, YEARS);
    let by = evil.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    // Its own log, and the trusted one: neither makes its certificate good.
    assert_eq!(
        bench.signs_twice(&by, NOW, &release()).await,
        [false, false]
    );
    let layer = evil.attach(&by, &bench.repository, &bench.digest, NOW);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    assert!(!bench.is_signed_by(release()).await);
}

/// An authority that issues in secret could issue to anybody.
#[tokio::test]
async fn a_certificate_that_no_certificate_log_knows_is_refused() {
    let bench = Bench::new().await;
    let by = bench
        .instance
        .certify_in_secret(WORKFLOW, ISSUER, TEN_MINUTES);
    assert_eq!(
        bench.signs_twice(&by, NOW, &release()).await,
        [false, false]
    );
    // Where the operator's instance has no such log, there is none to ask.
    let bench = Bench::with(Instance::new(YEARS, YEARS), |root| {
        root["ctlogs"] = serde_json::json!([])
    })
    .await;
    let by = bench
        .instance
        .certify_in_secret(WORKFLOW, ISSUER, TEN_MINUTES);
    assert_eq!(bench.signs_twice(&by, NOW, &release()).await, [true, true]);
}

#[tokio::test]
async fn without_a_log_entry_nobody_knows_when_it_was_signed() {
    let bench = Bench::new().await;
    let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    let payload = signing::simple_signing(&bench.repository, &bench.digest);
    let layer = signing::layer(
        &payload,
        &by.key.sign(&payload),
        Some(&by.certificate),
        None,
    );
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    assert!(!bench.is_signed_by(release()).await);
}
