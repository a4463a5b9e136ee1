//! The Rust names of everything: one place that keeps them apart from each other and from the runtime's.

use std::collections::BTreeSet;

use super::casing::{bare_snake, camel, free, module, part, snake, upper};
use super::structs::Defaults;
use crate::ir::{
    AliasId, Direction, Field, FieldKind, Interface, InterfaceId, Method, MethodKind, Model,
    PackageId, Struct, TypeDefKind, TypeId,
};

/// Methods of the runtime's client, server and blocking client, and of the traits that every type has. A stub of that name
/// would hide them, so it gets an underscore, on all sides alike.
const RESERVED_METHODS: &[&str] = &[
    "as_ref",
    "batch",
    "bind",
    "bind_with",
    "blocking",
    "borrow",
    "borrow_mut",
    "call",
    "call_async",
    "clients",
    "clone",
    "close",
    "connect",
    "connect_with",
    "core",
    "counters",
    "deref",
    "deref_mut",
    "drop",
    "emit",
    "fail",
    "fd",
    "finish",
    "finished",
    "fmt",
    "from",
    "histogram",
    "hold_doorbell",
    "in_flight",
    "into",
    "loan",
    "new",
    "over",
    "poll",
    "poll_events",
    "recv",
    "reply",
    "retrying",
    "ring_doorbell",
    "serve",
    "set",
    "stop",
    "stopper",
    "tell",
    "transport",
    "try_from",
    "try_into",
    "type_id",
    "wait",
    "window",
    "within",
];

/// What a union has besides its arms.
const RESERVED_ARMS: &[&str] = &[
    "arm",
    "borrow",
    "borrow_mut",
    "clamp",
    "clone",
    "cmp",
    "default",
    "eq",
    "fmt",
    "from",
    "hash",
    "into",
    "max",
    "min",
    "ne",
    "of",
    "partial_cmp",
    "r#try",
    "try_from",
    "try_into",
    "type_id",
    "validate",
    "value",
];

/// The names at package level.
#[derive(Debug)]
pub(super) struct Names {
    packages: Vec<String>,
    types: Vec<String>,
    arms: Vec<String>,
    aliases: Vec<String>,
    modules: Vec<String>,
    consts: Vec<Vec<String>>,
    /// Not a name, but likewise worked out once for the whole model: which structs have defaults.
    pub(super) defaults: Defaults,
}

impl Names {
    /// Names everything in a model.
    pub(super) fn new(model: &Model) -> Self {
        let mut modules = BTreeSet::new();
        let packages = model.packages.iter().map(|package| {
            let parts = package.name.split('.').enumerate();
            let parts: Vec<_> = parts
                .map(|(index, name)| {
                    if index == 0 {
                        bare_snake(name)
                    } else {
                        part(name)
                    }
                })
                .collect();
            // A file `mod.rs` lists the others, and a package without a name still needs one.
            let name = match parts.join("_").as_str() {
                "" => "package".to_owned(),
                "mod" => "mod_".to_owned(),
                name => module(name),
            };
            claim(&mut modules, &name)
        });
        let packages: Vec<_> = packages.collect();
        let mut names = Self {
            types: vec![String::new(); model.types.len()],
            arms: vec![String::new(); model.types.len()],
            aliases: vec![String::new(); model.aliases.len()],
            modules: vec![String::new(); model.interfaces.len()],
            consts: Vec::with_capacity(packages.len()),
            packages,
            defaults: Defaults::new(model),
        };
        for package in &model.packages {
            // Any other package may become a module next to these items.
            let mut taken = modules.clone();
            let consts = package
                .consts
                .iter()
                .map(|it| claim(&mut taken, &upper(&it.name)));
            names.consts.push(consts.collect());
            let interfaces: BTreeSet<&str> = package
                .interfaces
                .iter()
                .map(|&id| model.interface(id).name.as_str())
                .collect();
            for id in &package.aliases {
                put(
                    &mut names.aliases,
                    id.0,
                    claim(&mut taken, &nested(&model.alias(*id).name, &interfaces)),
                );
            }
            for id in &package.types {
                put(
                    &mut names.types,
                    id.0,
                    claim(&mut taken, &nested(&model.def(*id).name, &interfaces)),
                );
            }
            for id in &package.types {
                if matches!(model.def(*id).kind, TypeDefKind::Union(_)) {
                    // An underscore that sets a name apart would stand in the middle, where Rust does not want it.
                    let arm = format!("{}Arm", names.of_type(*id).trim_end_matches('_'));
                    put(&mut names.arms, id.0, claim(&mut taken, &arm));
                }
            }
            for id in &package.interfaces {
                let name = module(without_i(&model.interface(*id).name));
                put(&mut names.modules, id.0, claim(&mut taken, &name));
            }
        }
        names
    }

    /// The module of a package.
    pub(super) fn of_package(&self, id: PackageId) -> &str {
        at(&self.packages, id.0)
    }

    /// A declared type.
    pub(super) fn of_type(&self, id: TypeId) -> &str {
        at(&self.types, id.0)
    }

