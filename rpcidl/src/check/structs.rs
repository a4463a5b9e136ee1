//! `struct`: fields, defaults, reserved room and what may be derived.

use super::annotations::{Notes, Place};
use super::names::{Names, snake};
use super::{Checker, Spot, State, TypeFacts};
use crate::ast::{self, StructMember, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::eval::Env;
use crate::ir;
use crate::limits;
use crate::resolve::{DeclId, Scope, scalar};
use crate::source::Span;

impl<'a> Checker<'_, 'a> {
    /// Checks a struct.
    pub(super) fn structure(&mut self, id: DeclId, node: &'a ast::Struct) -> State {
        let outer = self.scope_of(id);
        let notes = self.notes(&node.attrs, Place::Struct, outer);
        let scope = self.scope_in(id);
        let mut names = Names::new(snake);
        let mut fields = Vec::new();
        let mut facts = TypeFacts {
            max_size: notes.max_size,
            ..TypeFacts::default()
        };
        let mut resource = false;
        let mut reserved = 0;
        for member in &node.members {
            match member {
                StructMember::Field(field) => {
                    if let Some(error) = names.add(&field.name) {
                        self.error(error);
                        facts.poisoned = true;
                    }
                    match self.field(field, scope) {
                        Some(field) => {
                            if let ir::FieldKind::Value { ty, .. } = &field.kind {
                                facts.float |= self.has_float(ty);
                                facts.poisoned |= !self.is_sound(ty);
                                resource |= self.is_resource(ty);
                            }
                            fields.push(field);
                        }
                        None => facts.poisoned = true,
                    }
                }
                StructMember::Reserved { ty, span } => match self.room(ty, *span, scope) {
                    Some(size) => {
                        fields.push(ir::Field {
                            meta: ir::Meta::default(),
                            name: format!("_reserved{reserved}"),
                            kind: ir::FieldKind::Reserved,
                            offset: 0,
                            size,
                            span: *span,
                        });
                        reserved += 1;
                    }
                    None => facts.poisoned = true,
                },
                StructMember::Invalid(_) => facts.poisoned = true,
                StructMember::Item(_) => {}
            }
        }
        self.numbered_fields(node, scope.file);
        if fields.is_empty() && !facts.poisoned {
            self.error(
                Diagnostic::error(
                    Code::E0325,
                    node.name.span,
                    format!("struct `{}` has no fields", node.name.text),
                )
                .help("add a field, or `reserved u8[8];` to keep room for some"),
            );
            facts.poisoned = true;
        }
        let parts: Vec<(&str, &ir::Type)> = fields
            .iter()
            .filter_map(|field| match &field.kind {
                ir::FieldKind::Value { ty, .. } => Some((field.name.as_str(), ty)),
                _ => None,
            })
            .collect();
        let derives = self.derives(&notes, &node.name.text, &parts);
        let meta = notes.meta(&node.attrs);
        let kind = ir::TypeDefKind::Struct(ir::Struct {
            fields,
            size: 0,
            align: 1,
        });
        State::Type(self.add_type(id, meta, kind, derives, resource, facts))
    }

    fn field(&mut self, field: &'a ast::Field, scope: Scope) -> Option<ir::Field> {
        let notes = self.notes(&field.attrs, Place::Field, scope);
        let ty = self.ty(&field.ty, scope, Spot::Field);
        let Some(ty) = ty else {
            if let Some(default) = &field.default {
                self.eval(default, &Env::new(scope));
            }
            return None;
        };
        let default = match &field.default {
            Some(default) if self.has_values(&ty) => {
                self.value(default, &ty, scope).map(|(_, value)| value)
            }
            Some(default) => {
                self.no_default(default.span, &field.ty, &ty);
                None
            }
            None => None,
        };
        Some(ir::Field {
            meta: notes.meta(&field.attrs),
            name: field.name.text.clone(),
            kind: ir::FieldKind::Value { ty, default },
            offset: 0,
            size: 0,
            span: field.name.span,
        })
    }

    /// Fields whose defaults are 1, 2, 3… are those of somebody who numbers them, as in Protocol Buffers.
    fn numbered_fields(&mut self, node: &ast::Struct, file: usize) {
        let fields = node.members.iter().filter_map(|member| match member {
            StructMember::Field(field) => Some(field),
            _ => None,
        });
        let mut defaults = Vec::new();
        for (field, number) in fields.zip(1..) {
            match &field.default {
                Some(default) if self.table.sources.text(default.span) == number.to_string() => {
                    defaults.push(default.span);
                }
                _ => return,
            }
        }
        if let [first, .., last] = defaults[..] {
            let warning = Diagnostic::warning(
                Code::W0302,
                first,
                format!("the defaults of `{}` look like numbers of its fields", node.name.text),
            )
            .label("a new message holds this value")
            .also(last, "and this one")
            .note("fields have no numbers: their order is the layout")
            .help("leave the numbers out; to mean them as defaults, write one of them in another way, such as `0x1`");
            self.warn(file, warning);
        }
    }

    fn no_default(&mut self, place: Span, written: &ast::Type, ty: &ir::Type) {
        let text = self.table.sources.text(written.span);
        let error = Diagnostic::error(
            Code::E0314,
            place,
            format!("a field of type `{text}` cannot have a default"),
        );
        self.error(match self.draft.model.strip(ty) {
            ir::Type::Optional(_) => error.help("remove it; an optional begins absent"),
            ir::Type::Vec { .. } | ir::Type::Bytes { .. } => {
                error.help("remove it; it begins empty")
            }
            _ => {
                error.help("remove it; numbers, `bool`, `string<N>` and enumerations can have one")
            }
        });
    }

    /// The size of `reserved u8[N];`
    fn room(&mut self, ty: &'a ast::Type, span: Span, scope: Scope) -> Option<u32> {
        if let TypeKind::Array(elem, len) = &ty.kind
            && let TypeKind::Named(path) = &elem.kind
            && let [name] = path.segments.as_slice()
            && scalar(&name.text) == Some(ir::Scalar::U8)
        {
            return self.number(
                len,
                scope,
                1,
                limits::STRUCT_BYTES,
                Code::E0302,
                "the size of reserved room",
            );
        }
        self.error(
            Diagnostic::error(
                Code::E0326,
                if ty.span.start < ty.span.end {
                    ty.span
                } else {
                    span
                },
                "reserved room is counted in bytes",
            )
            .help("write `reserved u8[N];` with the number of bytes"),
        );
        None
    }

    /// The derives that are asked for, with what they need, if all parts have them.
    pub(super) fn derives(
        &mut self,
        notes: &Notes,
        name: &str,
        parts: &[(&str, &ir::Type)],
    ) -> Vec<ir::Derive> {
        let mut derives = Vec::new();
        for &(derive, place) in &notes.derives {
            let word = word(derive);
            if derive != ir::Derive::PartialOrd
                && let Some((part, _)) = parts.iter().find(|(_, ty)| self.has_float(ty))
            {
                self.error(
                    Diagnostic::error(
                        Code::E0607,
                        place,
                        format!("`{word}` cannot be derived for `{name}`"),
                    )
                    .note(format!(
                        "`{part}` holds a float, and floats have no `{word}`"
                    ))
                    .help("remove it, or hold the value as an integer"),
                );
                continue;
            }
            let lacking = parts
                .iter()
                .find_map(|(part, ty)| self.lacks(ty, derive).map(|id| (*part, id)));
            if let Some((part, id)) = lacking {
                let def = self.draft.model.def(id);
                let error = Diagnostic::error(
                    Code::E0607,
                    place,
                    format!("`{word}` cannot be derived for `{name}`"),
                )
                .also(def.span, format!("`{}` does not derive it", def.name))
                .note(format!("`{part}` holds `{}`", def.name))
                .help(format!("put `@Derive({word})` on `{}` too", def.name));
                self.error(error);
                continue;
            }
            derives.extend_from_slice(match derive {
                ir::Derive::Ord => &[ir::Derive::Eq, ir::Derive::PartialOrd, ir::Derive::Ord],
                ir::Derive::Eq => &[ir::Derive::Eq],
                ir::Derive::PartialOrd => &[ir::Derive::PartialOrd],
                ir::Derive::Hash => &[ir::Derive::Hash],
            });
        }
        derives.sort();
        derives.dedup();
        derives
    }

    /// The declared type inside `ty` that does not derive what its holder wants to.
    fn lacks(&self, ty: &ir::Type, derive: ir::Derive) -> Option<ir::TypeId> {
        match self.draft.model.strip(ty) {
            ir::Type::Def(id)
                if self
                    .draft
                    .types
                    .get(id.0 as usize)
                    .is_some_and(|facts| facts.poisoned) =>
            {
                None
            }
            ir::Type::Def(id) => {
                (!self.draft.model.def(*id).derives.contains(&derive)).then_some(*id)
            }
            ir::Type::Vec { elem, .. }
            | ir::Type::Array { elem, .. }
            | ir::Type::Optional(elem) => self.lacks(elem, derive),
            _ => None,
        }
    }
}

fn word(derive: ir::Derive) -> &'static str {
    match derive {
        ir::Derive::Eq => "Eq",
        ir::Derive::PartialOrd => "PartialOrd",
        ir::Derive::Ord => "Ord",
        ir::Derive::Hash => "Hash",
    }
}
