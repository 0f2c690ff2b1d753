//! Components that no honest compiler emits: WebAssembly text, wrapped as the contract wants it.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::Folder;

/// The smallest one.
pub(crate) const MANIFEST: &str = r#"
api = "sluice:plugin@0.1"
plugin = { kind = "smoke-test", name = "hostile", version = "0.0.1" }
"#;

/// A core module that fits the smoke-test world; the parts that an attack does not touch are honest.
pub(crate) struct Module {
    pub(crate) imports: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) realloc: &'static str,
    pub(crate) run: &'static str,
    pub(crate) validate: &'static str,
    pub(crate) more: &'static str,
}

impl Default for Module {
    fn default() -> Self {
        Module {
            imports: "",
            memory: "(memory (export \"memory\") 2)",
            realloc: "(i32.const 1024)",
            run: "(unreachable)",
            // Address of an empty list.
            validate: "(i32.const 16)",
            more: "",
        }
    }
}

impl Module {
    /// The component, with its manifest.
    pub(crate) fn component(&self) -> Vec<u8> {
        let Module {
            imports,
            memory,
            realloc,
            run,
            validate,
            more,
        } = self;
        let text = format!(
            r#"(module
                {imports}
                {memory}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func $run (export "sluice:plugin/smoke-test@0.1.0#run") (param i32) (result i32) {run})
                (func (export "sluice:plugin/settings@0.1.0#validate") (param i32 i32) (result i32) {validate})
                {more}
            )"#
        );
        let module = wat::parse_str(text).unwrap();
        with_manifest(encode(&module, "smoke-test-plugin"), MANIFEST)
    }

    /// A plugins folder with nothing else in it.
    pub(crate) fn folder(&self) -> Folder {
        Folder::new().file("hostile.wasm", self.component())
    }
}

/// A core module as a component of this world of ours.
pub(crate) fn encode(module: &[u8], world: &str) -> Vec<u8> {
    let mut resolve = Resolve::new();
    let (package, _) = resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))
        .unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(&module)
        .unwrap()
        .validate(false)
        .encode()
        .unwrap()
}

/// Appends the custom section, on the component's own level.
pub(crate) fn with_manifest(mut component: Vec<u8>, manifest: &str) -> Vec<u8> {
    let name = "sluice:manifest";
    let mut content = vec![u8::try_from(name.len()).unwrap()];
    content.extend(name.as_bytes());
    content.extend(manifest.as_bytes());
    component.push(0);
    component.extend(leb128(content.len()));
    component.extend(content);
    component
}

/// A length as binaries write it.
pub(crate) fn leb128(mut size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while size >= 0x80 {
        bytes.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes
}

/// A function body of this many bytes, near the most that WebAssembly allows: every block is another
/// value that lives to the end.
pub(crate) fn large_function(bytes: usize) -> Vec<u8> {
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
pub(crate) fn with_functions(more: usize, body: &[u8]) -> Vec<u8> {
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
