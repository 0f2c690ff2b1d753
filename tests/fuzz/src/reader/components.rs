//! Loading of components, from the file to the code, through the compile child.

use std::path::Path;
use std::time::Duration;

use sluice_plugins::{COMPILE_ARGUMENT, Compiler, Host, HostOptions};
use tokio::runtime::Runtime;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::Target;
use super::manifest::told;

const MANIFEST: &str = r#"
api = "sluice:plugin@0.1"
plugin = { kind = "smoke-test", name = "fuzzed", version = "0.0.1" }
"#;
const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (table 4 funcref)
    (global $g (mut i32) (i32.const 7))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func $run (export "sluice:plugin/smoke-test@0.1.0#run") (param i32) (result i32)
        (block (br_if 0 (local.get 0)) (global.set $g (i32.add (global.get $g) (i32.const 1))))
        unreachable)
    (func (export "sluice:plugin/settings@0.1.0#validate") (param i32 i32) (result i32) (i32.const 16))
    (elem (i32.const 0) $run)
    (data (i32.const 64) "some data")
)"#;

struct Loader {
    runtime: Runtime,
    host: Host,
    folder: tempfile::TempDir,
}

pub(super) fn target(compiler: &Path) -> Target {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    let options = HostOptions {
        compiler: Compiler::Child {
            program: compiler.to_owned(),
            arguments: vec![COMPILE_ARGUMENT.into()],
        },
        ..HostOptions::default()
    };
    let host = runtime
        .block_on(Host::open(folder.path(), options))
        .expect("a host");
    let loader = Loader {
        runtime,
        host,
        folder,
    };
    Target {
        name: "components",
        words: &[
            "\0asm\r\0\u{1}\0",
            "\0asm\u{1}\0\0\0",
            "sluice:manifest",
            "\u{7f}",
        ],
        // The compile child has a minute of CPU; honest mutants take milliseconds.
        limit: Duration::from_secs(20),
        seeds,
        check: Box::new(move |input| loader.check(input)),
    }
}

impl Loader {
    fn check(&self, input: &[u8]) -> Result<(), String> {
        let path = self.folder.path().join("x.wasm");
        std::fs::write(path, input).map_err(|error| error.to_string())?;
        let cards = self.runtime.block_on(self.host.reload());
        cards.iter().try_for_each(told)
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut resolve = Resolve::new();
    let (package, _) = resolve
        .push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit"))
        .expect("the contract");
    let world = resolve
        .select_world(&[package], Some("smoke-test-plugin"))
        .expect("a world");
    let mut module = wat::parse_str(MODULE).expect("a module");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    let mut component = ComponentEncoder::default()
        .module(&module)
        .expect("a module")
        .encode()
        .expect("a component");
    let name = b"sluice:manifest";
    let size = 1 + name.len() + MANIFEST.len();
    component.push(0);
    component.extend([
        (size & 0x7f) as u8 | 0x80,
        (size >> 7) as u8,
        name.len() as u8,
    ]);
    component.extend(name);
    component.extend(MANIFEST.as_bytes());
    vec![component]
}
