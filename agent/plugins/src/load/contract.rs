//! Does a component speak the contract in `wit/`? Lists **every** difference by interface and
//! function; the runtime's own text names only the first (plugins.md section 6, check 3).

use std::collections::HashSet;
use std::sync::OnceLock;

use sluice_core::plugin::PluginKind;
use wit_component::DecodedWasm;
use wit_parser::{
    Function, Handle, InterfaceId, PackageId, Resolve, SourceMap, Type, TypeDefKind, TypeId,
    TypeOwner, World, WorldItem, WorldKey,
};

use crate::card::Card;
use crate::manifest::{API, KINDS, Manifest, kind_name};

/// The contract's text as this host was built with it.
const WIT: [(&str, &str); 12] = [
    (
        "approval-provider.wit",
        include_str!("../../../../wit/approval-provider.wit"),
    ),
    ("context.wit", include_str!("../../../../wit/context.wit")),
    ("http.wit", include_str!("../../../../wit/http.wit")),
    ("log.wit", include_str!("../../../../wit/log.wit")),
    (
        "metric-provider.wit",
        include_str!("../../../../wit/metric-provider.wit"),
    ),
    ("notifier.wit", include_str!("../../../../wit/notifier.wit")),
    ("settings.wit", include_str!("../../../../wit/settings.wit")),
    (
        "smoke-test.wit",
        include_str!("../../../../wit/smoke-test.wit"),
    ),
    ("tls.wit", include_str!("../../../../wit/tls.wit")),
    (
        "traffic-strategy.wit",
        include_str!("../../../../wit/traffic-strategy.wit"),
    ),
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// WASI packages that are linked, closed.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Most differences that a card lists.
const MAX_LISTED: usize = 20;

/// Compares. Blocking. Every misfit is in one of the cards: what it imports and does not get, and where
/// it means something else.
///
/// # Errors
/// A card: nothing can be compared.
pub(crate) fn check(bytes: &[u8], manifest: &Manifest, file: &str) -> Result<Vec<Card>, Card> {
    let subject = manifest.subject();
    let undecodable = || {
        Card::new("plugin/invalid", &subject)
            .because("its interfaces cannot be read")
            .change("build it with the tools of sluice-sdk")
    };
    let (guest, world) = match wit_component::decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => {
            return Err(Card::new("plugin/wit-package", &subject)
                .because("this is a WIT package, not a component")
                .change("put the component there that implements the interfaces"));
        }
        Err(error) => {
            tracing::warn!(target: "sluice::plugin", file, error = format!("{error:#}"), "decode");
            return Err(undecodable());
        }
    };
    let Some((host, package)) = host_contract() else {
        return Err(undecodable());
    };
    let kind = manifest.plugin.kind;
    let world = guest.worlds.get(world).ok_or_else(undecodable)?;
    let mut differ = Differ {
        host,
        guest: &guest,
        seen: HashSet::new(),
        differences: Vec::new(),
    };
    let mut refused = Vec::new();
    let (mut built_for, mut other_kind) = (None, None);
    for (key, item) in &world.imports {
        match (key, item) {
            (WorldKey::Interface(id), WorldItem::Interface { .. }) => {
                match import_of(&guest, *id, manifest) {
                    Import::Contract(name) => match interface(host, *package, &name) {
                        Some(expected) => differ.imported(&name, expected, *id),
                        None => differ
                            .differences
                            .push(format!("{name}: unknown interface")),
                    },
                    Import::OtherVersion(version) => built_for = Some(version),
                    Import::Wasi => {}
                    Import::Refused(why) => refused.push(why),
                }
            }
            // Types of the world itself need nobody behind them.
            (_, WorldItem::Type { .. }) => {}
            (key, WorldItem::Interface { .. } | WorldItem::Function(_)) => refused.push(format!(
                "it imports \"{}\", which no plugin gets",
                crate::text::line(&guest.name_world_key(key), 120)
            )),
        }
    }
    for name in ["settings", kind_name(kind)] {
        let exported = world.exports.keys().find_map(|key| match key {
            WorldKey::Interface(id) => contract_name(&guest, *id)
                .filter(|(found, _)| found == name)
                .map(|(_, version)| (*id, version)),
            WorldKey::Name(_) => None,
        });
        match (exported, interface(host, *package, name)) {
            (Some((_, version)), _) if !same_track(&version) => built_for = Some(version),
            (Some((id, _)), Some(expected)) => differ.exported(name, expected, id),
            (None, _) | (_, None) => {
                differ
                    .differences
                    .push(format!("{name}: the plugin does not export it"));
                other_kind = KINDS
                    .into_iter()
                    .filter(|other| name == kind_name(kind) && *other != kind)
                    .find(|other| exports(&guest, world, kind_name(*other)));
            }
        }
    }
    if let Some(other) = other_kind {
        differ.differences.push(format!(
            "it exports {0}: is it a {0}, and plugin.toml says kind = \"{1}\"?",
            kind_name(other),
            kind_name(kind)
        ));
    }
    let mut misfits = Vec::new();
    if !refused.is_empty() {
        misfits.push(
            Card::new("plugin/import-refused", &subject)
                .because_of(shortened(refused))
                .change(format!(
                    "build it without these imports; a {} needs none of them",
                    kind_name(kind)
                )),
        );
    }
    // Of another age: each difference in detail would only say that once more.
    if let Some(version) = built_for {
        misfits.push(
            Card::new("plugin/api-mismatch", &subject)
                .because(format!(
                    "built for sluice:plugin@{version}, this agent serves {API}"
                ))
                .change("upgrade the agent to one that serves it, or rebuild with sluice-sdk 0.1"),
        );
    } else if !differ.differences.is_empty() {
        misfits.push(
            Card::new("plugin/api-mismatch", &subject)
                .because_of(shortened(differ.differences))
                .change("rebuild with sluice-sdk 0.1, or upgrade the agent if the plugin is newer"),
        );
    }
    Ok(misfits)
}

