//! Attacks 15 to 17: files that are no component, components that are too much for a compiler, and
//! compressed ones.

use std::time::{Duration, Instant};

use sluice_core::port::PluginHost as _;

use super::{card, child, compiled_by};
use crate::module::{MANIFEST, encode, leb128, with_manifest};
use crate::support::{Folder, built};

/// A function body of this many bytes, near the most that WebAssembly allows: every block is another
/// value that lives to the end.
pub(super) fn large_function(bytes: usize) -> Vec<u8> {
    // local.get 0, local.get 1, i32.add, local.tee 1: no two results are the same.
    const STEP: [u8; 7] = [0x20, 0, 0x20, 1, 0x6a, 0x22, 1];
    // block (br_if 0 (local.get 0)) end: control flow, which is what makes compilers slow.
    const FORK: [u8; 8] = [0x1a, 0x02, 0x40, 0x20, 0, 0x0d, 0, 0x0b];
    let mut body = vec![1, 1, 0x7f];
    while body.len() + STEP.len() + FORK.len() + 3 < bytes {
        body.extend(STEP);
        body.extend(FORK);
    }
    body.extend([0x41, 0, 0x0b]);
    body
}

/// A core module with the exports of a smoke test, and so many more functions with this body.
pub(super) fn module(more: usize, body: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let mut section = |id: u8, content: Vec<u8>| {
        module.push(id);
        module.extend(leb128(content.len()));
        module.extend(content);
    };
    // Types: (i32) -> i32, (i32 i32) -> i32, (i32 i32 i32 i32) -> i32.
    let of = |count: u8| [vec![0x60, count], vec![0x7f; count.into()], vec![1, 0x7f]].concat();
    section(1, [vec![3], of(1), of(2), of(4)].concat());
    section(3, [leb128(3 + more), vec![0, 1, 2], vec![0; more]].concat());
    section(5, vec![1, 0, 1]);
    let export = |name: &str, kind: u8, index: u8| {
        [
            leb128(name.len()),
            name.as_bytes().to_vec(),
            vec![kind, index],
        ]
        .concat()
    };
    let exports = [
        vec![4],
        export("memory", 2, 0),
        export("sluice:plugin/smoke-test@0.1.0#run", 0, 0),
        export("sluice:plugin/settings@0.1.0#validate", 0, 1),
        export("cabi_realloc", 0, 2),
    ];
    section(7, exports.concat());
    let honest = [vec![4], vec![0, 0x41, 16, 0x0b]].concat();
    let mut code = leb128(3 + more);
    for _ in 0..3 {
        code.extend(&honest);
    }
    let sized = [leb128(body.len()), body.to_vec()].concat();
    code.reserve(sized.len() * more);
    for _ in 0..more {
        code.extend(&sized);
    }
    section(10, code);
    with_manifest(encode(&module, "smoke-test-plugin"), MANIFEST)
}

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
    bomb(component, &arguments, "plugin/compile-killed", "was stopped").await;
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
