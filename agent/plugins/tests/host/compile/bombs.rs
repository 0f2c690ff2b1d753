//! Attacks 15 to 17: files that are no component, components that are too much for a compiler, and
//! compressed ones.

use std::time::{Duration, Instant};

use sluice_core::port::PluginHost as _;

use super::{card, child, compiled_by};
pub(super) use crate::module::{large_function, with_functions as module};
use crate::support::{Folder, built};

/// Compiles it; the agent goes on with its other plugin, and the bomb is not lit a second time.
async fn bomb(component: Vec<u8>, arguments: &[&str], expected: &str, words: &str) {
    let folder = Folder::new()
        .file("bomb.wasm", component)
        .plugin("hostile", "other.wasm");
    let file = |name: &str, file: &str| serde_json::json!({"name": name, "source": {"file": file}});
    let both =
        serde_json::json!({"plugins": [file("bomb", "bomb.wasm"), file("other", "other.wasm")]});
    folder.put("plugins.yaml", both.to_string());
    let begun = Instant::now();
    let host = folder.host_with(compiled_by(child(arguments))).await;
    let took = begun.elapsed();
    let cards = host.problems();
    assert_eq!(cards.len(), 1, "{cards:?}");
    assert_eq!(cards[0].code, expected, "{}", cards[0]);
    assert!(cards[0].why[0].contains(words), "{}", cards[0]);
    assert!(took < Duration::from_secs(90), "{took:?}");
    let served: Vec<String> = host.catalog().into_iter().map(|info| info.name).collect();
    assert_eq!(served, ["other"]);
    // The negative cache: a poll costs the checks alone.
    let begun = Instant::now();
    assert_eq!(host.reload().await.len(), 1);
    assert!(
        begun.elapsed() < took.max(Duration::from_secs(5)),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_16_a_function_of_7_mb_is_not_compiled() {
    let component = module(1, &large_function(7_600_000));
    bomb(component, &[], "plugin/compile-killed", "512 MiB of memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_16_a_million_functions_are_not_compiled() {
    let body = large_function(24);
    let component = module(999_000, &body);
    bomb(component, &["--cpu-seconds=2"], "plugin/compile-killed", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_16_cpu_is_bounded_too() {
    // Enough memory, so that time runs out first.
    let component = module(1, &large_function(3_000_000));
    let arguments = ["--memory-mib=8000", "--cpu-seconds=1"];
    // On a busy machine the clock may be first.
    bomb(
        component,
        &arguments,
        "plugin/compile-killed",
        "was stopped",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_17_nothing_compressed_is_unpacked() {
    // Ten bytes that say "a gibibyte follows", in the ways of those who compress.
    for head in [
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(),
        b"\x28\xb5\x2f\xfd\xa0\0\0\0\x40\0",
        b"PK\x03\x04\x14\0\0\0\x08\0",
        b"\xfd7zXZ\0\0\x04\0\0",
        b"BZh91AY&SY",
    ] {
        let folder = Folder::new().file("x.wasm", head);
        let card = card(&folder, child(&[])).await;
        assert_eq!(card.code, "plugin/compressed", "{card}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_15_no_mutant_gets_further_than_a_card() {
    // Those that pass every check meet the compiler in a child: whatever it does, the agent lives.
    let component = std::fs::read(built("hostile")).unwrap();
    let folder = Folder::new();
    let host = folder.host_with(compiled_by(child(&[]))).await;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..40 {
        let mut mutant = component.clone();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let at = (state >> 8) as usize % mutant.len();
        mutant[at] ^= 1 << (state & 7);
        folder.put("x.wasm", mutant);
        for card in host.reload().await {
            assert!(!card.why.is_empty() && !card.change.is_empty(), "{card}");
            assert_ne!(card.code, "plugin/compile-unavailable", "{card}");
        }
    }
}
