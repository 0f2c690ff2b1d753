//! Log entries, payloads and bundles that are not what they should be (attack 5).

use serde_json::json;
use sluice_registry_sim::signing::{self, Certified, Entry, Key};

use super::*;

/// What a forger can change: the entry that goes with a good signature by a good certificate.
async fn with_entry(make: impl Fn(&Bench, &Certified, &Forgery) -> Entry) -> [bool; 2] {
    let bench = Bench::new().await;
    let by = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
    let (name, digest) = ("shop/storefront", &bench.digest);

    let payload = signing::simple_signing(&bench.repository, digest);
    let signature = by.key.sign(&payload);
    let entry = make(&bench, &by, &Forgery::new(&payload, &signature, false));
    let layer = signing::layer(&payload, &signature, Some(&by.certificate), Some(&entry));
    bench.registry.attach(name, digest, &[layer]);
    let attached = bench.is_signed_by(release()).await;
    bench.registry.attach(name, digest, &[]);

    let statement = signing::in_toto(digest, None);
    let signature = by.key.sign(&signing::pre_authentication(&statement));
    let entry = make(&bench, &by, &Forgery::new(&statement, &signature, true));
    let bundle = signing::bundle(&statement, &signature, Some(&by.certificate), Some(&entry));
    bench.registry.refer(name, digest, &bundle);
    [attached, bench.is_signed_by(release()).await]
}

struct Forgery {
    content: Vec<u8>,
    signature: Vec<u8>,
    envelope: bool,
}

impl Forgery {
    fn new(content: &[u8], signature: &[u8], envelope: bool) -> Self {
        Self {
            content: content.to_vec(),
            signature: signature.to_vec(),
            envelope,
        }
    }

    /// The body of an entry with these three facts.
    fn body(&self, content: &[u8], signature: &[u8], holder: &str) -> Value {
        if self.envelope {
            signing::dsse_body(content, signature, holder)
        } else {
            signing::hashedrekord_body(content, signature, holder)
        }
    }
}

fn holder(by: &Certified) -> String {
    signing::certificate_pem(&by.certificate)
}

#[tokio::test]
async fn the_entry_of_this_very_signature_holds() {
    let found = with_entry(|bench, by, it| {
        let body = it.body(&it.content, &it.signature, &holder(by));
        bench.instance.transparency.record(&body, NOW)
    });
    assert_eq!(found.await, [true, true]);
}

/// Attack 5, CVE-2026-22703: an entry that the log really has, about something else.
#[tokio::test]
async fn a_foreign_entry_proves_nothing() {
    // Another content, as that of another digest.
    let found = with_entry(|bench, by, it| {
        let body = it.body(b"another", &it.signature, &holder(by));
        bench.instance.transparency.record(&body, NOW)
    });
    assert_eq!(found.await, [false, false]);
    // Another signature over the same content.
    let found = with_entry(|bench, by, it| {
        let again = by.key.sign(&it.content);
        let body = it.body(&it.content, &again, &holder(by));
        bench.instance.transparency.record(&body, NOW)
    });
    assert_eq!(found.await, [false, false]);
    // Another certificate of the same identity; another key.
    let found = with_entry(|bench, _, it| {
        let other = bench.instance.certify(WORKFLOW, ISSUER, TEN_MINUTES);
        let body = it.body(&it.content, &it.signature, &holder(&other));
        bench.instance.transparency.record(&body, NOW)
    });
    assert_eq!(found.await, [false, false]);
    let found = with_entry(|bench, by, it| {
        let body = it.body(&it.content, &it.signature, &by.key.public_pem());
        bench.instance.transparency.record(&body, NOW)
    });
    assert_eq!(found.await, [false, false]);
}

/// Attack 5: whoever has the key after its ten minutes would like to have signed before.
#[tokio::test]
async fn the_time_of_an_entry_is_the_logs_own() {
    for change in [
        |entry: &mut Entry| entry.seconds -= 1,
        |entry: &mut Entry| entry.index += 1,
        |entry: &mut Entry| entry.log_id[0] ^= 1,
        |entry: &mut Entry| entry.promise.clear(),
        |entry: &mut Entry| entry.promise = Key::p256().sign(b"x"),
    ] {
        let found = with_entry(|bench, by, it| {
            let body = it.body(&it.content, &it.signature, &holder(by));
            let mut entry = bench.instance.transparency.record(&body, NOW);
            change(&mut entry);
            entry
        });
        assert_eq!(found.await, [false, false]);
    }
}

