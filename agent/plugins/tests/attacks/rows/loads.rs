//! Attacks by what lies in a folder: that of the plugins, or that of compiled code (15, 16, 18, 23).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use sluice_core::plugin::Outcome;
use sluice_core::port::PluginHost as _;
use sluice_plugins::{Compiler, HostOptions};

use super::bare;
use crate::ground::{Ground, Setting, child, operator};
use crate::module::{large_function, with_functions};
use crate::support::{built, test_options};

fn hostile() -> Vec<u8> {
    std::fs::read(built("hostile")).unwrap()
}

/// The component, with one byte that is another in every version.
fn version(number: u32) -> Vec<u8> {
    let mut bytes = hostile();
    bytes.extend([0, 7, 1, b'x']);
    bytes.extend(number.to_le_bytes());
    bytes.push(0);
    bytes
}

/// A number that no call of this program had before.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) async fn malformed() -> String {
    let ground = bare(json!({})).await;
    let whole = hostile();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xff);
    let mut count = 0;
    for (bytes, expected) in [
        (Vec::new(), "plugin/empty"),
        (whole[..whole.len() - 10].to_vec(), "plugin/truncated"),
        (flipped, "plugin/invalid"),
        (wat::parse_str("(module)").unwrap(), "plugin/core-module"),
        (b"(component)".to_vec(), "plugin/text"),
        (b"\x1f\x8b\x08\0\0\0".to_vec(), "plugin/compressed"),
        (b"<!doctype html><title>x</title>".to_vec(), "plugin/html"),
    ] {
        ground.folder.put("hostile.wasm", bytes);
        let cards = ground.host.reload().await;
        assert!(!cards.is_empty());
        for card in cards {
            assert_eq!(card.code, expected, "{card}");
            let shown = card.to_string();
            assert!(
                !shown.contains("offset") && !shown.contains("magic"),
                "{shown}"
            );
        }
        assert_eq!(ground.hostile("none").await.unwrap().outcome, Outcome::Pass);
        count += 1;
    }
    let big = std::fs::File::create(ground.path().join("x.wasm")).unwrap();
    big.set_len(1 << 30).unwrap();
    let setting = Setting::limits(json!({}));
    ground.folder.put("hostile.wasm", hostile());
    ground
        .folder
        .put("plugins.yaml", operator(&setting, &["x"]));
    let cards = ground.host.reload().await;
    assert_eq!(cards[0].code, "plugin/too-large");
    format!("{} shapes: a card each, the old version serves", count + 1)
}

/// Half a file, then it is whole again.
pub(crate) async fn broken_file(ground: &Ground) {
    let whole = version(next());
    ground
        .folder
        .put("strategist.wasm", &whole[..whole.len() / 2]);
    ground.host.reload().await;
}

pub(crate) async fn races() -> String {
    let ground = bare(json!({})).await;
    let before = digest(&ground);
    let whole = hostile();
    ground.folder.put("hostile.wasm", &whole[..whole.len() / 2]);
    let cards = ground.host.reload().await;
    assert!(
        cards.iter().all(|card| card.code == "plugin/truncated"),
        "{cards:?}"
    );
    assert_eq!(digest(&ground), before);
    assert_eq!(ground.hostile("none").await.unwrap().outcome, Outcome::Pass);
    ground.folder.put("hostile.wasm", version(next()));
    assert_eq!(ground.host.reload().await, []);
    assert_ne!(digest(&ground), before);
    ground.folder.remove("hostile.wasm");
    let cards = ground.host.reload().await;
    assert_eq!(cards[0].code, "plugin/file-missing");
    "half a file: the old version serves; a whole one takes over; a deleted one is missing"
        .to_owned()
}

fn digest(ground: &Ground) -> String {
    let catalog = ground.host.catalog();
    let info = catalog.iter().find(|info| info.name == "hostile").unwrap();
    info.digest.clone()
}

/// The attacker's file changes all the time; the bystander has its own.
pub(crate) async fn another_version(ground: &Ground) {
    ground.folder.put("strategist.wasm", version(next()));
    ground.host.reload().await;
}

