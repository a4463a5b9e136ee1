//! Puts the printed items together: one file, a directory, or tokens.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use proc_macro2::TokenStream;
use quote::quote;

use super::docs::{LINTS, allow, has_markup, lines};
use super::names::Names;
use super::writer::{Writer, block, line};
use super::{Options, Scope, consts, enums, interface, structs, unions};
use crate::ir::{InterfaceId, Model, Package, PackageId, TypeDefKind, TypeId};

/// Types that are printed in one go.
const TYPES_AT_ONCE: usize = 64;
/// Interfaces that are printed in one go.
const INTERFACES_AT_ONCE: usize = 8;
/// Below this many goes, starting threads takes longer than they save.
const WORTH_THREADS: usize = 4;

/// The generated code, ready to be printed.
#[derive(Debug)]
pub struct Output<'a> {
    model: &'a Model,
    options: &'a Options,
    names: Names,
}

impl<'a> Output<'a> {
    pub(super) fn new(model: &'a Model, options: &'a Options) -> Self {
        Self {
            model,
            options,
            names: Names::new(model),
        }
    }

    /// Everything as one file, to be compiled as a module or included in one.
    ///
    /// A single input's items stand at the top, those of every other package in a module of its own.
    pub fn to_single_file(&self) -> String {
        let inputs: Vec<_> = self
            .emitted()
            .filter(|(_, package)| package.is_input)
            .collect();
        let flat = match inputs.as_slice() {
            [(id, _)] => Some(*id),
            _ => None,
        };
        let mut w = Writer::new(0);
        header(
            &mut w,
            &inputs
                .iter()
                .map(|(_, package)| *package)
                .collect::<Vec<_>>(),
        );
        if let Some(id) = flat {
            self.items(&mut w, id, flat);
        } else {
            self.assert_generator(&mut w);
        }
        for (id, package) in self.emitted().filter(|(id, _)| flat != Some(*id)) {
            w.blank();
            package_docs(&mut w, package);
            block!(w, "pub mod {}", self.names.of_package(id) => {
                self.items(&mut w, id, flat);
            });
        }
        w.finish()
    }

    /// One file a package, and a `mod.rs` that declares them.
    pub fn to_directory(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut index = Writer::new(0);
        let inputs: Vec<_> = self
            .emitted()
            .map(|(_, package)| package)
            .filter(|package| package.is_input)
            .collect();
        header(&mut index, &inputs);
        for (id, package) in self.emitted() {
            let name = self.names.of_package(id);
            index.blank();
            package_docs(&mut index, package);
            line!(index, "pub mod {name};");
            let mut w = Writer::new(0);
            header(&mut w, &[package]);
            self.items(&mut w, id, None);
            files.insert(format!("{}.rs", super::casing::unraw(name)), w.finish());
        }
        files.insert("mod.rs".to_owned(), index.finish());
        files
    }