fn exports(guest: &Resolve, world: &World, name: &str) -> bool {
    world.exports.keys().any(|key| match key {
        WorldKey::Interface(id) => {
            contract_name(guest, *id).is_some_and(|(found, _)| found == name)
        }
        WorldKey::Name(_) => false,
    })
}

/// As many reasons as a person reads.
fn shortened(mut reasons: Vec<String>) -> Vec<String> {
    let more = reasons.len().saturating_sub(MAX_LISTED);
    reasons.truncate(MAX_LISTED);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    reasons
}

fn host_contract() -> Option<&'static (Resolve, PackageId)> {
    static CONTRACT: OnceLock<Option<(Resolve, PackageId)>> = OnceLock::new();
    CONTRACT
        .get_or_init(|| {
            let mut sources = SourceMap::new();
            for (name, text) in WIT {
                sources.push_str(name, text);
            }
            let group = sources.parse().ok()?;
            let mut resolve = Resolve::new();
            let package = resolve.push_group(group).ok()?;
            Some((resolve, package))
        })
        .as_ref()
}

fn interface(host: &Resolve, package: PackageId, name: &str) -> Option<InterfaceId> {
    host.packages.get(package)?.interfaces.get(name).copied()
}

enum Import {
    Contract(String),
    OtherVersion(String),
    Wasi,
    Refused(String),
}

/// Name and version of an interface of `sluice:plugin`.
fn contract_name(guest: &Resolve, id: InterfaceId) -> Option<(String, String)> {
    let interface = guest.interfaces.get(id)?;
    let package = &guest.packages.get(interface.package?)?.name;
    if package.namespace != "sluice" || package.name != "plugin" {
        return None;
    }
    let version = package
        .version
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    Some((interface.name.clone()?, version))
}

/// 0.1.x: functions may be added, nothing else (plugins.md section 2).
fn same_track(version: &str) -> bool {
    version.starts_with("0.1.")
}

