//! The rules: works every declaration off, dependencies first, and builds the draft of the model.
//!
//! A part with an error is poisoned: what uses it is still checked, but says nothing that follows from the error.

mod annotations;
mod backends;
mod buffers;
mod consts;
mod enums;
mod foreign;
mod ids;
mod interfaces;
mod knobs;
mod methods;
mod names;
mod structs;
mod types;
mod unions;
mod values;

pub use backends::{backend, backend_name, backends};
pub(crate) use types::Spot;

use std::collections::BTreeMap;

use crate::ast;
use crate::diag::{Code, Diagnostic, Findings, Severity};
use crate::eval::Val;
use crate::ir;
use crate::parse;
use crate::resolve::{Budget, DeclId, Node, Order, Scope, Table};
use crate::source::Span;

/// The model without layout, and what layout must know besides.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// All parts, without pads, offsets and sizes.
    pub(crate) model: ir::Model,
    /// Parallel to the model's types.
    pub(crate) types: Vec<TypeFacts>,
    /// Parallel to the model's aliases: how deep types are nested in each, itself included.
    pub(crate) alias_depths: Vec<u32>,
    /// Parallel to the model's interfaces: which of its methods have an error.
    pub(crate) poisoned_methods: Vec<Vec<bool>>,
}

/// What is known of a type besides its definition.
#[derive(Clone, Debug, Default)]
pub(crate) struct TypeFacts {
    /// True if a part of it has an error, so that its layout means nothing.
    pub(crate) poisoned: bool,
    /// True if a float is somewhere inside.
    pub(crate) float: bool,
    /// How deep types are nested in it, itself included.
    pub(crate) depth: u32,
    /// The value of `@MaxSize` and its place.
    pub(crate) max_size: Option<(u32, Span)>,
}

/// What has become of a declaration.
#[derive(Clone, Debug, Default)]
pub(crate) enum State {
    /// Not worked off yet; seen from outside this means that it is part of a cycle.
    #[default]
    Pending,
    /// It has an error.
    Poisoned,
    /// A constant.
    Const(Val),
    /// An alias.
    Alias(ir::AliasId),
    /// A struct, a union or an enumeration.
    Type(ir::TypeId),
    /// An interface.
    Interface(ir::InterfaceId),
}

/// The state of the check.
pub(crate) struct Checker<'t, 'a> {
    /// All names.
    pub(crate) table: &'t Table<'a>,
    /// What was found.
    pub(crate) findings: &'t mut Findings,
    /// By [`DeclId`].
    pub(crate) states: Vec<State>,
    /// The values of the members of each enumeration so far; `None` for a member with an error.
    pub(crate) members: BTreeMap<DeclId, Vec<Option<i128>>>,
    /// The scalar that carries each enumeration.
    pub(crate) reprs: BTreeMap<DeclId, ir::Scalar>,
    /// What was built so far.
    pub(crate) draft: Draft,
    /// How many more suggestions may be searched.
    pub(crate) budget: Budget,
    /// The method ids that each interface reserves, inherited ones included.
    reserved_ids: BTreeMap<ir::InterfaceId, Vec<enums::Reserved>>,
    /// How many interfaces each one extends, itself included.
    depths: BTreeMap<ir::InterfaceId, u32>,
    /// Size of all methods that interfaces have inherited so far.
    inherited_bytes: usize,
    /// Size of all strings that constants and defaults hold so far.
    string_bytes: usize,
    /// Evaluated constants by declaration.
    consts: BTreeMap<DeclId, ir::Const>,
    /// Nesting of the expression or type that is being looked at.
    pub(crate) depth: usize,
}

