//! A component with a crowd of instances in it, which no compiler makes.

use crate::module::leb128;

/// The component with so many more instances of an empty module.
pub(crate) fn with_instances(mut component: Vec<u8>, instances: usize) -> Vec<u8> {
    let modules = wasmparser::Parser::new(0)
        .parse_all(&component)
        .filter(|part| matches!(part, Ok(wasmparser::Payload::ModuleSection { .. })))
        .count();
    let empty = wat::parse_str("(module)").unwrap();
    let mut section = |id: u8, content: Vec<u8>| {
        component.push(id);
        component.extend(leb128(content.len()));
        component.extend(content);
    };
    section(1, empty);
    let mut made = leb128(instances);
    for _ in 0..instances {
        // Instantiate, with no arguments.
        made.push(0);
        made.extend(leb128(modules));
        made.push(0);
    }
    section(2, made);
    component
}
