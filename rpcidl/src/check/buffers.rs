//! `buffer<…>` and the structs that hold one: where they may stand.

use super::{Checker, Spot};
use crate::ast;
use crate::diag::{Code, Diagnostic};
use crate::ir;
use crate::source::Span;
use crate::suggest;

impl Checker<'_, '_> {
    /// The type of a `buffer<read>` or `buffer<write>`.
    pub(super) fn buffer(
        &mut self,
        access: Option<&ast::Name>,
        span: Span,
        spot: Spot,
    ) -> Option<ir::Type> {
        let Some(access) = access else {
            self.error(
                Diagnostic::error(
                    Code::E0324,
                    span,
                    "`buffer` needs to say what the peer may do",
                )
                .help("write `buffer<read>` or `buffer<write>`"),
            );
            return None;
        };
        let access = match access.text.as_str() {
            "read" => ir::BufferAccess::Read,
            "write" => ir::BufferAccess::Write,
            other => {
                let error = Diagnostic::error(
                    Code::E0324,
                    access.span,
                    format!("`{other}` is no access to a buffer"),
                );
                self.error(match suggest::nearest(other, ["read", "write"]) {
                    Some(near) => error.fix(format!("write `{near}`"), access.span, near),
                    None => error.help("write `buffer<read>` or `buffer<write>`"),
                });
                return None;
            }
        };
        let place = match spot {
            Spot::Alias | Spot::Field | Spot::Param => return Some(ir::Type::Buffer(access)),
            Spot::Arm => "the arm of a union",
            Spot::Result => "the result of a method",
            Spot::Const => "a constant",
            Spot::Inside => "inside another type",
        };
        self.misplaced(span, "`buffer`", place);
        None
    }

    /// Refuses a buffer, or a struct that holds one, at a place where its lifetime could not be followed.
    pub(super) fn no_resource(&mut self, ty: &ir::Type, span: Span, place: &str) -> Option<()> {
        if !self.is_resource(ty) {
            return Some(());
        }
        let what = match self.draft.model.strip(ty) {
            ir::Type::Def(id) => format!(
                "`{}`, which holds a `buffer`,",
                self.draft.model.def(*id).name
            ),
            _ => "`buffer`".to_owned(),
        };
        self.misplaced(span, &what, place);
        None
    }

    /// True for a buffer and for a struct that holds one.
    pub(super) fn is_resource(&self, ty: &ir::Type) -> bool {
        match self.draft.model.strip(ty) {
            ir::Type::Buffer(_) => true,
            ir::Type::Def(id) => self.draft.model.def(*id).resource,
            _ => false,
        }
    }

    fn misplaced(&mut self, span: Span, what: &str, place: &str) {
        self.error(
            Diagnostic::error(Code::E0317, span, format!("{what} cannot be {place}"))
                .help("lend memory with an `in` parameter, or a field of a struct that is one"),
        );
    }
}