/// Checks everything and returns the draft.
pub(crate) fn check<'t, 'a>(
    table: &'t Table<'a>,
    order: &Order,
    needs_package: bool,
    findings: &'t mut Findings,
) -> Draft {
    let mut checker = Checker {
        table,
        findings,
        states: vec![State::default(); table.decls.len()],
        members: BTreeMap::new(),
        reprs: BTreeMap::new(),
        draft: Draft::default(),
        budget: Budget::default(),
        reserved_ids: BTreeMap::new(),
        depths: BTreeMap::new(),
        inherited_bytes: 0,
        string_bytes: 0,
        consts: BTreeMap::new(),
        depth: 0,
    };
    checker.packages(needs_package);
    checker.names();
    for &id in &order.decls {
        let cyclic = order.cyclic.contains(&id);
        let state = match table.decl(id).node {
            Node::Const(node) => checker.constant(id, node),
            Node::Alias(node) => checker.alias(id, node),
            Node::Enum(node) => checker.enumeration(id, node),
            Node::Struct(node) => checker.structure(id, node),
            Node::Union(node) => checker.union(id, node),
            Node::Interface(_) => continue,
        };
        if cyclic && let State::Type(ty) = state {
            checker.poison(ty);
        }
        checker.set(id, state);
    }
    for &id in &order.interfaces {
        if let Node::Interface(node) = table.decl(id).node {
            let state = checker.interface(id, node);
            checker.set(id, state);
        }
    }
    checker.unused_imports();
    checker.fill_packages();
    checker.draft
}

