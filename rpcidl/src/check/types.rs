//! Uses of types: bounds, lengths, optionals, and where each form may stand.

use super::{Checker, State};
use crate::ast::{self, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::eval::Env;
use crate::ir;
use crate::limits;
use crate::resolve::{Found, Node, Scope, bare_keyword, no_result_type, scalar};
use crate::source::Span;

/// Where a type is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// `alias Name = T;`
    Alias,
    /// A constant's type.
    Const,
    /// A field of a struct.
    Field,
    /// The arm of a union.
    Arm,
    /// A parameter.
    Param,
    /// The result of a method.
    Result,
    /// Inside another type.
    Inside,
}

impl<'a> Checker<'_, 'a> {
    /// The type that is written, or `None` after an error.
    pub(crate) fn ty(&mut self, ty: &'a ast::Type, scope: Scope, spot: Spot) -> Option<ir::Type> {
        if self.depth > limits::SYNTAX_NESTING {
            self.error(
                Diagnostic::error(
                    Code::E0403,
                    ty.span,
                    format!("types are nested deeper than {}", limits::TYPE_NESTING),
                )
                .help("flatten some of them"),
            );
            return None;
        }
        self.depth += 1;
        let result = self.form(ty, scope, spot);
        self.depth -= 1;
        let result = result?;
        if spot != Spot::Inside && self.nesting(&result) >= limits::TYPE_NESTING {
            self.error(
                Diagnostic::error(
                    Code::E0403,
                    ty.span,
                    format!("types are nested deeper than {}", limits::TYPE_NESTING),
                )
                .note("aliases, arrays, vecs and optionals count like structs")
                .help("flatten some of them"),
            );
            return None;
        }
        Some(result)
    }

    /// How deep types are nested in a type.
    pub(crate) fn nesting(&self, ty: &ir::Type) -> u32 {
        match ty {
            ir::Type::Scalar(_)
            | ir::Type::String { .. }
            | ir::Type::Bytes { .. }
            | ir::Type::Buffer(_) => 0,
            ir::Type::Def(id) => self
                .draft
                .types
                .get(id.0 as usize)
                .map_or(0, |facts| facts.depth),
            ir::Type::Alias(id) => self
                .draft
                .alias_depths
                .get(id.0 as usize)
                .copied()
                .unwrap_or(0),
            ir::Type::Vec { elem, .. }
            | ir::Type::Array { elem, .. }
            | ir::Type::Optional(elem) => 1 + self.nesting(elem),
        }
    }

    fn form(&mut self, ty: &'a ast::Type, scope: Scope, spot: Spot) -> Option<ir::Type> {
        if let Some(word) = bare_keyword(ty)
            && let Some(found) = self.table.find_name(word, scope)
        {
            return self.named(found, ty.span, word);
        }
        match &ty.kind {
            TypeKind::Invalid => None,
            TypeKind::Void => {
                self.error(
                    Diagnostic::error(Code::E0316, ty.span, "`void` is not a type of a value")
                        .help("`void` may only be the result of a method or the arm of a union"),
                );
                None
            }
            TypeKind::Named(path) => {
                if let [name] = path.segments.as_slice()
                    && let Some(scalar) = scalar(&name.text)
                {
                    return Some(ir::Type::Scalar(scalar));
                }
                match self.table.find(path, scope) {
                    Found::Missing(at, inside) => {
                        let error = no_result_type(path).filter(|_| spot == Spot::Result);
                        let error = error.unwrap_or_else(|| {
                            self.table
                                .unknown_type(path, scope, at, inside, &mut self.budget)
                        });
                        self.error(error);
                        None
                    }
                    found => self.named(found, path.span, self.table.sources.text(path.span)),
                }
            }
            TypeKind::String(bound) => {
                let bound = self.bound(bound.as_deref(), ty, "string<64>", scope)?;
                self.odd_bound("string", bound, ty.span, scope.file);
                Some(ir::Type::String { bound })
            }
            TypeKind::Bytes(bound) => {
                let bound = self.bound(bound.as_deref(), ty, "bytes<64>", scope)?;
                self.odd_bound("bytes", bound, ty.span, scope.file);
                Some(ir::Type::Bytes { bound })
            }
            TypeKind::Vec(elem, bound) => {
                let Some(elem) = elem else {
                    self.error(
                        Diagnostic::error(
                            Code::E0301,
                            ty.span,
                            "`vec` needs an element type and a bound",
                        )
                        .help("write `vec<u32, 16>` with the type and the bound that fit"),
                    );
                    return None;
                };
                let item = self.ty(elem, scope, Spot::Inside);
                let shown = format!("vec<{}, 16>", self.table.sources.text(elem.span));
                let bound = self.bound(bound.as_deref(), ty, &shown, scope);
                let (item, bound) = (item?, bound?);
                self.no_resource(&item, elem.span, "the element of a `vec`")?;
                Some(ir::Type::Vec {
                    elem: Box::new(item),
                    bound,
                })
            }
            TypeKind::Array(elem, len) => {
                let item = self.ty(elem, scope, Spot::Inside);
                let len = self.number(
                    len,
                    scope,
                    1,
                    limits::STRUCT_BYTES,
                    Code::E0302,
                    "the length of an array",
                );
                let (item, len) = (item?, len?);
                self.no_resource(&item, elem.span, "the element of an array")?;
                Some(ir::Type::Array {
                    elem: Box::new(item),
                    len,
                })
            }
            TypeKind::Optional(inner) => {
                let item = self.ty(inner, scope, Spot::Inside)?;
                if matches!(self.draft.model.strip(&item), ir::Type::Optional(_)) {
                    self.error(
                        Diagnostic::error(
                            Code::E0315,
                            ty.span,
                            "an optional of an optional has two ways to be absent",
                        )
                        .help("write one `?`"),
                    );
                    return None;
                }
                self.no_resource(&item, inner.span, "an optional value")?;
                Some(ir::Type::Optional(Box::new(item)))
            }
            TypeKind::Buffer(access) => self.buffer(access.as_ref(), ty.span, spot),
        }
    }

    /// The type that a name stands for.
    fn named(&mut self, found: Found, span: Span, text: &str) -> Option<ir::Type> {
        let id = match found {
            Found::Decl(id) => id,
            Found::Member(id, _) => {
                self.error(
                    Diagnostic::error(
                        Code::E0213,
                        span,
                        format!("`{text}` is a member, not a type"),
                    )
                    .also(self.table.span(id), "its type is declared here")
                    .help(format!("write `{}`", self.table.decl(id).path)),
                );
                return None;
            }
            Found::Reported | Found::Missing(..) => return None,
        };
        let decl = self.table.decl(id);
        if let Node::Const(_) | Node::Interface(_) = decl.node {
            let help = match decl.node {
                Node::Interface(_) => {
                    "interfaces cannot travel; let the server call the client with `event` methods"
                }
                _ => "name a type here",
            };
            self.error(
                Diagnostic::error(
                    Code::E0213,
                    span,
                    format!("`{text}` is {}, not a type", decl.node.what()),
                )
                .also(self.table.span(id), "declared here")
                .help(help),
            );
            return None;
        }
        match self.state(id) {
            State::Alias(alias) => Some(ir::Type::Alias(*alias)),
            State::Type(ty) => Some(ir::Type::Def(*ty)),
            _ => None,
        }
    }

    fn bound(
        &mut self,
        bound: Option<&'a ast::Expr>,
        ty: &ast::Type,
        example: &str,
        scope: Scope,
    ) -> Option<u32> {
        let Some(bound) = bound else {
            let word = example.split('<').next().unwrap_or(example);
            self.error(
                Diagnostic::error(Code::E0301, ty.span, format!("`{word}` needs a bound"))
                    .note("values lie inline in the message, so the bound is part of its layout")
                    .help(format!("write `{example}` with the bound that fits")),
            );
            return None;
        };
        self.number(bound, scope, 1, limits::BOUND, Code::E0302, "a bound")
    }

    /// An integer from `least` to `greatest`.
    pub(crate) fn number(
        &mut self,
        expr: &'a ast::Expr,
        scope: Scope,
        least: u32,
        greatest: u32,
        code: Code,
        what: &str,
    ) -> Option<u32> {
        let value = self.integer(expr, &Env::new(scope), what)?;
        match u32::try_from(value) {
            Ok(number) if (least..=greatest).contains(&number) => Some(number),
            _ => {
                self.error(
                    Diagnostic::error(code, expr.span, format!("{what} is {value}"))
                        .help(format!("give a value from {least} to {greatest}")),
                );
                None
            }
        }
    }

    /// An odd bound costs the same as the next even one, because lengths are aligned to 2.
    fn odd_bound(&mut self, word: &str, bound: u32, span: Span, file: usize) {
        if bound % 2 == 1 && bound < limits::BOUND {
            let even = bound + 1;
            let warning = Diagnostic::warning(
                Code::W0401,
                span,
                format!("`{word}<{bound}>` leaves its last byte unused"),
            )
            .help(format!("`{word}<{even}>` has the same size"));
            self.warn(file, warning);
        }
    }

    /// True if a float is somewhere inside.
    pub(crate) fn has_float(&self, ty: &ir::Type) -> bool {
        match self.draft.model.strip(ty) {
            ir::Type::Scalar(scalar) => matches!(scalar, ir::Scalar::F32 | ir::Scalar::F64),
            ir::Type::Def(id) => self
                .draft
                .types
                .get(id.0 as usize)
                .is_some_and(|facts| facts.float),
            ir::Type::Vec { elem, .. }
            | ir::Type::Array { elem, .. }
            | ir::Type::Optional(elem) => self.has_float(elem),
            ir::Type::Alias(_)
            | ir::Type::String { .. }
            | ir::Type::Bytes { .. }
            | ir::Type::Buffer(_) => false,
        }
    }

    /// True if the layout of a type means something.
    pub(crate) fn is_sound(&self, ty: &ir::Type) -> bool {
        match self.draft.model.strip(ty) {
            ir::Type::Def(id) => self
                .draft
                .types
                .get(id.0 as usize)
                .is_some_and(|facts| !facts.poisoned),
            ir::Type::Vec { elem, .. }
            | ir::Type::Array { elem, .. }
            | ir::Type::Optional(elem) => self.is_sound(elem),
            _ => true,
        }
    }

    /// The scalar that carries an enumeration or a tag.
    pub(crate) fn repr(
        &mut self,
        ty: Option<&'a ast::Type>,
        after: Span,
        scope: Scope,
        what: &str,
        allowed: &[ir::Scalar],
    ) -> Option<ir::Scalar> {
        let list: Vec<String> = allowed
            .iter()
            .map(|scalar| format!("`{}`", scalar.keyword()))
            .collect();
        let list = list.join(", ");
        let Some(ty) = ty else {
            let first = allowed.first().map_or("u8", |scalar| scalar.keyword());
            self.error(
                Diagnostic::error(
                    Code::E0318,
                    after,
                    format!("{what} needs the type that carries it"),
                )
                .help(format!(
                    "write `: {first}` after the name, or another of {list}"
                )),
            );
            return None;
        };
        let help = format!("write one of {list}");
        if let TypeKind::Named(path) = &ty.kind
            && let [name] = path.segments.as_slice()
            && scalar(&name.text).is_none()
            && matches!(self.table.find(path, scope), Found::Missing(..))
        {
            let error = self
                .table
                .unknown_carrier(name, scope, allowed, help, &mut self.budget);
            self.error(error);
            return None;
        }
        let lowered = self.ty(ty, scope, Spot::Inside)?;
        match self.draft.model.strip(&lowered) {
            ir::Type::Scalar(scalar) if allowed.contains(scalar) => Some(*scalar),
            _ => {
                let text = self.table.sources.text(ty.span);
                self.error(
                    Diagnostic::error(
                        Code::E0318,
                        ty.span,
                        format!("{what} cannot be carried by `{text}`"),
                    )
                    .help(help),
                );
                None
            }
        }
    }
}