/// Attack 5: an entry with the log's promise that the tree does not hold. Attached signatures bring
/// no proof; there the promise is all.
#[tokio::test]
async fn a_bundle_proves_that_the_log_has_its_entry() {
    for change in [
        |entry: &mut Entry| entry.path[1][0] ^= 1,
        |entry: &mut Entry| entry.path.truncate(1),
        |entry: &mut Entry| entry.tree_index = 5,
        |entry: &mut Entry| entry.tree_size = 11,
        |entry: &mut Entry| entry.root[0] ^= 1,
        |entry: &mut Entry| entry.checkpoint = entry.checkpoint.replacen("12", "13", 1),
        |entry: &mut Entry| entry.checkpoint = entry.checkpoint.replacen("log.", "lag.", 1),
        |entry: &mut Entry| entry.checkpoint.clear(),
    ] {
        let found = with_entry(|bench, by, it| {
            let body = it.body(&it.content, &it.signature, &holder(by));
            let mut entry = bench.instance.transparency.record(&body, NOW);
            change(&mut entry);
            entry
        });
        assert_eq!(found.await, [true, false]);
    }
}

#[tokio::test]
async fn an_entry_of_another_kind_or_form_is_refused() {
    for change in [
        |body: &mut Value| body["kind"] = json!("rekord"),
        |body: &mut Value| body["apiVersion"] = json!("0.0.2"),
        |body: &mut Value| body["spec"] = json!({}),
        |body: &mut Value| *body = json!("entry"),
    ] {
        let found = with_entry(|bench, by, it| {
            let mut body = it.body(&it.content, &it.signature, &holder(by));
            change(&mut body);
            bench.instance.transparency.record(&body, NOW)
        });
        assert_eq!(found.await, [false, false]);
    }
}

/// Attack 5, CVE-2026-39395: what cannot be read is a refusal, though its signature is right.
#[tokio::test]
async fn a_bad_payload_is_refused_though_it_is_signed() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let good = signing::simple_signing(&bench.repository, &bench.digest);
    let deep = format!("{{\"critical\":{}", "[".repeat(60_000)).into_bytes();
    for payload in [
        b"".to_vec(),
        b"not JSON".to_vec(),
        b"null".to_vec(),
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), b"x"].concat(),
        [good.as_slice(), good.as_slice()].concat(),
        b"\xff\xfe".to_vec(),
        deep.clone(),
    ] {
        let layer = signing::layer(&payload, &key.sign(&payload), None, None);
        bench
            .registry
            .attach("shop/storefront", &bench.digest, &[layer]);
        assert!(!bench.is_signed_by(by_key(&key)).await);
    }
    bench.registry.attach("shop/storefront", &bench.digest, &[]);
    for bytes in [b"".to_vec(), b"{}".to_vec(), deep] {
        bench
            .registry
            .refer_bytes("shop/storefront", &bench.digest, bytes);
        assert!(!bench.is_signed_by(by_key(&key)).await);
    }
}

/// A bundle with parts that an attacker would add or leave out.
#[tokio::test]
async fn a_bundle_of_another_form_is_refused() {
    let (bench, key) = (Bench::new().await, Key::p256());
    for change in [
        |bundle: &mut Value| {
            bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
        },
        |bundle: &mut Value| {
            let one = bundle["dsseEnvelope"]["signatures"][0].clone();
            bundle["dsseEnvelope"]["signatures"] = json!([one, one]);
        },
        |bundle: &mut Value| bundle["dsseEnvelope"]["payloadType"] = json!("text/plain"),
        |bundle: &mut Value| bundle["dsseEnvelope"] = Value::Null,
        |bundle: &mut Value| bundle["verificationMaterial"]["tlogEntries"] = json!([{}]),
    ] {
        let mut bundle = key.bundle(&bench.digest);
        change(&mut bundle);
        bench
            .registry
            .refer("shop/storefront", &bench.digest, &bundle);
        assert!(!bench.is_signed_by(by_key(&key)).await, "{bundle}");
    }
}
