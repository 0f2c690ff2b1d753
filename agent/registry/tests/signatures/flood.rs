//! More signatures than anybody needs (attack 5, CVE-2023-33958, CVE-2023-46737, CVE-2024-29902):
//! whoever may push must not keep the agent busy, nor fill its memory.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_core::policy::Signer;
use sluice_registry::{Refused, Signature, SignedImage, Verifier};
use sluice_registry_sim::signing::{self, Key, Layer};

use super::*;

/// A refusal takes milliseconds; this is what a slow machine may need.
const BOUND: Duration = Duration::from_secs(5);

/// Counts what it is asked, and never agrees.
#[derive(Default)]
struct Counting(std::sync::atomic::AtomicUsize);

impl Verifier for Counting {
    fn check(&self, _: &Signature, _: SignedImage<'_>, _: &Signer) -> Result<(), Refused> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(Refused::new("counted"))
    }
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Asks, and answers how many requests that took. `-- --show-output` has the figures.
#[expect(
    clippy::print_stdout,
    reason = "a measurement that is not shown is none"
)]
async fn asked_within_bounds(bench: &Bench, signer: Signer, why: &str) -> usize {
    bench.registry.forget_requests();
    let (begin, before) = (Instant::now(), resident());
    unavailable(bench.signed_by(&[("it", signer)]).await, why);
    let (took, grew) = (begin.elapsed(), resident().saturating_sub(before));
    println!("refused in {took:?}, {} KiB more in memory", grew / 1024);
    assert!(took < BOUND, "{took:?}");
    // The registry of the test answers from the same process: twice the list, and some.
    assert!(grew < 64 * 1024 * 1024, "{grew} bytes");
    bench.registry.requests().len()
}

/// Ten thousand signatures by others, the right one last: denied, and said why.
#[tokio::test]
async fn ten_thousand_signatures_are_denied_in_bounded_time_and_memory() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let one = Key::p256().attach(&bench.repository, &bench.digest);
    let mut layers = vec![one; 9_999];
    layers.push(key.attach(&bench.repository, &bench.digest));
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &layers);
    // A list of that length is not even read.
    let asked = asked_within_bounds(&bench, by_key(&key), "larger than 1048576 bytes").await;
    assert_eq!(asked, 1);

    // 2,000 fit into what is read; the first 32 are looked at, and the answer is not "unsigned".
    let last = layers.split_off(8_000);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &last);
    let asked = asked_within_bounds(&bench, by_key(&key), "only 32 are looked at").await;
    assert_eq!(asked, 1 + 32 + 1);
}

#[tokio::test]
async fn ten_thousand_referrers_are_denied_in_bounded_time_and_memory() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let stranger = Key::p256();
    let mut bundle = stranger.bundle(&bench.digest);
    for number in 0..10_000 {
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = json!(number);
        bench
            .registry
            .refer("shop/storefront", &bench.digest, &bundle);
        if number == 99 {
            let asked = asked_within_bounds(&bench, by_key(&key), "only 32 are looked at").await;
            assert_eq!(asked, 2 + 2 * 32);
        }
    }
    let asked = asked_within_bounds(&bench, by_key(&key), "larger than 1048576 bytes").await;
    assert_eq!(asked, 2);
}

/// A list of several pages is longer than what is looked at.
#[tokio::test]
async fn a_second_page_of_referrers_is_not_taken_for_the_end() {
    let (bench, key) = (Bench::new().await, Key::p256());
    bench
        .registry
        .behave(|b| b.link = Some("</v2/next>; rel=\"next\"".to_owned()));
    let signer = [("it", by_key(&key))];
    unavailable(bench.signed_by(&signer).await, "more than one page");
    let bundle = key.bundle(&bench.digest);
    bench
        .registry
        .refer("shop/storefront", &bench.digest, &bundle);
    assert_eq!(bench.signed_by(&signer).await.unwrap(), ["it"]);
}

/// Attack 5: a payload of 1 MiB is not fetched, whoever signed it, and whatever its size is said to
/// be.
#[tokio::test]
async fn a_payload_of_a_mebibyte_is_not_read() {
    let (bench, key) = (Bench::new().await, Key::p256());
    let mut payload = signing::simple_signing(&bench.repository, &bench.digest);
    payload.resize(1024 * 1024, b' ');
    let layer = signing::layer(&payload, &key.sign(&payload), None, None);
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &[layer]);
    let why = "no signature of at most 131072 bytes";
    let asked = asked_within_bounds(&bench, by_key(&key), why).await;
    assert_eq!(asked, 2);

    let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
    let mut described = bench.registry.push_blob("shop/storefront", kind, payload);
    described["size"] = json!(100);
    described["annotations"] = json!({"dev.cosignproject.cosign/signature": "AA=="});
    let tag = format!("{}.sig", bench.digest.replace(':', "-"));
    let manifest = json!({"schemaVersion": 2, "layers": [described]});
    bench
        .registry
        .push_manifest("shop/storefront", Some(&tag), &manifest);
    let why = "larger than 131072 bytes";
    asked_within_bounds(&bench, by_key(&key), why).await;

    bench.registry.attach("shop/storefront", &bench.digest, &[]);
    let large = vec![b' '; 1024 * 1024];
    bench
        .registry
        .refer_bytes("shop/storefront", &bench.digest, large);
    let why = "none of at most 131072 bytes";
    asked_within_bounds(&bench, by_key(&key), why).await;
}

/// The limit is on what is looked at, whoever looks.
#[tokio::test]
async fn a_verifier_is_asked_for_each_signature_and_signer_up_to_the_limit() {
    let bench = Bench::new().await;
    let counting = Arc::new(Counting::default());
    let client = client(plain(bench.registry.host())).with_verifier(counting.clone());
    let layers: Vec<Layer> = (0..40)
        .map(|_| Key::p256().attach(&bench.repository, &bench.digest))
        .collect();
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &layers);
    let signers = ["alice", "bob"].map(|name| (name.to_owned(), release()));
    let signers = BTreeMap::from(signers);
    let told = client
        .verify(&bench.repository, &bench.digest, &signers)
        .await;
    unavailable(told, "40 signatures, of which only 32 are looked at");
    assert_eq!(counting.0.load(std::sync::atomic::Ordering::Relaxed), 64);
}

/// Beyond eight proofs nothing is looked for: an image's facts hold no more.
#[tokio::test]
async fn at_most_eight_signers_are_proven() {
    let bench = Bench::new().await;
    let keys: Vec<Key> = (0..10).map(|_| Key::p256()).collect();
    let layers: Vec<Layer> = keys
        .iter()
        .map(|key| key.attach(&bench.repository, &bench.digest))
        .collect();
    bench
        .registry
        .attach("shop/storefront", &bench.digest, &layers);
    let names: Vec<String> = (0..10).map(|number| format!("signer-{number}")).collect();
    let signers: Vec<_> = names
        .iter()
        .zip(&keys)
        .map(|(name, key)| (name.as_str(), by_key(key)))
        .collect();
    assert_eq!(bench.signed_by(&signers).await.unwrap(), names[..8]);
}