    /// The enum of the arms of a union.
    pub(super) fn of_arms(&self, id: TypeId) -> &str {
        at(&self.arms, id.0)
    }

    /// An alias.
    pub(super) fn of_alias(&self, id: AliasId) -> &str {
        at(&self.aliases, id.0)
    }

    /// The module of an interface.
    pub(super) fn of_interface(&self, id: InterfaceId) -> &str {
        at(&self.modules, id.0)
    }

    /// The constants of a package, in declared order.
    pub(super) fn consts(&self, id: PackageId) -> &[String] {
        self.consts.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }
}

fn at(names: &[String], id: u32) -> &str {
    names.get(id as usize).map_or("", String::as_str)
}

fn put(names: &mut [String], id: u32, name: String) {
    if let Some(place) = names.get_mut(id as usize) {
        *place = name;
    }
}

/// A name that is not taken yet, and now is.
fn claim(taken: &mut BTreeSet<String>, name: &str) -> String {
    let name = free(name, |name| taken.contains(name));
    taken.insert(name.clone());
    name
}

/// As [`claim`], for a name that is none of the reserved ones either, which are sorted.
fn claim_unreserved(taken: &mut BTreeSet<String>, reserved: &[&str], name: &str) -> String {
    let name = free(name, |name| {
        taken.contains(name) || reserved.binary_search(&name).is_ok()
    });
    taken.insert(name.clone());
    name
}

/// `Image.Format` is `ImageFormat`, `IKvStore.Mode` is `KvStoreMode`.
fn nested(name: &str, interfaces: &BTreeSet<&str>) -> String {
    match name.split_once('.') {
        None => camel(name),
        Some((owner, _)) => {
            let owner_name = if interfaces.contains(owner) {
                without_i(owner)
            } else {
                owner
            };
            let parts = name.split('.').skip(1).map(camel);
            camel(&(camel(owner_name) + &parts.collect::<String>()))
        }
    }
}

/// `IKvStore` without the `I`.
fn without_i(name: &str) -> &str {
    match name.strip_prefix('I') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_uppercase()) => rest,
        _ => name,
    }
}

/// Names that need be unique among themselves: fields, members, constants of an interface.
pub(super) fn unique<'a>(
    names: impl IntoIterator<Item = &'a str>,
    casing: fn(&str) -> String,
) -> Vec<String> {
    let mut taken = BTreeSet::new();
    names
        .into_iter()
        .map(|name| claim(&mut taken, &casing(name)))
        .collect()
}

/// The fields of a struct, pads as they are.
pub(super) fn fields(it: &Struct) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let names = it.fields.iter().map(|field| match field.kind {
        FieldKind::Value { .. } => claim(&mut taken, &snake(&field.name)),
        FieldKind::Pad | FieldKind::Reserved => field.name.clone(),
    });
    names.collect()
}

/// The names of one arm of a union.
pub(super) struct ArmNames {
    /// The constructor.
    pub(super) of: String,
    /// The accessor.
    pub(super) get: String,
    /// The variant.
    pub(super) variant: String,
}

/// The names of the arms of a union.
pub(super) fn arms<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<ArmNames> {
    let (mut functions, mut variants) = (BTreeSet::new(), BTreeSet::new());
    let mut function = |name: &str| claim_unreserved(&mut functions, RESERVED_ARMS, name);
    let constructors: Vec<_> = names.clone().map(|name| function(&snake(name))).collect();
    let arms = names.zip(constructors).map(|(name, of)| ArmNames {
        of,
        get: function(&format!("as_{}", part(name))),
        variant: claim_unreserved(&mut variants, &["Unknown"], &camel(name)),
    });
    arms.collect()
}

/// The names of one method or event.
#[derive(Debug)]
pub(super) struct MethodNames {
    /// The stub.
    pub(super) stub: String,
    /// The stub that returns a future.
    pub(super) future: String,
    /// The type in `method` and the variant of `Request`, `Reply` or `Event`.
    pub(super) variant: String,
    /// The struct of the arguments.
    pub(super) request: String,
    /// The struct of the results.
    pub(super) response: String,
    /// The parameters, as parameters.
    pub(super) params: Vec<String>,
    /// The parameters, as fields of the request; empty for `out`.
    pub(super) request_fields: Vec<String>,
    /// The parameters, as fields of the response; empty for `in`.
    pub(super) response_fields: Vec<String>,
}

/// The names of the methods of an interface.
pub(super) fn methods(interface: &Interface) -> Vec<MethodNames> {
    let (mut taken, mut variants) = (BTreeSet::new(), BTreeSet::new());
    let consts: BTreeSet<String> = super::consts::names(&interface.consts)
        .into_iter()
        .collect();
    let mut function = |name: &str| claim_unreserved(&mut taken, RESERVED_METHODS, name);
    let stubs: Vec<_> = interface
        .methods
        .iter()
        .map(|method| function(&snake(&method.name)))
        .collect();
    let methods = interface.methods.iter().zip(stubs).map(|(method, stub)| {
        let future = match method.kind {
            MethodKind::Call => function(&format!("{}_async", bare_snake(&method.name))),
            MethodKind::Oneway | MethodKind::Event => String::new(),
        };
        method_names(
            method,
            stub,
            future,
            claim(&mut variants, &camel(&method.name)),
            &consts,
        )
    });
    methods.collect()
}

