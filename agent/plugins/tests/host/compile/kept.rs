//! Attack 18: code that somebody else put into the cache is never run.

use std::path::{Path, PathBuf};

use sluice_core::port::PluginHost as _;
use sluice_plugins::{Compiler, Host, HostOptions};

use super::{child, compiled_by, other};
use crate::module::Module;
use crate::support::{Folder, attack};

async fn host(folder: &Folder, cache: &Path, compiler: Compiler) -> Host {
    let options = HostOptions {
        cache: Some(cache.to_owned()),
        ..compiled_by(compiler)
    };
    folder.host_with(options).await
}

fn only(cache: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(cache.join("compiled")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

/// No compiler: what serves came out of the cache.
fn none() -> Compiler {
    other("/nowhere", &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compiled_once_needs_no_compiler() {
    let folder = Module::default().folder();
    let cache = tempfile::tempdir().unwrap();
    let first = host(&folder, cache.path(), child(&[])).await;
    assert_eq!(first.problems(), []);
    let second = host(&folder, cache.path(), none()).await;
    assert_eq!(second.problems(), []);
    assert_eq!(
        attack(&second, "any").await.unwrap_err().code,
        "plugin/trap"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_18_changed_code_is_not_run() {
    let folder = Module::default().folder();
    let cache = tempfile::tempdir().unwrap();
    drop(host(&folder, cache.path(), child(&[])).await);
    let file = only(cache.path());
    let genuine = std::fs::read(&file).unwrap();
    let mut evil: Vec<(Vec<u8>, &str)> = [0, 20, 30, 40, genuine.len() / 2, genuine.len() - 1]
        .into_iter()
        .map(|at| {
            let mut changed = genuine.clone();
            changed[at] ^= 0x80;
            (changed, "a byte")
        })
        .collect();
    evil.push((genuine[..genuine.len() / 2].to_vec(), "half"));
    evil.push((Vec::new(), "nothing"));
    evil.push((std::fs::read("/bin/true").unwrap(), "a program"));
    for (bytes, what) in evil {
        std::fs::write(&file, bytes).unwrap();
        let without = host(&folder, cache.path(), none()).await;
        let cards = without.problems();
        assert_eq!(cards[0].code, "plugin/compile-unavailable", "{what}");
        assert!(without.catalog().is_empty(), "{what}");
        assert!(!file.exists(), "{what} is removed");
    }
    // With a compiler it is compiled again, and kept again.
    let again = host(&folder, cache.path(), child(&[])).await;
    assert_eq!(again.problems(), []);
    let kept = host(&folder, cache.path(), none()).await;
    assert_eq!(kept.problems(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_18_a_link_is_not_followed() {
    let folder = Module::default().folder();
    let cache = tempfile::tempdir().unwrap();
    drop(host(&folder, cache.path(), child(&[])).await);
    let file = only(cache.path());
    let elsewhere = cache.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let without = host(&folder, cache.path(), none()).await;
    assert_eq!(without.problems()[0].code, "plugin/compile-unavailable");
    assert!(elsewhere.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_18_a_cache_of_others_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Module::default().folder();
    let cache = tempfile::tempdir().unwrap();
    let own = cache.path().join("compiled");
    std::fs::create_dir(&own).unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o777)).unwrap();
    // It works, only slower; the log says why.
    let host = host(&folder, cache.path(), child(&[])).await;
    assert_eq!(host.problems(), []);
    assert_eq!(std::fs::read_dir(own).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_18_whoever_races_gets_nothing_run() {
    // Somebody writes into the file all the time, while hosts load from it.
    let folder = Module::default().folder();
    let cache = tempfile::tempdir().unwrap();
    drop(host(&folder, cache.path(), child(&[])).await);
    let path = cache.path().join("compiled");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let racing = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            use std::os::unix::fs::FileExt as _;
            let mut writes = 0u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for entry in std::fs::read_dir(&path).unwrap().flatten() {
                    if let Ok(file) = std::fs::File::options().write(true).open(entry.path()) {
                        let _ = file.write_all_at(&[0xcc; 512], 5000 + writes % 9000);
                        writes += 1;
                    }
                }
            }
            writes
        })
    };
    for _ in 0..30 {
        let host = host(&folder, cache.path(), child(&[])).await;
        assert_eq!(host.problems(), []);
        assert_eq!(attack(&host, "any").await.unwrap_err().code, "plugin/trap");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(racing.join().unwrap() > 0);
}