impl<'a> Checker<'_, 'a> {
    /// Records an error.
    pub(crate) fn error(&mut self, error: Diagnostic) {
        self.findings.push(error);
    }

    /// Records a warning, unless it is about a file that is only imported.
    pub(crate) fn warn(&mut self, file: usize, warning: Diagnostic) {
        debug_assert_eq!(warning.severity, Severity::Warning);
        if self.table.file(file).is_input {
            self.findings.push(warning);
        }
    }

    /// What has become of a declaration.
    pub(crate) fn state(&self, id: DeclId) -> &State {
        self.states.get(id.0 as usize).unwrap_or(&State::Pending)
    }

    fn set(&mut self, id: DeclId, state: State) {
        if let Some(slot) = self.states.get_mut(id.0 as usize) {
            *slot = state;
        }
    }

    /// The place from which the parts of a declaration look names up.
    pub(crate) fn scope_in(&self, id: DeclId) -> Scope {
        Scope {
            file: self.table.decl(id).file,
            owner: Some(id),
        }
    }

    /// The place from which a declaration itself looks names up.
    pub(crate) fn scope_of(&self, id: DeclId) -> Scope {
        let decl = self.table.decl(id);
        Scope {
            file: decl.file,
            owner: decl.owner,
        }
    }

    /// Marks a type as having an error.
    pub(crate) fn poison(&mut self, id: ir::TypeId) {
        if let Some(facts) = self.draft.types.get_mut(id.0 as usize) {
            facts.poisoned = true;
            // A circle is not also too deep.
            facts.depth = 0;
        }
    }

    /// The package of a file, which has the file's number.
    pub(crate) fn package_id(&self, file: usize) -> ir::PackageId {
        ir::PackageId(file as u32)
    }

    /// Adds a type to the draft.
    pub(crate) fn add_type(
        &mut self,
        id: DeclId,
        meta: ir::Meta,
        kind: ir::TypeDefKind,
        derives: Vec<ir::Derive>,
        resource: bool,
        mut facts: TypeFacts,
    ) -> ir::TypeId {
        let decl = self.table.decl(id);
        let ty = ir::TypeId(self.draft.model.types.len() as u32);
        let inner = match &kind {
            ir::TypeDefKind::Struct(node) => node
                .fields
                .iter()
                .map(|field| field.value().map_or(0, |ty| self.nesting(ty)))
                .max(),
            ir::TypeDefKind::Union(node) => node
                .arms
                .iter()
                .map(|arm| arm.ty.as_ref().map_or(0, |ty| self.nesting(ty)))
                .max(),
            ir::TypeDefKind::Enum(_) => None,
        };
        facts.depth = 1 + inner.unwrap_or(0);
        self.draft.model.types.push(ir::TypeDef {
            meta,
            package: self.package_id(decl.file),
            name: decl.path.clone(),
            kind,
            size: 0,
            align: 1,
            plain: false,
            resource,
            derives,
            span: decl.node.name().span,
        });
        self.draft.types.push(facts);
        ty
    }

    /// Package statements.
    fn packages(&mut self, needs_package: bool) {
        for (tree, file) in self.table.trees.iter().zip(&self.table.files) {
            // A part that could not be read may be the statement, or the only declaration.
            if file.broken || !needs_package {
                continue;
            }
            if tree.items.is_empty() && file.is_input {
                let name = &self.table.sources.get(tree.source).name;
                self.findings
                    .push(parse::nothing_declared(tree.source, name));
                continue;
            }
            if tree.package.is_some() {
                continue;
            }
            self.findings.push(
                Diagnostic::error(Code::E0211, start_of(tree), "the file declares no package")
                    .help("begin with `package your.name;`"),
            );
        }
    }

    /// Warns about imports that nothing refers to.
    fn unused_imports(&mut self) {
        for (index, file) in self.table.files.iter().enumerate() {
            // In a file that was read in part, the use may be in the other part.
            if file.broken {
                continue;
            }
            for (name, import) in &file.imports {
                if !import.used.get() && import.target.is_some() {
                    let warning = Diagnostic::warning(
                        Code::W0201,
                        import.span,
                        format!("import `{name}` is not used"),
                    )
                    .fix("remove it", import.span, "");
                    self.warn(index, warning);
                }
            }
        }
    }

    /// Lists what each package declares.
    fn fill_packages(&mut self) {
        let mut packages: Vec<ir::Package> = self
            .table
            .trees
            .iter()
            .zip(&self.table.files)
            .map(|(tree, file)| ir::Package {
                name: file.package.clone(),
                version: file.version,
                docs: docs(&tree.docs),
                source_name: self.table.sources.get(tree.source).name.clone(),
                is_input: file.is_input,
                consts: Vec::new(),
                aliases: Vec::new(),
                types: Vec::new(),
                interfaces: Vec::new(),
            })
            .collect();
        let mut consts = std::mem::take(&mut self.consts);
        for id in self.table.ids() {
            let decl = self.table.decl(id);
            let Some(package) = packages.get_mut(decl.file) else {
                continue;
            };
            match self.state(id) {
                State::Const(_) => {
                    let in_interface = decl.owner.is_some_and(|owner| {
                        matches!(self.table.decl(owner).node, Node::Interface(_))
                    });
                    if let Some(value) = consts.remove(&id)
                        && !in_interface
                    {
                        package.consts.push(value);
                    }
                }
                State::Alias(alias) => package.aliases.push(*alias),
                State::Type(ty) => package.types.push(*ty),
                State::Interface(interface) => package.interfaces.push(*interface),
                State::Pending | State::Poisoned => {}
            }
        }
        self.draft.model.packages = packages;
    }

    fn alias(&mut self, id: DeclId, node: &'a ast::Alias) -> State {
        let scope = self.scope_of(id);
        let notes = self.notes(&node.attrs, annotations::Place::Alias, scope);
        let Some(target) = self.ty(&node.ty, scope, Spot::Alias) else {
            return State::Poisoned;
        };
        let decl = self.table.decl(id);
        let alias = ir::AliasId(self.draft.model.aliases.len() as u32);
        let depth = 1 + self.nesting(&target);
        self.draft.alias_depths.push(depth);
        self.draft.model.aliases.push(ir::Alias {
            meta: notes.meta(&node.attrs),
            package: self.package_id(decl.file),
            name: decl.path.clone(),
            target,
            span: node.name.span,
        });
        State::Alias(alias)
    }
}

/// The first line of a file, or nothing at its start.
fn start_of(tree: &ast::File) -> Span {
    Span {
        end: tree.span.start,
        ..tree.span
    }
}

/// Documentation as the model keeps it.
pub(crate) fn docs(docs: &[ast::Doc]) -> Vec<String> {
    docs.iter().map(|doc| doc.text.clone()).collect()
}