fn method_names(
    method: &Method,
    stub: String,
    future: String,
    variant: String,
    consts: &BTreeSet<String>,
) -> MethodNames {
    let request = if method.kind == MethodKind::Event {
        "Event"
    } else {
        "Request"
    };
    // Fields stand in the order of the parameters, with pads between them; the response begins with the result.
    let mut in_request = values(&method.request);
    let mut in_response = values(&method.response).skip(usize::from(method.result.is_some()));
    let (mut request_fields, mut response_fields) = (Vec::new(), Vec::new());
    for param in &method.params {
        let goes = param.direction != Direction::Out;
        let comes = param.direction != Direction::In;
        request_fields.push(
            goes.then(|| in_request.next())
                .flatten()
                .unwrap_or_default(),
        );
        response_fields.push(
            comes
                .then(|| in_response.next())
                .flatten()
                .unwrap_or_default(),
        );
    }
    // A constant in scope would be taken for the pattern of the parameter; those of a package and of what is extended
    // are not in the module of the interface.
    let mut taken = consts.clone();
    let params = method
        .params
        .iter()
        .map(|param| claim(&mut taken, &snake(&param.name)))
        .collect();
    // `Self` alone is a keyword, as a part of a name it is not.
    let base = if variant == "Self_" { "Self" } else { &variant };
    MethodNames {
        stub,
        future,
        request: format!("{base}{request}"),
        response: format!("{base}Response"),
        variant,
        params,
        request_fields,
        response_fields,
    }
}

/// The names of the fields that are values.
fn values(it: &Struct) -> impl Iterator<Item = String> {
    let is_value = |field: &Field| matches!(field.kind, FieldKind::Value { .. });
    let values: Vec<_> = it
        .fields
        .iter()
        .zip(fields(it))
        .filter(|(field, _)| is_value(field))
        .map(|(_, name)| name)
        .collect();
    values.into_iter()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(RESERVED_METHODS.is_sorted());
        assert!(RESERVED_ARMS.is_sorted());
    }

    /// Text that generated stubs must not hide, in the crate of the runtime.
    fn runtime(path: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime-core/src");
        fs::read_to_string(folder.join(path)).unwrap()
    }

    #[test]
    fn methods_of_the_runtime_are_reserved() {
        let mut missing = Vec::new();
        for (path, subject) in [
            ("client/mod.rs", "Client<S, T, U> {"),
            ("client/blocking.rs", "Blocking<'a, S, T, U> {"),
            ("server/mod.rs", "Server<S, T> {"),
            ("stubs.rs", ""),
        ] {
            let text = runtime(path);
            let of_subject = |part: &&str| {
                part.lines()
                    .next()
                    .is_some_and(|head| head.contains(subject))
            };
            let found: Vec<String> = text
                .split("\nimpl")
                .filter(of_subject)
                .flat_map(|part| part.split("    pub fn ").skip(1))
                .filter_map(|rest| rest.split(['(', '<']).next())
                .map(str::to_owned)
                .collect();
            assert!(!found.is_empty(), "{path} has no methods: adapt this test");
            missing.extend(
                found
                    .into_iter()
                    .filter(|name| !RESERVED_METHODS.contains(&name.as_str())),
            );
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn parameters_are_not_taken_for_constants() {
        let text = "package test; interface I { const u8 _1 = 1; void f(in u8 _1, in u8 _2); }";
        let model = crate::emit::tests::model(&[("test.idl", text)]);
        let names = methods(&model.interfaces[0]);
        assert_eq!(names[0].params, ["_1_", "_2"]);
        assert_eq!(names[0].request_fields, ["_1", "_2"]);
    }

    #[test]
    fn nested_types_and_interfaces() {
        let interfaces = BTreeSet::from(["IKvStore", "Io"]);
        assert_eq!(nested("Image.Format", &interfaces), "ImageFormat");
        assert_eq!(nested("IKvStore.Mode", &interfaces), "KvStoreMode");
        assert_eq!(nested("Image.u8", &interfaces), "ImageU8");
        assert_eq!(without_i("Io"), "Io");
        assert_eq!(without_i("I"), "I");
    }

    #[test]
    fn arms_stay_apart() {
        let names = arms(["a", "as_a", "unknown", "value", "type", "_1"].into_iter());
        let names: Vec<_> = names
            .iter()
            .map(|arm| (arm.of.as_str(), arm.get.as_str(), arm.variant.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("a", "as_a_", "A"),
                ("as_a", "as_as_a", "AsA"),
                ("unknown", "as_unknown", "Unknown_"),
                ("value_", "as_value", "Value"),
                ("r#type", "as_type", "Type"),
                ("_1", "as_1", "_1"),
            ]
        );
    }
}