fn import_of(guest: &Resolve, id: InterfaceId, manifest: &Manifest) -> Import {
    let kind = manifest.plugin.kind;
    let shown = crate::text::line(&guest.id_of(id).unwrap_or_default(), 120);
    if let Some((name, version)) = contract_name(guest, id) {
        if !same_track(&version) {
            return Import::OtherVersion(version);
        }
        let open = match name.as_str() {
            "types" | "log" | "context" => true,
            "http" => kind != PluginKind::TrafficStrategy,
            "tls" => matches!(kind, PluginKind::SmokeTest | PluginKind::MetricProvider),
            _ => false,
        };
        if open {
            return Import::Contract(name);
        }
        return Import::Refused(format!(
            "it imports {shown}, which a {} does not get",
            kind_name(kind)
        ));
    }
    let package = guest
        .interfaces
        .get(id)
        .and_then(|interface| interface.package)
        .and_then(|package| guest.packages.get(package))
        .map(|package| &package.name);
    match package {
        Some(package) if package.namespace == "wasi" && WASI.contains(&package.name.as_str()) => {
            let known = package
                .version
                .as_ref()
                .is_some_and(|v| v.major == 0 && v.minor == 2);
            if known {
                Import::Wasi
            } else {
                Import::Refused(format!("it imports {shown}; this agent serves WASI 0.2"))
            }
        }
        Some(package) if package.namespace == "wasi" && package.name == "http" => {
            let name = guest.interfaces.get(id).and_then(|i| i.name.as_deref());
            let offered = matches!(name, Some("outgoing-handler" | "types"));
            let known = package
                .version
                .as_ref()
                .is_some_and(|v| v.major == 0 && v.minor == 2);
            if kind == PluginKind::TrafficStrategy {
                Import::Refused(format!(
                    "it imports {shown}, which a {} does not get",
                    kind_name(kind)
                ))
            } else if !offered || !known {
                Import::Refused(format!(
                    "it imports {shown}; this agent offers outgoing-handler of wasi:http 0.2"
                ))
            } else if !manifest.wasi_http {
                Import::Refused(format!(
                    "it imports {shown}, and plugin.toml does not ask for that door (wasi-http = true)"
                ))
            } else {
                Import::Wasi
            }
        }
        Some(_) | None => Import::Refused(format!("it imports {shown}, which no plugin gets")),
    }
}

struct Differ<'a> {
    host: &'a Resolve,
    guest: &'a Resolve,
    seen: HashSet<(TypeId, TypeId)>,
    differences: Vec<String>,
}

