//! Attacks that no honest compiler emits, written as WebAssembly text and wrapped into components.

use serde_json::json;
use sluice_core::plugin::{PluginAnswer, PluginCall};
use sluice_core::port::PluginHost as _;
use sluice_plugins::MAX_COMPONENT_BYTES;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::module::{MANIFEST, Module, encode, leb128, with_manifest};
use crate::support::{Folder, attack, built, call, operator_file};

async fn code(module: &Module) -> String {
    let host = module.folder().host().await;
    assert_eq!(host.problems(), []);
    attack(&host, "any").await.unwrap_err().code
}

/// The codes of the cards that loading gave.
async fn cards(folder: &Folder) -> Vec<String> {
    folder
        .host()
        .await
        .problems()
        .into_iter()
        .map(|card| card.code)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_1_loops_outside_of_run_end_as_well() {
    const SPIN: &str = "(loop $l (br $l)) (unreachable)";
    let start = Module {
        more: "(func $spin (loop $l (br $l))) (start $spin)",
        ..Module::default()
    };
    assert_eq!(code(&start).await, "plugin/cpu-budget");
    let settings = |host: sluice_plugins::Host| async move {
        let settings = json!({ "some": "settings" });
        let question = PluginCall::ValidateSettings {
            plugin: "hostile".to_owned(),
            settings,
        };
        match call(&host, question).await {
            PluginAnswer::Failed(fault) => fault.code,
            other => format!("{other:?}"),
        }
    };
    let realloc = Module {
        realloc: SPIN,
        ..Module::default()
    };
    assert_eq!(
        settings(realloc.folder().host().await).await,
        "plugin/cpu-budget"
    );
    let post_return = Module {
        more: r#"(func (export "cabi_post_sluice:plugin/settings@0.1.0#validate") (param i32)
                  (loop $l (br $l)))"#,
        ..Module::default()
    };
    assert_eq!(
        settings(post_return.folder().host().await).await,
        "plugin/cpu-budget"
    );
    let honest = settings(Module::default().folder().host().await).await;
    assert_eq!(honest, "Settings([])");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_3_what_starts_too_large_is_not_loaded() {
    let memory = Module {
        memory: "(memory (export \"memory\") 1025)",
        ..Module::default()
    };
    assert_eq!(cards(&memory.folder()).await, ["plugin/limits"]);
    let table = Module {
        more: "(table 20001 funcref)",
        ..Module::default()
    };
    assert_eq!(cards(&table.folder()).await, ["plugin/limits"]);
    let memories = Module {
        more: "(memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1) (memory 1)",
        ..Module::default()
    };
    assert_eq!(cards(&memories.folder()).await, ["plugin/limits"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_3_growing_counts_all_memories_together() {
    // Two memories of 40 MiB each: every one below the cap, the sum above it.
    let module = Module {
        more: "(memory $second 1)",
        run: "(drop (memory.grow 0 (i32.const 640)))
              (if (i32.eq (memory.grow $second (i32.const 640)) (i32.const -1)) (then unreachable))
              (i32.const 0)",
        ..Module::default()
    };
    assert_eq!(code(&module).await, "plugin/memory");
    let module = Module {
        more: "(table $t 1 funcref)",
        run: "(if (i32.eq (table.grow $t (ref.null func) (i32.const 30000)) (i32.const -1))
                (then unreachable))
              (i32.const 0)",
        ..Module::default()
    };
    assert_eq!(code(&module).await, "plugin/table");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_4_recursion_traps() {
    let module = Module {
        run: "(call $run (local.get 0))",
        ..Module::default()
    };
    assert_eq!(code(&module).await, "plugin/trap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_5_lists_of_any_claimed_length_trap() {
    const LOG: &str = r#"(import "sluice:plugin/log@0.1.0" "emit"
        (func $emit (param i32 i32 i32 i32 i32)))"#;
    // A string of 2 GiB, a list of 10^9 pairs, and a list of many empty pairs that lies within memory.
    for (memory, run, ends) in [
        (
            "(memory (export \"memory\") 2)",
            "(call $emit (i32.const 2) (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i32.const 0)) unreachable",
            "plugin/trap",
        ),
        (
            "(memory (export \"memory\") 2)",
            "(call $emit (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000000000)) unreachable",
            "plugin/trap",
        ),
        (
            "(memory (export \"memory\") 800)",
            "(call $emit (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3000000)) (i32.const 0)",
            "plugin/payload",
        ),
        (
            "(memory (export \"memory\") 2)",
            "(call $emit (i32.const 77) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) unreachable",
            "plugin/trap",
        ),
    ] {
        let module = Module {
            imports: LOG,
            memory,
            run,
            ..Module::default()
        };
        assert_eq!(code(&module).await, ends, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_break_the_binary_interface_are_faults() {
    // A result that points outside of memory, and one with an unknown discriminant.
    for run in [
        "(i32.const 0x7ffffff0)",
        "(i32.store8 (i32.const 64) (i32.const 9)) (i32.const 64)",
    ] {
        let module = Module {
            run,
            ..Module::default()
        };
        assert_eq!(code(&module).await, "plugin/trap", "{run}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_15_malformed_files_get_a_card_each() {
    let component = std::fs::read(built("hostile")).unwrap();
    let mut flipped = component.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xff);
    let core = wat::parse_str("(module)").unwrap();
    let wit = {
        let mut resolve = Resolve::new();
        let (package, _) = resolve
            .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))
            .unwrap();
        wit_component::encode(&resolve, package).unwrap()
    };
    let mut nested = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..20_000 {
        let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
        outer.extend(leb128(nested.len()));
        outer.extend(nested);
        nested = outer;
    }
    let nested = with_manifest(nested, MANIFEST);
    let shallow = wat::parse_str("(component ".repeat(10) + &")".repeat(10)).unwrap();
    let shallow = with_manifest(shallow, MANIFEST);
    // A component with a million empty functions' worth of claims and no bytes behind them.
    let claims = [
        b"\0asm\x0d\0\x01\0".as_slice(),
        &[1, 12],
        b"\0asm\x01\0\0\0\x0a\x02\xff\xff",
    ]
    .concat();
    for (bytes, expected) in [
        (Vec::new(), "plugin/empty"),
        (
            component[..component.len() - 10].to_vec(),
            "plugin/truncated",
        ),
        (component[..6].to_vec(), "plugin/truncated"),
        (flipped, "plugin/invalid"),
        (core, "plugin/core-module"),
        (wit, "plugin/wit-package"),
        (nested, "plugin/invalid"),
        (shallow, "plugin/api-mismatch"),
        (claims, "plugin/invalid"),
        (b"(component)".to_vec(), "plugin/text"),
        (b"\x1f\x8b\x08\0\0\0".to_vec(), "plugin/compressed"),
        (
            b"<!doctype html><title>Sign in</title>".to_vec(),
            "plugin/html",
        ),
        (
            encode(&wat::parse_str(HONEST).unwrap(), "smoke-test-plugin"),
            "plugin/manifest-missing",
        ),
    ] {
        let size = bytes.len();
        let folder = Folder::new().file("x.wasm", bytes);
        let host = folder.host().await;
        let cards = host.problems();
        assert_eq!(cards.len(), 1);
        assert_eq!(cards[0].code, expected, "{size} bytes: {}", cards[0]);
        let shown = cards[0].to_string();
        assert!(shown.contains("no earlier version serves"), "{shown}");
        assert!(
            !shown.contains("offset") && !shown.contains("magic"),
            "{shown}"
        );
        assert!(host.catalog().is_empty());
    }
}

const HONEST: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "sluice:plugin/smoke-test@0.1.0#run") (param i32) (result i32) unreachable)
    (func (export "sluice:plugin/settings@0.1.0#validate") (param i32 i32) (result i32) (i32.const 16))
)"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_15_a_file_of_a_gibibyte_is_not_read() {
    let folder = Folder::new();
    let file = std::fs::File::create(folder.path().join("big.wasm")).unwrap();
    file.set_len(1 << 30).unwrap();
    assert_eq!(cards(&folder).await, ["plugin/too-large"]);
    file.set_len(MAX_COMPONENT_BYTES).unwrap();
    assert_eq!(cards(&folder).await, ["plugin/not-wasm"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_gets_its_imports_and_no_others() {
    let component = std::fs::read(built("hostile")).unwrap();
    // The section within the hostile module says smoke-test; it is renamed, and another is put
    // outside: the same code as another kind.
    let mut renamed = component;
    let name = b"sluice:manifest";
    let at = renamed
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    renamed[at] = b'S';
    let manifest = MANIFEST.replace("smoke-test", "traffic-strategy");
    let folder = Folder::new().file("x.wasm", with_manifest(renamed.clone(), &manifest));
    let cards = folder.host().await.problems();
    assert_eq!(cards[0].code, "plugin/import-refused", "{}", cards[0]);
    assert!(
        cards[0].why[0].contains("sluice:plugin/http"),
        "{}",
        cards[0]
    );
    let manifest = MANIFEST.replace("smoke-test", "notifier");
    let folder = Folder::new().file("x.wasm", with_manifest(renamed, &manifest));
    let cards = folder.host().await.problems();
    // What it imports too much and what it does not export come together.
    let codes: Vec<&str> = cards.iter().map(|card| card.code.as_str()).collect();
    assert_eq!(codes, ["plugin/import-refused", "plugin/api-mismatch"]);
    assert_eq!(
        cards[1].why,
        [
            "notifier: the plugin does not export it",
            "it exports smoke-test: is it a smoke-test, and plugin.toml says kind = \"notifier\"?"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_difference_from_the_contract_is_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
    let mut changed = String::from("package sluice:plugin@0.1.0;\n");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "wit") {
            let text = std::fs::read_to_string(path).unwrap();
            changed += &text.replace("package sluice:plugin@0.1.0;", "");
        }
    }
    let changed = changed
        .replace(
            "    timeout-ms: option<u32>,\n  }",
            "    timeout-ms: option<u32>,\n    proxy: string,\n  }",
        )
        .replace("    skipped,\n  }", "    skipped,\n    flaky,\n  }")
        .replace(
            "validate: func(settings: string)",
            "validate: func(settings: string, strict: bool)",
        );
    let mut resolve = Resolve::new();
    let package = resolve.push_source("changed.wit", &changed).unwrap();
    let world = resolve
        .select_world(&[package], Some("smoke-test-plugin"))
        .unwrap();
    let text = HONEST
        .replace(
            "(module",
            r#"(module (import "sluice:plugin/http@0.1.0" "fetch" (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#,
        )
        .replace(
            "(param i32 i32) (result i32) (i32.const 16)",
            "(param i32 i32 i32) (result i32) (i32.const 16)",
        );
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .encode()
        .unwrap();
    let folder = Folder::new().file("x.wasm", with_manifest(component, MANIFEST));
    let card = folder.host().await.problems().remove(0);
    assert_eq!(card.code, "plugin/api-mismatch");
    let mut why = card.why.clone();
    why.sort();
    assert_eq!(
        why,
        [
            "http.request has an extra field \"proxy\"",
            "settings.validate: takes 1 parameters, the plugin has 2",
            "types.outcome has an extra case \"flaky\"",
        ],
        "{card}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_components_end_in_a_card_or_serve() {
    // Fuzz "load path over mutated valid components" (plugins.md section 10), with a fixed sequence:
    // no panic, no hang.
    let component = Module::default().component();
    let folder = Folder::new();
    let host = folder.host().await;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..150 {
        let mut mutant = component.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state >> 8) as usize % mutant.len();
            mutant[at] = state as u8;
        }
        folder.put("x.wasm", mutant);
        for card in host.reload().await {
            assert!(!card.why.is_empty() && !card.change.is_empty(), "{card}");
        }
    }
    folder.put("x.wasm", &component);
    folder.put(
        "plugins.yaml",
        operator_file("hostile", "x.wasm", json!({})),
    );
    assert_eq!(host.reload().await, []);
}
