//! `const T NAME = expr;`

use super::annotations::Place;
use super::{Checker, Spot, State};
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::eval::Env;
use crate::ir;
use crate::resolve::{DeclId, Node};

impl<'a> Checker<'_, 'a> {
    /// Evaluates a constant.
    pub(super) fn constant(&mut self, id: DeclId, node: &'a ast::Const) -> State {
        let scope = self.scope_of(id);
        let notes = self.notes(&node.attrs, Place::Const, scope);
        let Some(ty) = self.ty(&node.ty, scope, Spot::Const) else {
            // The value may have errors of its own.
            self.eval(&node.value, &Env::new(scope));
            return State::Poisoned;
        };
        if !self.has_values(&ty) {
            if self.is_sound(&ty) {
                let text = self.table.sources.text(node.ty.span);
                self.error(
                    Diagnostic::error(
                        Code::E0313,
                        node.ty.span,
                        format!("`{text}` has no constants"),
                    )
                    .help(
                        "constants are numbers, `bool`, `string<N>`, or members of an enumeration",
                    ),
                );
            }
            return State::Poisoned;
        }
        let Some((seen, value)) = self.value(&node.value, &ty, scope) else {
            return State::Poisoned;
        };
        let decl = self.table.decl(id);
        let in_struct = decl
            .owner
            .is_some_and(|owner| matches!(self.table.decl(owner).node, Node::Struct(_)));
        let name = if in_struct {
            decl.path.clone()
        } else {
            node.name.text.clone()
        };
        let meta = notes.meta(&node.attrs);
        self.consts.insert(
            id,
            ir::Const {
                meta,
                name,
                ty,
                value,
                span: node.name.span,
            },
        );
        State::Const(seen)
    }

    /// The constants that are nested in an interface, in declared order.
    pub(super) fn consts_of(&mut self, owner: DeclId) -> Vec<ir::Const> {
        let mut ids: Vec<DeclId> = self.table.decl(owner).nested.values().copied().collect();
        ids.sort();
        ids.iter()
            .filter_map(|id| self.consts.get(id).cloned())
            .collect()
    }
}
