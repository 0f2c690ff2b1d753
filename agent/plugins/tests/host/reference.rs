//! docs/plugin-reference.md is what `wit/` says, in the order in which people read it.

use std::fmt::Write as _;
use std::path::Path;

use wit_parser::{
    Docs, Function, FunctionKind, Handle, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeId,
    TypeOwner, WorldItem, WorldKey,
};

const FILE: &str = "../../docs/plugin-reference.md";
const HEAD: &str = "# Reference of the plugin contract

Made from [`wit/`](../wit/README.md) by a test: `UPDATE=1 cargo test -p sluice-plugins --test host reference`. How to
write a plugin: [docs/plugin-authors.md](plugin-authors.md).
";
/// The kinds first, then what they may call, then what both speak of.
const INTERFACES: [&str; 11] = [
    "smoke-test",
    "metric-provider",
    "approval-provider",
    "traffic-strategy",
    "notifier",
    "settings",
    "context",
    "log",
    "http",
    "tls",
    "types",
];

fn reference() -> String {
    let mut resolve = Resolve::new();
    let (package, _) = resolve
        .push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))
        .unwrap();
    let package = &resolve.packages[package];
    let mut out = HEAD.to_owned();
    write!(out, "\n`{}`\n", package.name).unwrap();
    out.push_str("\n## Worlds\n\n| world | what it is | imports | exports |\n|---|---|---|---|\n");
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        let names = |items: Vec<&WorldKey>| {
            let mut names: Vec<String> = items
                .into_iter()
                .map(|key| match key {
                    WorldKey::Name(name) => name.clone(),
                    WorldKey::Interface(id) => link(&resolve, *id),
                })
                .collect();
            names.sort();
            names.join(", ")
        };
        let interfaces =
            |(_, item): &(&WorldKey, &WorldItem)| matches!(item, WorldItem::Interface { .. });
        let imports = world.imports.iter().filter(interfaces).map(|(key, _)| key);
        let exports = world.exports.iter().filter(interfaces).map(|(key, _)| key);
        writeln!(
            out,
            "| `{name}` | {} | {} | {} |",
            line(&world.docs),
            names(imports.collect()),
            names(exports.collect())
        )
        .unwrap();
    }
    assert_eq!(
        package.interfaces.len(),
        INTERFACES.len(),
        "a new interface"
    );
    for name in INTERFACES {
        interface(&resolve, package.interfaces[name], &mut out);
    }
    out
}

fn link(resolve: &Resolve, id: InterfaceId) -> String {
    let name = resolve.interfaces[id].name.clone().unwrap_or_default();
    format!("[`{name}`](#{name})")
}