    /// Everything as the tokens of one file, for a macro.
    pub fn to_tokens(&self) -> TokenStream {
        match self.to_single_file().parse() {
            Ok(tokens) => tokens,
            Err(error) => {
                let error = format!("rpcidl printed something that is not Rust: {error}");
                quote!(::core::compile_error!(#error);)
            }
        }
    }

    /// The packages that are not generated elsewhere.
    fn emitted(&self) -> impl Iterator<Item = (PackageId, &'a Package)> {
        let packages = self.model.packages.iter().enumerate();
        let packages = packages.map(|(index, package)| (PackageId(index as u32), package));
        packages.filter(|(_, package)| !self.options.externs.contains_key(&package.name))
    }

    /// The items of a package.
    fn items(&self, w: &mut Writer, id: PackageId, flat: Option<PackageId>) {
        let Some(package) = self.model.packages.get(id.0 as usize) else {
            return;
        };
        let scope = Scope {
            model: self.model,
            options: self.options,
            names: &self.names,
            flat,
            package: id,
            depth: 0,
            rt: &self.options.runtime_core,
        };
        let mut goes = vec![Go::Start(package)];
        // A macro has the definitions of all types that an item refers to, and emits that item alone.
        let is_here = |id: &TypeId| {
            !self
                .options
                .elsewhere
                .contains_key(&self.model.def(*id).name)
        };
        let types: Vec<TypeId> = package.types.iter().copied().filter(is_here).collect();
        goes.extend(types.chunks(TYPES_AT_ONCE).map(Go::Types));
        // Stubs are for who asked for them: of an imported package only the types are needed.
        let interfaces = if package.is_input {
            package.interfaces.as_slice()
        } else {
            &[]
        };
        goes.extend(interfaces.chunks(INTERFACES_AT_ONCE).map(Go::Interfaces));
        let depth = w.depth();
        w.sections(&in_parallel(&goes, |go| {
            let mut w = Writer::new(depth);
            match go {
                Go::Start(package) => self.start(&mut w, &scope, package),
                Go::Types(ids) => ids.iter().for_each(|&id| emit_type(&mut w, &scope, id)),
                Go::Interfaces(ids) => ids
                    .iter()
                    .for_each(|&id| interface::emit(&mut w, &scope, id)),
            }
            w.finish()
        }));
    }

    /// What stands before the types of a package.
    fn start(&self, w: &mut Writer, scope: &Scope<'_>, package: &Package) {
        self.assert_generator(w);
        consts::emit(w, scope, &package.consts, scope.names.consts(scope.package));
        for &id in &package.aliases {
            structs::alias(w, scope, id);
        }
    }

    /// The check that generator and runtime fit.
    fn assert_generator(&self, w: &mut Writer) {
        let (rt, version) = (&self.options.runtime_core, env!("CARGO_PKG_VERSION"));
        line!(w, "const _: () = {rt}::assert_generator(\"{version}\");");
    }
}

/// What is printed by one thread in one go.
enum Go<'a> {
    Start(&'a Package),
    Types(&'a [TypeId]),
    Interfaces(&'a [InterfaceId]),
}

fn emit_type(w: &mut Writer, scope: &Scope<'_>, id: TypeId) {
    let def = scope.model.def(id);
    match &def.kind {
        TypeDefKind::Struct(it) => structs::emit(w, scope, id, def, it),
        TypeDefKind::Union(it) => unions::emit(w, scope, id, def, it),
        TypeDefKind::Enum(it) => enums::emit(w, scope, id, def, it),
    }
}

/// Applies `print` to every item, on all cores if there are many, and gives the texts in order.
fn in_parallel<T: Sync>(items: &[T], print: impl Fn(&T) -> String + Sync) -> Vec<String> {
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(items.len());
    if threads == 1 || items.len() < WORTH_THREADS {
        return items.iter().map(print).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut texts = Vec::new();
        while let Some((index, item)) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            texts.push((index, print(item)));
        }
        texts
    };
    let mut texts = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut texts = work();
        for other in others {
            match other.join() {
                Ok(more) => texts.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        texts
    });
    texts.sort_unstable_by_key(|(index, _)| *index);
    texts.into_iter().map(|(_, text)| text).collect()
}

/// The comment that a file begins with.
fn header(w: &mut Writer, packages: &[&Package]) {
    let mut sources = String::new();
    for package in packages {
        // Neither the machine's folders nor a line end in a name belong into the output.
        let name = package
            .source_name
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or_default();
        let separator = if sources.is_empty() { "" } else { ", " };
        sources.push_str(separator);
        sources.extend(name.chars().filter(|char| !char.is_control()));
    }
    line!(
        w,
        "// @generated by rpcgen {} from {sources}: do not edit.",
        env!("CARGO_PKG_VERSION")
    );
    if let [package] = packages
        && !package.docs.is_empty()
    {
        line!(w, "//");
        lines(w, "//", &package.docs);
    }
    w.blank();
}

/// Documentation of a package's module.
fn package_docs(w: &mut Writer, package: &Package) {
    line!(w, "/// Package `{}`.", package.name);
    if !package.docs.is_empty() {
        line!(w, "///");
        lines(w, "///", &package.docs);
    }
    if package.docs.iter().any(|text| has_markup(text)) {
        allow(w, &[LINTS]);
    }
}