pub(crate) async fn compile_bombs() -> String {
    let ground = compiling().await;
    for (what, bytes) in [
        (
            "one function of 7.6 MB",
            with_functions(1, &large_function(7_600_000)),
        ),
        (
            "a million functions",
            with_functions(999_000, &large_function(24)),
        ),
    ] {
        ground.folder.put("strategist.wasm", bytes);
        let cards = ground.host.reload().await;
        let codes: Vec<&str> = cards.iter().map(|card| card.code.as_str()).collect();
        assert!(
            codes.iter().any(|code| code.starts_with("plugin/compile")),
            "{what}: {cards:?}"
        );
        assert_eq!(ground.hostile("none").await.unwrap().outcome, Outcome::Pass);
        // Tried once: the same bytes are known.
        let begun = Instant::now();
        ground.host.reload().await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{what}");
    }
    "7.6 MB in one function, a million functions: the child is killed, the host serves".to_owned()
}

pub(crate) async fn compiling() -> Ground {
    Ground::new(Setting {
        // An honest plugin in Rust takes a fifth of a second, and a fifth of the memory.
        options: child(&["--memory-mib=128", "--cpu-seconds=1"]),
        ..Setting::limits(json!({}))
    })
    .await
}

pub(crate) async fn bomb(ground: &Ground) {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    let mut bytes = BOMB
        .get_or_init(|| with_functions(1, &large_function(1_000_000)))
        .clone();
    bytes.extend([0, 7, 1, b'x']);
    bytes.extend(next().to_le_bytes());
    bytes.push(0);
    ground.folder.put("strategist.wasm", bytes);
    ground.host.reload().await;
}

/// The files of compiled code in a cache.
fn compiled(ground: &Ground) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(ground.path().join("cache/compiled")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Does something to a kept file: its bytes, and where it is.
type Tampering<'a> = &'a (dyn Fn(&[u8], &Path) + Sync);

pub(crate) async fn tampered() -> String {
    let ground = Ground::cached().await;
    // Nobody can compile here: what serves came from the cache.
    let nobody = || HostOptions {
        compiler: Compiler::Child {
            program: "no-such-program".into(),
            arguments: Vec::new(),
        },
        cache: Some(ground.path().join("cache")),
        ..test_options()
    };
    assert_eq!(ground.folder.host_with(nobody()).await.problems(), []);
    let kept: Vec<_> = compiled(&ground)
        .into_iter()
        .map(|path| (std::fs::read(&path).unwrap(), path))
        .collect();
    assert!(kept.len() >= 3, "{kept:?}");
    let other = ground.path().join("elsewhere");
    std::fs::write(&other, &kept[0].0).unwrap();
    let tamperings: [Tampering<'_>; 4] = [
        &|bytes, path| {
            let mut flipped = bytes.to_vec();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            std::fs::write(path, flipped).unwrap();
        },
        &|bytes, path| std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap(),
        // Sealed by this very process, under another name.
        &|bytes, path| {
            let another = kept.iter().find(|(_, other)| other != path).unwrap();
            assert_ne!(another.0, bytes);
            std::fs::write(path, &another.0).unwrap();
        },
        &|_, path| {
            std::fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink(&other, path).unwrap();
        },
    ];
    for (number, tampering) in tamperings.iter().enumerate() {
        for (bytes, path) in &kept {
            let _ = std::fs::remove_file(path);
            std::fs::write(path, bytes).unwrap();
            tampering(bytes, path);
        }
        let cards = ground.folder.host_with(nobody()).await.problems();
        assert!(
            !cards.is_empty()
                && cards
                    .iter()
                    .all(|card| card.code == "plugin/compile-unavailable"),
            "tampering {number}: {cards:?}"
        );
    }
    "a bit, a byte less, another's file, a link: none is loaded; compiled anew".to_owned()
}

/// Another hand in the folder of compiled code, while it is read.
pub(crate) async fn tamper(ground: &Ground) {
    for path in compiled(ground) {
        let _ = std::fs::write(path, b"machine code");
    }
    another_version(ground).await;
}
