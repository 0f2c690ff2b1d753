//! What the child does, and what the host makes of a child that does not.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use sluice_core::port::PluginHost as _;

use super::bombs::{large_function, module};
use super::{CHILD, card, child, compiled_by, other, run};
use crate::module::{MANIFEST, Module, with_manifest};
use crate::support::{Folder, attack};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_child_compiled_runs() {
    let folder = Folder::new().plugin("hostile", "hostile.wasm");
    let host = folder.host_with(compiled_by(child(&[]))).await;
    assert_eq!(host.problems(), []);
    let report = attack(&host, "none").await.unwrap();
    assert!(!report.summary.is_empty());
    // Epochs, limits and traps are those of the host.
    assert_eq!(
        attack(&host, "loop").await.unwrap_err().code,
        "plugin/cpu-budget"
    );
}

#[test]
fn the_child_limits_itself_whoever_starts_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    std::fs::write(&file, module(1, &large_function(100_000))).unwrap();
    let enough = run(&[], &file);
    assert_eq!(enough.status.code(), Some(49));
    assert!(enough.stdout.starts_with(b"\x7fELF") && enough.stderr.is_empty());
    std::fs::write(&file, module(1, &large_function(2_000_000))).unwrap();
    for too_little in ["--memory-mib=128", "--cpu-seconds=1"] {
        let output = run(&[too_little, "--memory-mib=4000"], &file);
        // Killed, aborted or panicked, as the kernel and the allocator have it.
        assert!(
            !matches!(output.status.code(), Some(0..=100)),
            "{too_little}"
        );
        assert!(output.stdout.is_empty(), "{too_little}");
    }
}

#[test]
fn the_child_says_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    for (bytes, code) in [(b"".as_slice(), 50), (b"\0asm\x0d\0\x01\0\x01\xff", 50)] {
        std::fs::write(&file, bytes).unwrap();
        let output = run(&[], &file);
        assert_eq!(output.status.code(), Some(code));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    // A hole of a gibibyte: it stops after 32 MiB.
    std::fs::File::create(&file)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let begun = Instant::now();
    assert_eq!(run(&[], &file).status.code(), Some(51));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_no_compiler_gets_a_card() {
    let folder = Module::default().folder();
    let own = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = own.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    for (program, code, words) in [
        (
            "/nowhere".into(),
            "plugin/compile-unavailable",
            "cannot be started",
        ),
        // The component comes back as if it were code.
        (
            "/bin/cat".into(),
            "plugin/compile-unavailable",
            "ended with code 0",
        ),
        (
            "/bin/false".into(),
            "plugin/compile-unavailable",
            "ended with code 1",
        ),
        (
            script("silent", "exit 49"),
            "plugin/compile-unavailable",
            "it wrote no code",
        ),
        (
            script("liar", "echo code; exit 49"),
            "plugin/compile-unavailable",
            "cannot be loaded",
        ),
        (
            script("panics", "exit 101"),
            "plugin/compile",
            "made the compiler fail",
        ),
        (
            script("killed", "kill -9 $$"),
            "plugin/compile-killed",
            "no more memory",
        ),
        (
            script("aborts", "kill -6 $$"),
            "plugin/compile-killed",
            "signal 6",
        ),
        // More than a component may become: the system refuses it.
        (
            script("endless", "head -c 200000000 /dev/zero || exit 3; exit 49"),
            "plugin/compile-unavailable",
            "ended with code 3",
        ),
    ] {
        let card = card(&folder, other(program, &[])).await;
        assert_eq!(card.code, code, "{card}");
        assert!(card.why[0].contains(words), "{card}");
        assert!(card.effect.contains("no earlier version serves"), "{card}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_hangs_is_killed() {
    let own = tempfile::tempdir().unwrap();
    let path = own.path().join("hangs");
    let note = own.path().join("pid");
    let text = format!("#!/bin/sh\necho $$ > {}\nexec sleep 1000\n", note.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let begun = Instant::now();
    let card = card(
        &Module::default().folder(),
        other(path, &["--cpu-seconds=1"]),
    )
    .await;
    assert_eq!(card.code, "plugin/compile-killed", "{card}");
    assert!(card.why[0].contains("longer than 2 s"), "{card}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let pid = std::fs::read_to_string(note).unwrap();
    let left = std::path::Path::new("/proc").join(pid.trim());
    assert!(!left.exists(), "it is dead and gone");
}

/// The child sees neither the environment nor the working directory of the agent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_gets_nothing() {
    let own = tempfile::tempdir().unwrap();
    let note = own.path().join("seen");
    let path = own.path().join("looks");
    let text = format!(
        "#!/bin/sh\n{{ env; pwd; ls -l /proc/self/fd; }} > {}\nexec {CHILD}\n",
        note.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = Module::default().folder();
    let host = folder.host_with(compiled_by(other(path, &[]))).await;
    assert_eq!(host.problems(), []);
    let seen = std::fs::read_to_string(note).unwrap();
    let named: Vec<&str> = seen
        .lines()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name))
        // What the shell itself makes.
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert!(named.is_empty(), "{seen}");
    assert!(seen.lines().any(|line| line == "/"), "{seen}");
    assert!(
        !seen.contains("socket:") && !seen.contains(".wasm"),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_component_under_two_names_is_compiled_once() {
    let own = tempfile::tempdir().unwrap();
    let note = own.path().join("runs");
    let path = own.path().join("counts");
    let text = format!("#!/bin/sh\necho run >> {}\nexec {CHILD}\n", note.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let component = Module::default().component();
    let folder = Folder::new()
        .file("a.wasm", &component)
        .file("b.wasm", &component);
    let entry =
        |name: &str, file: &str| serde_json::json!({"name": name, "source": {"file": file}});
    let both =
        serde_json::json!({"plugins": [entry("first", "a.wasm"), entry("second", "b.wasm")]});
    folder.put("plugins.yaml", both.to_string());
    let host = folder.host_with(compiled_by(other(&path, &[]))).await;
    assert_eq!(host.problems(), []);
    assert_eq!(host.catalog().len(), 2);
    let runs = || std::fs::read_to_string(&note).unwrap().lines().count();
    assert_eq!(runs(), 1);
    // A component that cannot be compiled is not compiled again for another entry of it, nor at a poll.
    let refuses = own.path().join("refuses");
    let text = format!("#!/bin/sh\necho run >> {}\nexit 50\n", note.display());
    std::fs::write(&refuses, text).unwrap();
    std::fs::set_permissions(&refuses, std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = folder.host_with(compiled_by(other(&refuses, &[]))).await;
    assert_eq!(host.problems().len(), 2);
    host.reload().await;
    assert_eq!(runs(), 2);
    let other_bytes = with_manifest(Vec::new(), MANIFEST);
    folder.put(
        "a.wasm",
        [component, other_bytes[..1].to_vec(), vec![3, 1, b'x', 0]].concat(),
    );
    host.reload().await;
    assert_eq!(runs(), 3, "other bytes are another component");
}