impl Differ<'_> {
    /// What the guest calls must be there, and mean the same.
    fn imported(&mut self, name: &str, host: InterfaceId, guest: InterfaceId) {
        let (Some(host), Some(guest)) = (
            self.host.interfaces.get(host),
            self.guest.interfaces.get(guest),
        ) else {
            return;
        };
        for (key, theirs) in &guest.functions {
            match host.functions.get(key) {
                Some(ours) => self.function(name, ours, theirs),
                None => self.say(format!(
                    "{name}.{}: this agent has no such function",
                    plain(key)
                )),
            }
        }
    }

    /// What the host calls must be there, and mean the same. More is welcome.
    fn exported(&mut self, name: &str, host: InterfaceId, guest: InterfaceId) {
        let (Some(host), Some(guest)) = (
            self.host.interfaces.get(host),
            self.guest.interfaces.get(guest),
        ) else {
            return;
        };
        for (key, ours) in &host.functions {
            match guest.functions.get(key) {
                Some(theirs) => self.function(name, ours, theirs),
                None => self.say(format!(
                    "{name}.{}: the plugin does not export it",
                    plain(key)
                )),
            }
        }
    }

    fn function(&mut self, interface: &str, ours: &Function, theirs: &Function) {
        let at = format!("{interface}.{}", plain(&ours.name));
        if ours.params.len() != theirs.params.len() {
            self.say(format!(
                "{at}: takes {} parameters, the plugin has {}",
                ours.params.len(),
                theirs.params.len()
            ));
        }
        for (our, their) in ours.params.iter().zip(&theirs.params) {
            self.types(
                &format!("{at}: parameter \"{}\"", our.name),
                our.ty,
                their.ty,
            );
        }
        match (ours.result, theirs.result) {
            (Some(our), Some(their)) => self.types(&format!("{at}: result"), our, their),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                self.say(format!("{at}: one side has a result, the other has none"));
            }
        }
    }

    fn types(&mut self, at: &str, ours: Type, theirs: Type) {
        match (ours, theirs) {
            (Type::Id(ours), Type::Id(theirs)) => {
                self.defined(at, root(self.host, ours), root(self.guest, theirs));
            }
            (Type::Id(ours), theirs) => match aliased(self.host, ours) {
                Some(ours) => self.types(at, ours, theirs),
                None => self.say(format!("{at}: is of another type")),
            },
            (ours, Type::Id(theirs)) => match aliased(self.guest, theirs) {
                Some(theirs) => self.types(at, ours, theirs),
                None => self.say(format!("{at}: is of another type")),
            },
            (ours, theirs) if ours == theirs => {}
            (ours, theirs) => self.say(format!("{at}: is {theirs:?}, expected {ours:?}")),
        }
    }

    fn defined(&mut self, at: &str, ours: TypeId, theirs: TypeId) {
        if !self.seen.insert((ours, theirs)) {
            return;
        }
        let (Some(our), Some(their)) = (self.host.types.get(ours), self.guest.types.get(theirs))
        else {
            return;
        };
        let at = type_name(self.host, ours).unwrap_or_else(|| at.to_owned());
        match (&our.kind, &their.kind) {
            (TypeDefKind::Record(our), TypeDefKind::Record(their)) => {
                let our: Vec<_> = our
                    .fields
                    .iter()
                    .map(|f| (f.name.as_str(), Some(f.ty)))
                    .collect();
                let their: Vec<_> = their
                    .fields
                    .iter()
                    .map(|f| (f.name.as_str(), Some(f.ty)))
                    .collect();
                self.members(&at, "field", &our, &their);
            }
            (TypeDefKind::Variant(our), TypeDefKind::Variant(their)) => {
                let our: Vec<_> = our.cases.iter().map(|c| (c.name.as_str(), c.ty)).collect();
                let their: Vec<_> = their
                    .cases
                    .iter()
                    .map(|c| (c.name.as_str(), c.ty))
                    .collect();
                self.members(&at, "case", &our, &their);
            }
            (TypeDefKind::Enum(our), TypeDefKind::Enum(their)) => {
                let our: Vec<_> = our.cases.iter().map(|c| (c.name.as_str(), None)).collect();
                let their: Vec<_> = their
                    .cases
                    .iter()
                    .map(|c| (c.name.as_str(), None))
                    .collect();
                self.members(&at, "case", &our, &their);
            }
            (TypeDefKind::Flags(our), TypeDefKind::Flags(their)) => {
                let our: Vec<_> = our.flags.iter().map(|f| (f.name.as_str(), None)).collect();
                let their: Vec<_> = their
                    .flags
                    .iter()
                    .map(|f| (f.name.as_str(), None))
                    .collect();
                self.members(&at, "flag", &our, &their);
            }
            (TypeDefKind::Tuple(our), TypeDefKind::Tuple(their)) => {
                if our.types.len() != their.types.len() {
                    self.say(format!("{at}: is a tuple of another length"));
                }
                for (our, their) in our.types.iter().zip(&their.types) {
                    self.types(&at, *our, *their);
                }
            }
            (TypeDefKind::List(our), TypeDefKind::List(their))
            | (TypeDefKind::Option(our), TypeDefKind::Option(their)) => {
                self.types(&at, *our, *their);
            }
            (TypeDefKind::Result(our), TypeDefKind::Result(their)) => {
                for (our, their) in [(our.ok, their.ok), (our.err, their.err)] {
                    match (our, their) {
                        (Some(our), Some(their)) => self.types(&at, our, their),
                        (None, None) => {}
                        (Some(_), None) | (None, Some(_)) => {
                            self.say(format!("{at}: is a result of another shape"));
                        }
                    }
                }
            }
            (TypeDefKind::Handle(Handle::Own(our)), TypeDefKind::Handle(Handle::Own(their)))
            | (
                TypeDefKind::Handle(Handle::Borrow(our)),
                TypeDefKind::Handle(Handle::Borrow(their)),
            ) => self.defined(&at, root(self.host, *our), root(self.guest, *their)),
            (TypeDefKind::Resource, TypeDefKind::Resource) => {
                let name = type_name(self.guest, theirs);
                if name.as_deref() != Some(at.as_str()) {
                    self.say(format!("{at}: is another resource"));
                }
            }
            (our, their) => {
                self.say(format!(
                    "{at}: is a {}, expected a {}",
                    their.as_str(),
                    our.as_str()
                ));
            }
        }
    }

    fn members(
        &mut self,
        at: &str,
        what: &str,
        ours: &[(&str, Option<Type>)],
        theirs: &[(&str, Option<Type>)],
    ) {
        let before = self.differences.len();
        for (name, _) in theirs
            .iter()
            .filter(|(name, _)| !ours.iter().any(|our| our.0 == *name))
        {
            self.say(format!(
                "{at} has an extra {what} \"{}\"",
                crate::text::line(name, 64)
            ));
        }
        for (name, _) in ours
            .iter()
            .filter(|(name, _)| !theirs.iter().any(|their| their.0 == *name))
        {
            self.say(format!("{at} lacks the {what} \"{name}\""));
        }
        if self.differences.len() > before {
            return;
        }
        if ours
            .iter()
            .map(|our| our.0)
            .ne(theirs.iter().map(|their| their.0))
        {
            self.say(format!("{at} has its {what}s in another order"));
            return;
        }
        for ((name, our), (_, their)) in ours.iter().zip(theirs) {
            match (our, their) {
                (Some(our), Some(their)) => {
                    self.types(&format!("{at}: {what} \"{name}\""), *our, *their);
                }
                (None, None) => {}
                (Some(_), None) | (None, Some(_)) => {
                    self.say(format!("{at}: {what} \"{name}\" carries something else"));
                }
            }
        }
    }

    fn say(&mut self, difference: String) {
        self.differences.push(crate::text::line(&difference, 300));
    }
}