/// Docs as one paragraph.
fn line(docs: &Docs) -> String {
    let text = docs.contents.clone().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn paragraphs(docs: &Docs) -> String {
    docs.contents.clone().unwrap_or_default().trim().to_owned()
}

fn interface(resolve: &Resolve, id: InterfaceId, out: &mut String) {
    let interface = &resolve.interfaces[id];
    let name = interface.name.clone().unwrap_or_default();
    write!(out, "\n## {name}\n\n{}\n", paragraphs(&interface.docs)).unwrap();
    let free = |function: &&Function| matches!(function.kind, FunctionKind::Freestanding);
    for function in interface.functions.values().filter(free) {
        function_text(resolve, function, out);
    }
    for (name, id) in &interface.types {
        let ty = &resolve.types[*id];
        // What is used from another interface stands there.
        if matches!(ty.kind, TypeDefKind::Type(Type::Id(_))) {
            continue;
        }
        type_definition(resolve, name, ty, out);
        let methods = interface
            .functions
            .values()
            .filter(|function| matches!(function.kind, FunctionKind::Method(of) if of == *id));
        for method in methods {
            function_text(resolve, method, out);
        }
    }
}

fn function_text(resolve: &Resolve, function: &Function, out: &mut String) {
    let is_method = !matches!(function.kind, FunctionKind::Freestanding);
    let parameters: Vec<String> = function
        .params
        .iter()
        .skip(usize::from(is_method))
        .map(|param| format!("{}: {}", param.name, text(resolve, &param.ty)))
        .collect();
    let result = match &function.result {
        Some(ty) => format!(" -> {}", text(resolve, ty)),
        None => String::new(),
    };
    let name = match function.name.rsplit_once('.') {
        Some((_, name)) => name,
        None => &function.name,
    };
    write!(
        out,
        "\n### `{name}: func({}){result}`\n\n{}\n",
        parameters.join(", "),
        paragraphs(&function.docs)
    )
    .unwrap();
}

fn type_definition(resolve: &Resolve, name: &str, ty: &TypeDef, out: &mut String) {
    write!(
        out,
        "\n### {} `{name}`\n\n{}\n",
        ty.kind.as_str(),
        paragraphs(&ty.docs)
    )
    .unwrap();
    let rows: Vec<(String, String, String)> = match &ty.kind {
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .map(|field| {
                let ty = format!("`{}`", text(resolve, &field.ty));
                (field.name.clone(), ty, line(&field.docs))
            })
            .collect(),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .map(|case| {
                let ty = match &case.ty {
                    Some(ty) => format!("`{}`", text(resolve, ty)),
                    None => String::new(),
                };
                (case.name.clone(), ty, line(&case.docs))
            })
            .collect(),
        TypeDefKind::Enum(cases) => cases
            .cases
            .iter()
            .map(|case| (case.name.clone(), String::new(), line(&case.docs)))
            .collect(),
        TypeDefKind::Type(alias) => {
            writeln!(out, "\nThe same as `{}`.", text(resolve, alias)).unwrap();
            Vec::new()
        }
        TypeDefKind::List(_) => {
            writeln!(out, "\nThe same as `{}`.", kind_text(resolve, ty)).unwrap();
            Vec::new()
        }
        TypeDefKind::Resource => Vec::new(),
        other => panic!("the reference does not know {}", other.as_str()),
    };
    if !rows.is_empty() {
        out.push_str("\n| | | |\n|---|---|---|\n");
    }
    for (name, ty, docs) in rows {
        writeln!(out, "| `{name}` | {ty} | {docs} |").unwrap();
    }
}

fn text(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => named(resolve, *id),
        Type::Bool => "bool".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::F64 => "f64".to_owned(),
        other => panic!("the reference does not know {other:?}"),
    }
}

fn named(resolve: &Resolve, id: TypeId) -> String {
    let ty = &resolve.types[id];
    match (&ty.name, &ty.owner) {
        (Some(name), TypeOwner::Interface(_)) => name.clone(),
        _ => kind_text(resolve, ty),
    }
}

fn kind_text(resolve: &Resolve, ty: &TypeDef) -> String {
    let or_nothing = |ty: &Option<Type>| match ty {
        Some(ty) => text(resolve, ty),
        None => "_".to_owned(),
    };
    match &ty.kind {
        TypeDefKind::Option(inner) => format!("option<{}>", text(resolve, inner)),
        TypeDefKind::List(inner) => format!("list<{}>", text(resolve, inner)),
        TypeDefKind::Result(result) => {
            format!(
                "result<{}, {}>",
                or_nothing(&result.ok),
                or_nothing(&result.err)
            )
        }
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<String> = tuple.types.iter().map(|ty| text(resolve, ty)).collect();
            format!("tuple<{}>", parts.join(", "))
        }
        TypeDefKind::Handle(Handle::Borrow(of)) => format!("borrow<{}>", named(resolve, *of)),
        TypeDefKind::Handle(Handle::Own(of)) => named(resolve, *of),
        other => panic!("the reference does not know {}", other.as_str()),
    }
}

#[test]
fn the_reference_says_what_the_contract_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let made = reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == made,
        "docs/plugin-reference.md is not what wit/ says; run UPDATE=1 cargo test -p sluice-plugins --test host reference"
    );
}

/// Nothing of the contract is left without a word.
#[test]
fn every_item_of_the_contract_is_documented() {
    let made = reference();
    let bare: Vec<&str> = made
        .lines()
        .filter(|line| line.starts_with("| `") && line.ends_with("|  |"))
        .collect();
    assert_eq!(bare, Vec::<&str>::new());
    let mut lines = made.lines().filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        if line.starts_with("### ") {
            let next = lines.clone().next().unwrap_or_default();
            assert!(!next.starts_with('#') && !next.starts_with('|'), "{line}");
        }
    }
}
