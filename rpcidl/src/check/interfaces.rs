//! `interface`: what it extends, and the numbers of its methods.

use std::collections::BTreeMap;

use super::annotations::{Notes, Place};
use super::ids::Ids;
use super::names::camel;
use super::{Checker, State};
use crate::ast::{self, InterfaceMember};
use crate::diag::{Code, Diagnostic};
use crate::ir;
use crate::limits;
use crate::resolve::{DeclId, Found, Node, Scope, duplicate};
use crate::source::Span;

impl<'a> Checker<'_, 'a> {
    /// Checks an interface.
    pub(super) fn interface(&mut self, id: DeclId, node: &'a ast::Interface) -> State {
        let scope = self.scope_in(id);
        let notes = self.notes(&node.attrs, Place::Interface, scope);
        let base = node.base.as_ref().and_then(|path| self.extended(id, path));
        let mut methods: Vec<ir::Method> = Vec::new();
        let mut poisoned: Vec<bool> = Vec::new();
        if let Some(base) = base {
            // Tuning that a method falls back to is its own interface's, so what was inherited stays as it was.
            methods.clone_from(&self.draft.model.interface(base).methods);
            poisoned = self
                .draft
                .poisoned_methods
                .get(base.0 as usize)
                .cloned()
                .unwrap_or_default();
            self.inherited_bytes += methods.iter().map(weight).sum::<usize>();
            if self.inherited_bytes > limits::INHERITED_BYTES {
                self.error(
                    Diagnostic::error(
                        Code::E0406,
                        node.name.span,
                        "all interfaces together inherit too many methods",
                    )
                    .help("let fewer interfaces extend large ones"),
                );
                return State::Poisoned;
            }
        }
        let inherited = base.map(|base| self.reserved_ids.get(&base).cloned().unwrap_or_default());
        let mut ids = Ids::new(&methods, inherited.unwrap_or_default());
        let reserved: Vec<&ast::ReservedNumbers> = node
            .members
            .iter()
            .filter_map(|member| match member {
                InterfaceMember::Reserved(numbers) => Some(numbers),
                _ => None,
            })
            .collect();
        ids.reserve(self.reserved_numbers(reserved, scope));
        let mut names = MethodNames::new(&methods);
        for member in &node.members {
            match member {
                InterfaceMember::Method(method) => {
                    let number = self.method_id(method, scope, &mut ids);
                    let renamed = names.add(&method.name);
                    let has_clash = renamed.is_some();
                    if let Some(error) = renamed {
                        self.error(error);
                    }
                    let (lowered, sound) =
                        self.method(method, node, &notes, scope, number.unwrap_or(0));
                    methods.push(lowered);
                    poisoned.push(!sound || number.is_none() || has_clash);
                }
                InterfaceMember::Invalid(_) => ids.skip(),
                InterfaceMember::Reserved(_) | InterfaceMember::Item(_) => {}
            }
        }
        let decl = self.table.decl(id);
        let interface = ir::InterfaceId(self.draft.model.interfaces.len() as u32);
        self.reserved_ids.insert(interface, ids.into_reserved());
        let consts = self.consts_of(id);
        let package = self.package_id(decl.file);
        self.draft.poisoned_methods.push(poisoned);
        self.draft.model.interfaces.push(ir::Interface {
            meta: notes.meta(&node.attrs),
            package,
            name: decl.path.clone(),
            base,
            consts,
            methods,
            backends: notes.backends,
            tuning: notes.tuning,
            abi_hash: [0; 16],
            abi_text: String::new(),
            span: node.name.span,
        });
        State::Interface(interface)
    }

    /// The interface after `extends`.
    fn extended(&mut self, id: DeclId, path: &'a ast::Path) -> Option<ir::InterfaceId> {
        let file = self.table.decl(id).file;
        let [name] = path.segments.as_slice() else {
            self.error(
                Diagnostic::error(Code::E0510, path.span, "an interface is named by one word")
                    .help("import it, then name it without its package"),
            );
            return None;
        };
        let scope = Scope { file, owner: None };
        match self.table.find(path, scope) {
            Found::Decl(base) => {
                let node = self.table.decl(base).node;
                if !matches!(node, Node::Interface(_)) {
                    self.error(
                        Diagnostic::error(
                            Code::E0510,
                            path.span,
                            format!("`{}` is {}, not an interface", name.text, node.what()),
                        )
                        .also(self.table.span(base), "declared here")
                        .help("only an interface can be extended"),
                    );
                    return None;
                }
                // A base that is not worked off yet is part of a circle, which has been reported.
                let State::Interface(interface) = *self.state(base) else {
                    return None;
                };
                let depth = self.depths.get(&interface).copied().unwrap_or(1) + 1;
                if depth > limits::TYPE_NESTING {
                    self.error(
                        Diagnostic::error(
                            Code::E0403,
                            path.span,
                            format!(
                                "more than {} interfaces extend each other",
                                limits::TYPE_NESTING
                            ),
                        )
                        .help("join some of them"),
                    );
                    return None;
                }
                self.depths.insert(
                    ir::InterfaceId(self.draft.model.interfaces.len() as u32),
                    depth,
                );
                Some(interface)
            }
            Found::Missing(..) => {
                let error = self.table.unknown_interface(name, scope, &mut self.budget);
                self.error(error);
                None
            }
            Found::Member(..) | Found::Reported => None,
        }
    }

    /// What a method's own annotations leave open is taken from the interface.
    pub(super) fn inherit_deadline(notes: &mut Notes, interface: &Notes, kind: ir::MethodKind) {
        if kind == ir::MethodKind::Call && notes.tuning.deadline.is_none() {
            notes.tuning.deadline = interface.tuning.deadline;
        }
    }
}

/// About how many bytes a copy of a method takes.
fn weight(method: &ir::Method) -> usize {
    let docs = |meta: &ir::Meta| meta.docs.iter().map(String::len).sum::<usize>();
    let params = method
        .params
        .iter()
        .map(|param| 512 + docs(&param.meta) + param.name.len());
    1024 + docs(&method.meta) + method.name.len() + params.sum::<usize>()
}

/// The names of the methods so far; inherited ones come from the model, so they are owned.
struct MethodNames {
    exact: BTreeMap<String, Span>,
    written: BTreeMap<String, (String, Span)>,
}

impl MethodNames {
    fn new(inherited: &[ir::Method]) -> Self {
        let mut names = Self {
            exact: BTreeMap::new(),
            written: BTreeMap::new(),
        };
        for method in inherited {
            names.exact.insert(method.name.clone(), method.span);
            names
                .written
                .insert(camel(&method.name), (method.name.clone(), method.span));
        }
        names
    }

    fn add(&mut self, name: &ast::Name) -> Option<Diagnostic> {
        if let Some(&first) = self.exact.get(&name.text) {
            return Some(
                duplicate(&name.text, name.span, first)
                    .note("methods are told apart by name, not by parameters"),
            );
        }
        self.exact.insert(name.text.clone(), name.span);
        let written = camel(&name.text);
        if let Some((first, place)) = self.written.get(&written) {
            return Some(
                Diagnostic::error(
                    Code::E0204,
                    name.span,
                    format!(
                        "`{}` and `{first}` have one name in Rust, `{written}`",
                        name.text
                    ),
                )
                .also(*place, format!("`{first}` is declared here"))
                .help("rename one of them"),
            );
        }
        self.written.insert(written, (name.text.clone(), name.span));
        None
    }
}
