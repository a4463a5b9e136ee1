//! `#[rpc_message]` on a struct.

use super::attrs::Kept;
use super::exprs::Paths;
use super::item::{Lowered, Settings, Shape};
use super::lower::{Lower, unraw};
use super::options::{Choice, Value};
use super::types::invalid;
use crate::ast::{self, StructMember, TypeKind};
use crate::diag::{Code, Diagnostic};
use crate::emit::RustNames;
use crate::source::Span;

/// A field in its Rust form.
#[derive(Debug)]
pub(super) struct FieldShape {
    /// Its name, as generated.
    pub(super) name: String,
    /// Where the name is.
    pub(super) place: Span,
    /// The visibility as written.
    pub(super) vis: Option<Span>,
    /// Attributes that are handed on.
    pub(super) kept: Vec<Kept>,
    /// The type as written, if it is the type that is generated.
    pub(super) ty: Option<Span>,
}

const OPTIONS: &[&str] = &["max_size", "since", "crate", "macros"];
const FIELD_OPTIONS: &[&str] = &["default", "since"];

impl Lower<'_> {
    /// Reads a struct.
    pub(super) fn structure(
        &mut self,
        it: &syn::ItemStruct,
        choices: &[Choice],
    ) -> Option<Lowered> {
        let name = self.type_name(&it.ident);
        self.own = unraw(&it.ident);
        self.no_generics(&it.generics, "message");
        let mut found = self.attributes(&it.attrs, &[]);
        self.no_choices(&found);
        let mut settings = Settings::default();
        for choice in choices {
            if self.common(choice, &mut settings) {
                continue;
            }
            if !OPTIONS.contains(&choice.key.text.as_str()) {
                self.unknown_choice(choice, "rpc_message", OPTIONS);
            } else if let Some(annotation) = self.annotation_of(choice) {
                found.attrs.annotations.push(annotation);
            }
        }
        for (repr, place) in &found.repr {
            if repr != "C" {
                self.refuse(
                    Code::E0703,
                    *place,
                    format!("`repr({repr})` of a message"),
                    "remove it; the layout of a message is `repr(C)` with explicit padding",
                );
            }
        }
        let syn::Fields::Named(fields) = &it.fields else {
            let place = match &it.fields {
                syn::Fields::Unnamed(fields) => self.place(fields),
                _ => name.span,
            };
            self.refuse(
                Code::E0701,
                place,
                format!("struct `{}` has no named fields", name.text),
                "write `struct Name { field: Type }`",
            );
            return None;
        };
        let (mut members, mut shapes, mut reserved) = (Vec::new(), Vec::new(), 0);
        for field in &fields.named {
            if let Some((member, shape)) = self.field(field, &mut reserved) {
                members.push(member);
                shapes.push(shape);
            }
        }
        let node = ast::Struct {
            attrs: found.attrs,
            name: name.clone(),
            members,
            span: self.place(it),
        };
        Some(Lowered {
            item: ast::Item::Struct(node),
            name,
            vis: self.visibility(&it.vis),
            kept: found.kept,
            settings,
            shape: Shape::Struct(shapes),
        })
    }

    fn field(
        &mut self,
        field: &syn::Field,
        reserved: &mut usize,
    ) -> Option<(StructMember, FieldShape)> {
        let ident = field.ident.as_ref()?;
        let name = self.name(ident);
        let span = self.place(field);
        let found = self.attributes(&field.attrs, &[]);
        let mut shape = FieldShape {
            name: String::new(),
            place: name.span,
            vis: self.visibility(&field.vis),
            kept: found.kept.clone(),
            ty: None,
        };
        if let Some(len) = reserved_room(&field.ty) {
            self.no_choices(&found);
            shape.name = format!("_reserved{reserved}");
            *reserved += 1;
            self.must_be(&name, &shape.name, "reserved room");
            return Some((self.room(&field.ty, len, span), shape));
        }
        shape.name = RustNames::of_field(&name.text);
        self.must_be(&name, &super::lower::bare(&shape.name), "a field");
        let mut attrs = found.attrs;
        let mut default = field
            .default
            .as_ref()
            .and_then(|(_, expr)| self.default(expr));
        for choice in &found.choices {
            match (choice.key.text.as_str(), &choice.value) {
                ("default", Value::Expr(expr)) => default = self.default(expr),
                ("default", _) => self.wrong_choice(choice, "default = 1"),
                ("since", _) => attrs.annotations.extend(self.annotation_of(choice)),
                _ => self.unknown_choice(choice, "rpc", FIELD_OPTIONS),
            }
        }
        let written = match &field.ty {
            syn::Type::Reference(it) => {
                let place = self.at(it.and_token.span);
                let help = "hold the value itself, or its bytes in `Str<N>` or `Bytes<N>`";
                self.refuse(
                    Code::E0704,
                    place,
                    "a message cannot hold a reference",
                    help,
                );
                invalid(self.place(&field.ty))
            }
            ty => self.ty(ty),
        };
        shape.ty = (written.verbatim && written.native == super::types::Native::No)
            .then_some(written.ty.span);
        let node = ast::Field {
            attrs,
            ty: written.ty,
            name,
            default,
            span,
        };
        Some((StructMember::Field(node), shape))
    }

    /// A default, unless it has been refused already.
    fn default(&mut self, expr: &syn::Expr) -> Option<ast::Expr> {
        Some(self.expr(expr, Paths::Members))
            .filter(|expr| !matches!(expr.kind, ast::ExprKind::Invalid))
    }

    fn room(&mut self, ty: &syn::Type, len: &syn::GenericArgument, span: Span) -> StructMember {
        if let syn::Type::Path(it) = ty {
            self.speak(&it.path);
        }
        let ty = self.place(ty);
        let kind = match len {
            syn::GenericArgument::Const(len) => {
                let len = self.expr(len, Paths::None);
                let byte = ast::Name {
                    text: "u8".to_owned(),
                    span: ty,
                };
                let byte = TypeKind::Named(ast::Path {
                    segments: vec![byte],
                    span: ty,
                });
                TypeKind::Array(
                    Box::new(ast::Type {
                        kind: byte,
                        span: ty,
                    }),
                    Box::new(len),
                )
            }
            other => {
                let place = self.place(other);
                self.refuse(
                    Code::E0707,
                    place,
                    "the size of reserved room is not known here",
                    "write the number of bytes, such as `Reserved<8>`",
                );
                return StructMember::Invalid(span);
            }
        };
        StructMember::Reserved {
            ty: ast::Type { kind, span: ty },
            span,
        }
    }

    /// The name of a type. Generated code names it as Rust does, and so must what is written.
    pub(super) fn type_name(&mut self, ident: &syn::Ident) -> ast::Name {
        let name = self.name(ident);
        self.must_be(
            &name,
            &super::lower::bare(&RustNames::of_type(&name.text)),
            "a type",
        );
        if super::types::RUNTIME.contains(&name.text.as_str()) {
            self.refuse(
                Code::E0205,
                name.span,
                format!("`{}` is a type of the runtime", name.text),
                "rename the message, so that a definition can name both",
            );
        }
        name
    }

    /// Refuses a name that is not what is generated for it.
    fn must_be(&mut self, name: &ast::Name, generated: &str, what: &str) {
        // The checks have more to say of names that are made up.
        let made_up = what == "a field"
            && (name.text.starts_with("_pad") || name.text.starts_with("_reserved"));
        if name.text != generated && name.text.is_ascii() && !made_up {
            self.error(
                Diagnostic::error(
                    Code::E0708,
                    name.span,
                    format!("`{}` is not how Rust names {what}", name.text),
                )
                .fix(format!("write `{generated}`"), name.span, generated),
            );
        }
    }

    /// The place of a visibility, if one is written.
    pub(super) fn visibility(&self, vis: &syn::Visibility) -> Option<Span> {
        match vis {
            syn::Visibility::Inherited => None,
            _ => Some(self.place(vis)),
        }
    }
}

/// The size in `Reserved<N>`.
fn reserved_room(ty: &syn::Type) -> Option<&syn::GenericArgument> {
    let syn::Type::Path(it) = ty else { return None };
    let last = it.path.segments.last()?;
    match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) if last.ident == "Reserved" => {
            arguments.args.first()
        }
        _ => None,
    }
}