/// `types.outcome`, where the type has a name and an interface.
fn type_name(resolve: &Resolve, id: TypeId) -> Option<String> {
    let defined = resolve.types.get(id)?;
    match defined.owner {
        TypeOwner::Interface(interface) => Some(format!(
            "{}.{}",
            resolve.interfaces.get(interface)?.name.as_ref()?,
            defined.name.as_ref()?
        )),
        TypeOwner::World(_) | TypeOwner::None => None,
    }
}

/// Follows `use` and `type a = b` to the definition.
fn root(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let Some(TypeDefKind::Type(Type::Id(next))) = resolve.types.get(id).map(|ty| &ty.kind) {
        id = *next;
    }
    id
}

/// The primitive type behind an alias.
fn aliased(resolve: &Resolve, id: TypeId) -> Option<Type> {
    match resolve.types.get(root(resolve, id)).map(|ty| &ty.kind) {
        Some(TypeDefKind::Type(ty)) => Some(*ty),
        _ => None,
    }
}

/// `[method]invocation.release` as people write it.
fn plain(function: &str) -> String {
    let name = function.split_once(']').map_or(function, |(_, name)| name);
    crate::text::line(name, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_contract_is_whole_and_parses() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".wit"))
            .collect();
        files.sort();
        assert_eq!(files, WIT.map(|(name, _)| name));
        let (host, package) = host_contract().unwrap();
        assert!(interface(host, *package, "smoke-test").is_some());
    }
}
