//! How much memory a host with so many plugins keeps, and how long they take to load.
//!
//! ```sh
//! make plugins && cargo build -p sluice-plugins --bins
//! cargo run --release -p sluice-plugins --example memory -- FILE.wasm 1 10 50
//! ```
//! Each plugin is the file with another byte at its end, so that no two share anything. They are
//! compiled by a child, then loaded once more out of the cache.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints its figures, or fails"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use sluice_core::port::PluginHost as _;
use sluice_plugins::{COMPILE_ARGUMENT, Compiler, Host, HostOptions, compile_child};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(COMPILE_ARGUMENT) {
        return compile_child();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (file, counts) = arguments.split_first().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "{:>10} {:>9} {:>9} {:>9}",
        "", "resident", "private", "shared"
    );
    shown("nothing");
    for count in counts {
        runtime.block_on(loaded(Path::new(file), count.parse().unwrap()));
    }
    ExitCode::SUCCESS
}

async fn loaded(file: &Path, count: usize) {
    let component = std::fs::read(file).unwrap();
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut entries = Vec::new();
    for index in 0..count {
        let name = format!("p{index}");
        // An empty custom section of another name.
        let section = [
            &[0, u8::try_from(name.len() + 1).unwrap(), name.len() as u8],
            name.as_bytes(),
        ];
        let bytes = [component.as_slice(), &section.concat()].concat();
        std::fs::write(folder.path().join(format!("{name}.wasm")), bytes).unwrap();
        let source = format!("{{\"file\": \"{name}.wasm\"}}");
        entries.push(format!("{{\"name\": \"{name}\", \"source\": {source}}}"));
    }
    let plugins = format!("{{\"plugins\": [{}]}}", entries.join(","));
    std::fs::write(folder.path().join("plugins.yaml"), plugins).unwrap();
    for what in ["compiled", "cached"] {
        let options = HostOptions {
            compiler: Compiler::this_program(None),
            cache: Some(cache.path().to_owned()),
            ..HostOptions::default()
        };
        let begun = Instant::now();
        let host = Host::open(folder.path(), options).await.unwrap();
        let took = begun.elapsed();
        if let Some(card) = host.problems().first() {
            println!("{card}");
        }
        let serving = host.catalog().len();
        shown(&format!("{serving} {what}"));
        println!("{:>10} {:?} each", "", took / u32::try_from(count).unwrap());
    }
}

/// Resident memory in KiB, as the kernel counts it.
fn shown(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let figure = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib
    };
    println!(
        "{what:>10} {:>9} {:>9} {:>9}",
        figure("VmRSS"),
        figure("RssAnon"),
        figure("RssFile") + figure("RssShmem"),
    );
}
